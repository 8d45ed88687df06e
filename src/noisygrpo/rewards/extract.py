"""Finding the answer in a completion: only behind the thinking.

In this order: the last ``<answer>…</answer>``, the last ``\\boxed{…}`` with matched braces, what an
announcement says ("the answer is 6"), or all that stands there. A cut-off thinking, and a tag or
box that is opened last and never closed, leave no answer. Answers with nothing but "or", "and" or
a comma between them are one answer, so that alternatives are seen as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from noisygrpo.rewards.spelling import plain
from noisygrpo.rewards.statement import announced, takes_back

_THINKING = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>|◁(/?)think▷", re.IGNORECASE)
_ANSWER = re.compile(r"<(/?)answer>", re.IGNORECASE)
_UNFINISHED = re.compile(r"</answer[^>]{0,4}$|<(?:a|an|ans|answ|answe|answer)?$", re.IGNORECASE)
_BOXED = re.compile(r"\\(?:boxed|fbox)(?:\s*(\{)|[ \t]+([^\s{}$\\]+))")
_JOINED = re.compile(
    r"[\s$.,;:)(\\\]\[]*(?:(or|and|/|,|;|或者?|和|maybe"
    r"|perhaps)[\s,$:\\(\[]*)*(?:[a-z]\w?\s*=[\s$]*)?",
    re.IGNORECASE,
)
_GOVERNS = re.compile(
    r"(?:(?:\bnot|\bnever|n't|\bcannot|\beither|\bor|\bthan|\bat\s+(?:least|most)|\bunder|\bover"
    r"|\bbelow|\babove|\bup\s+to"
    r"|\bexcept|\bneither|\bnor|\bbut|不是?|或)(?:\s+(?:be|equal|to|exactly|a|the|just))*|[<>≠≤≥±-]"
    r"|\\(?:neq?|leq?|geq?|lt|gt|pm)"
    r")[\s$:({}\\]*$",
    re.IGNORECASE,
)


_MARK = re.compile(r"<\|[a-z_]{2,30}\|>")
_TAG = re.compile(r"<(/?)\s*(?:answer|conclusion)\s*>", re.IGNORECASE)
_EXPLANATION = re.compile(r"\n\W*(?:explanation|reason(?:ing)?|justification|note)\W{0,3}:", re.I)
_OBJECT = re.compile(r"(?:```(?:json)?\s*)?(\{.{1,2000}\})\s*(?:```)?", re.DOTALL)
_KEYS = ("answer", "Answer", "final_answer", "result")
_NONE_GIVEN = re.compile(
    r"\b(?:don't|do\s+not|doesn't|does\s+not)\s+know\b|\bnot\s+sure\b|\bno\s+(?:idea|clue)\b|不知道"
    r"|\b(?:cannot|can't|can\s+not|unable\s+to)\s+(?:be\s+)?(?:determined?|say|tell|answer(?:ed)?"
    r"|know)\b",
    re.IGNORECASE,
)
_ALTERNATIVES = 20
"""Tags or boxes that are looked at, from the end."""


def completion_text(completion: Any) -> str:
    """Return the text of a completion: a string, or a conversation whose assistant turns count.

    Content may be a string, a list of parts of which the ``text`` ones are joined, or None (a turn
    of tool calls only), which is no text.
    """
    if isinstance(completion, str):
        return completion
    parts = []
    for turn in completion or ():
        if turn.get("role", "assistant") != "assistant":
            continue
        content = turn.get("content") or ""
        if isinstance(content, str):
            parts.append(content)
        else:
            parts.extend(part.get("text") or "" for part in content if part.get("type") == "text")
    return "".join(parts)


def own_texts(completions: Sequence[Any], hints: Sequence[str] | None = None) -> list[str]:
    """Return what the model wrote of each completion: the text behind the hint that it begins with.

    Answers are looked for there, so that a hint with the answer in it earns nothing.
    """
    texts = [completion_text(completion) for completion in completions]
    if hints is None:
        return texts
    return [text.removeprefix(hint or "") for text, hint in zip(texts, hints, strict=True)]


def answer_texts(completions: Sequence[Any], hints: Sequence[str] | None = None) -> list[str]:
    """Return the part of each completion in which its answer may stand: its own, behind thinking.

    A thinking that the hint opened and the model did not close leaves "".
    """
    texts = [completion_text(completion) for completion in completions]
    given = hints or [""] * len(texts)
    parts = []
    for text, hint in zip(texts, given, strict=True):
        begun = len(hint) if hint and text.startswith(hint) else 0
        part = behind_thinking(text)
        parts.append("" if part is None else part[max(0, begun - (len(text) - len(part))) :])
    return parts


def behind_thinking(text: str) -> str | None:
    """What stands behind the last ``</think>``, all of a text without one; None if it was cut off.

    ``<thinking>``, ``<thought>``, ``<reasoning>`` and ``◁think▷`` count too, in any letter case.
    """
    start, open_ = 0, False
    for match in _THINKING.finditer(text):
        open_ = not match.group().startswith(("</", "◁/"))
        if not open_:
            start = match.end()
    return None if open_ else text[start:]


def extract_answer(text: str) -> str | None:
    """Return the answer that ``text`` gives, or None if it gives none.

    ``\\boxed{}`` inside the answer tag is unwrapped. An empty tag gives "".
    """
    behind = behind_thinking(text)
    part = None if behind is None else _unmarked(behind).strip()
    if not part:
        return None
    tagged = _tagged(part)
    if tagged is not None:
        inside = (_boxed(tagged) or _in_json(tagged)) if tagged else None
        return _unexplained(tagged) if inside is None else inside
    only_closed = re.match(r"([^<]*)</answer>", part, re.IGNORECASE)
    if only_closed:  # the prompt opened it
        return extract_answer(only_closed.group(1))
    if _ANSWER.search(part) or _UNFINISHED.search(part):
        return None  # opened and never closed
    if _BOXED.search(part) or re.search(r"\\(?:boxed|fbox)\s*\{", part):
        return _boxed(part)
    readable = plain(part)
    said = _in_json(part) or announced(readable)
    if said is not None:
        return said
    return None if _NONE_GIVEN.search(readable) else _unexplained(part)


def _unmarked(text: str) -> str:
    """``text`` without a chat template's marks, its answer tags in one spelling."""
    return _TAG.sub(r"<\1answer>", _MARK.sub("", text))


