"""Multiple choice, yes/no and true/false: reading what was chosen.

The published rewards search for letters between blanks and for "no" without a left boundary, so
"B." names no choice and "casino" means no; here words are bounded and letters are parsed.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.extract import LETTERS, extract_letter

POLARITIES: tuple[tuple[str, str], ...] = (("yes", "no"), ("true", "false"))
"""Pairs of opposite answers."""

_MARKER = re.compile(rf"(?<![A-Za-z0-9])\(?([{LETTERS}])[.):]\)?(?=\s|\S)\s*")
_LEADING_LETTER = re.compile(rf"\(([{LETTERS}])\)(?!\w)|([{LETTERS}])(?=[.):]|\s*$)")
_LETTER_ALONE = re.compile(rf"\(?([{LETTERS}{LETTERS.lower()}])\)?[.:]?")
_NEGATED = re.compile(r"\b(?:not|isn't|isn’t)\s+(?:necessarily\s+)?(true|false)\b")
_ANNOUNCED = re.compile(r"(?:\b(?:answer|statement)\b(?:\s+is)?|:)\W*(yes|no|true|false)\b")


def polarity_pair(target: str) -> tuple[str, str] | None:
    """Return the pair that ``target`` belongs to if it is one of yes, no, true, false."""
    word = target.strip().strip(".!").lower()
    return next((pair for pair in POLARITIES if word in pair), None)


def read_polarity(text: str, pair: tuple[str, str]) -> str | None:
    """Return which word of ``pair`` the text answers, None if neither or unclear.

    The first word decides ("Yes, there is no circle"), then an announced answer ("the answer is
    no"), then the last word, then a word that occurs without its opposite. "no" counts only in
    those first three places, since elsewhere it belongs to a noun. "not true" is false.
    """
    positive, negative = pair
    low = text.lower()
    flips = {"true": "false", "false": "true"}
    low = _NEGATED.sub(lambda match: flips[match.group(1)], low)
    words = re.findall(r"[a-z']+", low)
    if not words:
        return None
    if len(words) > 2 and words[0] in pair and words[1] in ("or", "and") and words[2] in pair:
        return None
    if words[0] in pair:
        return words[0]
    announced = [word for word in _ANNOUNCED.findall(low) if word in pair]
    if announced:
        return announced[-1]
    if words[-1] in pair:
        return words[-1]
    found = {word for word in words if word in pair}
    if len(found) == 1 and (found == {positive} or negative != "no"):
        return found.pop()
    return None


def options_of(question: str) -> dict[str, str]:
    """Return {letter: text} of the choices listed in a question, {} if there are none."""
    return split_options(question)[1]


def split_options(question: str) -> tuple[str, dict[str, str]]:
    """Return the question before its choices, and the choices as {letter: text}.

    Understood: ``A. text``, ``(A) text``, ``A) text``, ``A: text``, in lines or in a row, from A on
    without gaps, at least two. Without choices the whole question comes back.
    """
    markers = list(_MARKER.finditer(question))
    starts = [index for index, marker in enumerate(markers) if marker.group(1) == "A"]
    for start in reversed(starts):
        run = [markers[start]]
        for marker in markers[start + 1 :]:
            if len(run) < len(LETTERS) and marker.group(1) == LETTERS[len(run)]:
                run.append(marker)
        if len(run) >= 2:
            ends = [marker.start() for marker in run[1:]] + [len(question)]
            texts = [question[m.end() : end].strip() for m, end in zip(run, ends, strict=True)]
            options = {marker.group(1): text for marker, text in zip(run, texts, strict=True)}
            return question[: run[0].start()].rstrip(), options
    return question, {}


def target_letter(target: str) -> str | None:
    """Return the letter of a multiple-choice target: ``B``, ``(B)``, ``B.``, ``B. five cm``."""
    match = _LEADING_LETTER.match(target.strip())
    return (match.group(1) or match.group(2)) if match else None


def chosen_letter(prediction: str) -> str | None:
    """Return the letter that a prediction chooses, None if it is no choice.

    ``b``, ``(B)``, ``B. five cm``, ``option B`` and "the answer is B" choose B; "A circle" chooses
    nothing.
    """
    text = prediction.strip().strip("*").strip()
    alone = _LETTER_ALONE.fullmatch(text)
    if alone:
        return alone.group(1).upper()
    return target_letter(text) or extract_letter(text)
