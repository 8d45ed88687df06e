"""Finding the answer in a completion.

In this order: the last complete ``<answer>…</answer>``, the last ``\\boxed{…}`` with matched
braces, a letter that is announced ("the answer is (B)") or stands alone. A tag that is opened and
never closed is a truncated answer and does not count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

LETTERS = "ABCDEFGHIJK"

_ANNOUNCED = re.compile(
    rf"\b(?i:answer|option|choice)\b[\s:*]*(?:is\b[\s:]*)?(?:option\s+)?"
    rf"(?:\(([{LETTERS}])\)|\**([{LETTERS}])\**(?=\s*(?:[.,;:!]|\n|$)))",
)
_ALONE = re.compile(rf"\s*\(?([{LETTERS}])\)?[.:]?\s*")
_BOXED = re.compile(r"\\(?:boxed|fbox)(?:\s*\{|[ \t]+([^\s{}$\\]+))")
_CLOSED_THINK = re.compile(r"</think>", re.IGNORECASE)


def completion_text(completion: Any) -> str:
    """Return the text of a completion: a string, or a conversation whose assistant turns count.

    Content may be a string or a list of parts of which the ``text`` ones are joined.
    """
    if isinstance(completion, str):
        return completion
    parts = []
    for turn in completion:
        if turn.get("role", "assistant") != "assistant":
            continue
        content = turn["content"]
        if isinstance(content, str):
            parts.append(content)
        else:
            parts.extend(part["text"] for part in content if part.get("type") == "text")
    return "".join(parts)


def own_texts(completions: Sequence[Any], hints: Sequence[str] | None = None) -> list[str]:
    """Return what the model wrote of each completion: the text behind the hint that it begins with.

    Answers are looked for there, so that a hint with the answer in it earns nothing.
    """
    texts = [completion_text(completion) for completion in completions]
    if hints is None:
        return texts
    return [text.removeprefix(hint) for text, hint in zip(texts, hints, strict=True)]


def extract_answer(text: str) -> str | None:
    """Return the answer that ``text`` gives, or None if it gives none.

    ``\\boxed{}`` inside the answer tag is unwrapped. An empty tag gives "".
    """
    tagged = last_tag(text, "answer")
    if tagged is not None:
        boxed = last_boxed(tagged)
        return tagged if boxed is None else boxed
    boxed = last_boxed(text)
    return boxed if boxed is not None else extract_letter(text)


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
    closing = _matching_braces(text)
    for match in reversed(list(_BOXED.finditer(text))):
        if match.group(1) is not None:
            return match.group(1).strip()
        if match.end() - 1 in closing:
            return text[match.end() : closing[match.end() - 1]].strip()
    return None


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


def extract_letter(text: str) -> str | None:
    """Return the choice that is announced last, or the whole text if that is one letter.

    Only what follows ``</think>`` counts, and only capitals that cannot be words: in "the answer is
    A circle" there is no letter.
    """
    parts = _CLOSED_THINK.split(text)
    final = parts[-1]
    alone = _ALONE.fullmatch(final)
    if alone:
        return alone.group(1)
    letter = None
    for match in _ANNOUNCED.finditer(final):
        letter = match.group(1) or match.group(2)
    return letter