def _unexplained(text: str) -> str:
    """An answer without the explanation that is announced in a later line."""
    head = _EXPLANATION.split(text, maxsplit=1)[0].strip()
    return head or text


def _in_json(text: str) -> str | None:
    """The value of "answer" where a completion is one JSON object."""
    match = _OBJECT.fullmatch(text)
    try:
        found = json.loads(match.group(1)) if match else None
    except (ValueError, RecursionError):
        return None
    values = [found[key] for key in _KEYS if key in found] if isinstance(found, dict) else []
    one = values[0] if len(values) == 1 else None
    return str(one) if isinstance(one, (str, int, float)) and not isinstance(one, bool) else None


def _tagged(text: str) -> str | None:
    """The last complete answer tag with its alternatives; None if there is none or one is open."""
    spans, start = [], None
    for match in _ANSWER.finditer(text):
        if not match.group(1):
            start = match.end()
        elif start is not None:
            spans.append((start, match.start()))
            start = None
    if start is not None or not spans:
        return None
    return _with_alternatives(text, spans[-_ALTERNATIVES:], len("</answer>"), len("<answer>"))


def _with_alternatives(text: str, spans: list[tuple[int, int]], closing: int, opening: int) -> str:
    """The last span, joined to those before and to the words behind that are its alternatives."""
    contents = [text[start:end].strip() for start, end in spans]
    answer = contents[-1]
    for index in range(len(spans) - 1, 0, -1):
        between = text[spans[index - 1][1] + closing : spans[index][0] - opening]
        joined = _JOINED.fullmatch(between) if len(between) < 40 else None
        if joined is None:
            break
        if contents[index - 1] != contents[index]:
            answer = f"{contents[index - 1]} {joined.group(1) or ','} {answer}"
    behind = text[spans[-1][1] + closing :]
    return f"{answer} or {behind[:60].strip(' $.,;)')}" if takes_back(behind) else answer


def last_tag(text: str, tag: str) -> str | None:
    """Return the stripped contents of the last complete ``<tag>…</tag>``, in any letter case."""
    lower = text.lower()
    if len(lower) != len(text):  # some letters change length in lower case; keep positions right
        lower = text
    end = lower.rfind(f"</{tag}>")
    start = lower.rfind(f"<{tag}>", 0, end) if end >= 0 else -1
    return text[start + len(tag) + 2 : end].strip() if start >= 0 else None


def last_boxed(text: str) -> str | None:
    """Return the contents of the last ``\\boxed{…}`` (or ``\\fbox``) whose braces match.

    Nested braces are kept; escaped ones (``\\{``) do not count. ``\\boxed 5`` gives "5".
    """
    spans, _ = boxes(text)
    return text[spans[-1][0] : spans[-1][1]].strip() if spans else None


def _boxed(text: str) -> str | None:
    """The last box with its alternatives and the word that governs it ("not", "more than")."""
    spans, cut_off = boxes(text)
    if cut_off or not spans:
        return None
    spans = spans[-_ALTERNATIVES:]
    outer = [span for span in spans if not any(o[0] <= span[0] and span[1] < o[1] for o in spans)]
    closing = 1
    answer = _with_alternatives(text, outer, closing, len("\\boxed{"))
    inner = boxes(answer)[0]
    if inner and "\\boxed" in answer[:8]:
        answer = answer[inner[-1][0] : inner[-1][1]].strip()
    before = text[max(0, outer[-1][0] - 60) : outer[-1][0]]
    before = re.sub(r"\\(?:boxed|fbox)[\s{]*$", "", before).rsplit("\n", 1)[-1]
    governs = _GOVERNS.search(before)
    if re.search(r" (?:or|and|,) ", answer) and len(outer) > 1:
        return answer  # joined: what governs the last one is between them
    return f"{governs.group().strip(' $:({')} {answer}" if governs and answer else answer


def boxes(text: str) -> tuple[list[tuple[int, int]], bool]:
    """(start, end) of the contents of every complete box, and whether the last one is cut off."""
    closing = _matching_braces(text)
    spans, cut_off = [], False
    for match in _BOXED.finditer(text):
        cut_off = False
        if match.group(2) is not None:
            spans.append(match.span(2))
        elif match.end() - 1 in closing:
            spans.append((match.end(), closing[match.end() - 1]))
        else:
            cut_off = True
    return spans, cut_off


def _matching_braces(text: str) -> dict[int, int]:
    """Map the position of every brace that opens to that of the one that closes it."""
    matches, opened = {}, []
    escaped = False
    for index, symbol in enumerate(text):
        if symbol == "{" and not escaped:
            opened.append(index)
        elif symbol == "}" and not escaped and opened:
            matches[opened.pop()] = index
        escaped = symbol == "\\" and not escaped
    return matches
