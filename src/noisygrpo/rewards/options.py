"""The options that a question lists, and which of them a text names by its words or its value."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from noisygrpo.rewards.agreement import same
from noisygrpo.rewards.equality import equal
from noisygrpo.rewards.lists import as_interval
from noisygrpo.rewards.numeric import parse_number
from noisygrpo.rewards.polarity import read_sign
from noisygrpo.rewards.prose import is_bounded, only_number
from noisygrpo.rewards.spelling import normalize, plain, signs, squeezed, words
from noisygrpo.rewards.statement import claim, complement
from noisygrpo.rewards.units import convert
from noisygrpo.rewards.values import same_value

LETTERS = "ABCDEFGHIJK"

_MARKERS = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (rf"(?<![A-Za-z0-9])[(（\[]?([{LETTERS}])[.):．：、）\]][)）]?\s*(?=\S)", 0),
        (rf"(?<![A-Za-z0-9(])\(([{LETTERS.lower()}])\)\s*(?=\S)", 0),
        (rf"^[ \t]*([{LETTERS}])[ \t]+[-–—][ \t]+(?=\S)", re.MULTILINE),
        (rf"^[ \t]*([{LETTERS}])[ \t]+(?=\S)", re.MULTILINE),
    )
)
_LISTED = re.compile(r"\b(?:choices|options)\s*:?\s*(\[.*\])\s*$", re.IGNORECASE | re.DOTALL)
_SUBJECT = re.compile(
    r"^(?:it|this|that|these|those|they|he|she|there)\s+(?:(?:will|would|should"
    r"|must)\s+)?",
    re.IGNORECASE,
)
_PLACES = ("first", "second", "third", "fourth", "fifth")
_NUMBERED = re.compile(
    rf"(?:the\s+)?({'|'.join(_PLACES)})\s+(?:option|choice|answer)", re.IGNORECASE
)
_TOWARDS = re.compile(r"^(?:to|on|at)\s+the\s+(?=(?:left|right|top|bottom)$)", re.IGNORECASE)
_LONGEST = 300


def options_of(question: str) -> dict[str, str]:
    """Return {letter: text} of the choices listed in a question, {} if there are none."""
    return split_options(question)[1]


def split_options(question: str) -> tuple[str, dict[str, str]]:
    """Return the question before its choices, and the choices as {letter: text}.

    Understood: ``A. text``, ``(A) text``, ``A) text``, ``A: text``, ``[A] text``, ``A、text`` and
    ``(a) text``, in lines or in a row, ``A - text`` and ``A text`` in lines of their own, from A on
    without gaps, at least two; and a list behind "Choices:", whose letters are A, B … Without
    choices the whole question comes back.
    """
    for marked in _MARKERS:
        markers = list(marked.finditer(question))
        letters = [marker.group(1).upper() for marker in markers]
        for start in reversed([index for index, letter in enumerate(letters) if letter == "A"]):
            run = [markers[start]]
            for marker, letter in zip(markers[start + 1 :], letters[start + 1 :], strict=True):
                if len(run) < len(LETTERS) and letter == LETTERS[len(run)]:
                    run.append(marker)
            if len(run) >= (3 if marked is _MARKERS[-1] else 2):
                return question[: run[0].start()].rstrip(), _texts(question, run)
    return _listed(question)


def _texts(question: str, run: Sequence[re.Match[str]]) -> dict[str, str]:
    ends = [marker.start() for marker in run[1:]] + [len(question)]
    texts = [question[m.end() : end].strip() for m, end in zip(run, ends, strict=True)]
    return {marker.group(1).upper(): text for marker, text in zip(run, texts, strict=True)}


def _listed(question: str) -> tuple[str, dict[str, str]]:
    """``Choices: ['18', '36']``, as MathVista writes them."""
    match = _LISTED.search(question)
    try:
        found = ast.literal_eval(match.group(1)) if match else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if match is None or not isinstance(found, list) or not 1 < len(found) <= len(LETTERS):
        return question, {}
    texts = [str(each) for each in found]
    return question[: match.start()].rstrip(), dict(zip(LETTERS, texts, strict=False))


def by_text(text: str, options: Mapping[str, str]) -> str | None:
    """The letter of the option that ``text`` (in `spelling.plain`) names: as its whole, by its
    value, or as what a sentence says of its subject. None if none or several are named.
    """
    named = {key: option for key, option in options.items() if option}
    if not named:
        return None
    whole = _same_words(text, named)
    if whole is not None:
        return whole
    said = claim(text)
    if not said or len(said) > _LONGEST:
        return None
    placed = _NUMBERED.fullmatch(said)
    if placed:
        place = _PLACES.index(placed.group(1).lower())
        return LETTERS[place] if LETTERS[place] in options else None
    for part in (said, complement(said), _SUBJECT.sub("", said), _TOWARDS.sub("", said)):
        found = _same_words(part, named) if part else None
        if found is not None:
            return found
    return _same_value(said, named) or _same_sign(text, named)


def _bare(text: str) -> str:
    return plain(text).strip().rstrip(" .")


def _same_words(text: str, named: Mapping[str, str]) -> str | None:
    exact = [key for key, option in named.items() if _bare(option) == _bare(text)] or [
        key for key, option in named.items() if squeezed(option) == squeezed(text)
    ]
    if len(exact) == 1:
        return exact[0]
    wanted = words(text)
    found = [
        key
        for key, option in named.items()
        if wanted and words(option) == wanted and signs(text) == signs(option)
    ]
    return found[0] if len(found) == 1 else None


def _same_value(text: str, named: Mapping[str, str]) -> str | None:
    """The only option with the value of ``text``, or of the only number of a sentence."""
    if is_bounded(text) and parse_number(text) is None and as_interval(text) is None:
        return None
    found = [
        key
        for key, option in named.items()
        if same(text, plain(option)) is True or same_value(text, plain(option)) is True
    ]
    number = None if found or parse_number(text) is not None else only_number(text)
    if number is not None:
        values = {key: parse_number(option) for key, option in named.items()}
        found = [key for key, value in values.items() if value and equal(number, value)]
    found = found or _rounded(text, named)
    return found[0] if len(found) == 1 else None


def _rounded(text: str, named: Mapping[str, str]) -> list[str]:
    """The options, roots and fractions, that round to the decimal ``text``: 5.66 for 4√2."""
    number = parse_number(text)
    if number is None or number.decimals < 2:
        return []
    half = Fraction(1, 2 * 10**number.decimals)
    values = {key: parse_number(option) for key, option in named.items()}
    return [
        key
        for key, value in values.items()
        if value is not None
        and value.closed
        and (there := convert(number.value, number.unit, value.unit)) is not None
        and abs(float(there) - float(value.value)) <= half
    ]


def _same_sign(text: str, named: Mapping[str, str]) -> str | None:
    """Yes or no, where these two are the options."""
    signs = {key: read_sign(option) for key, option in named.items() if len(words(option)) == 1}
    if len(named) != 2 or sorted(signs.values(), key=str) != [False, True]:
        return None
    sign = read_sign(text)
    return next((key for key, value in signs.items() if value == sign), None)


def only_mentioned(text: str, options: Mapping[str, str]) -> str | None:
    """The letter of the one option whose text occurs in ``text`` as whole words.

    An option that is part of another ("blue" in "dark blue") does not count where the longer one
    occurs, nor does one that only a longer number contains.
    """
    within = f" {normalize(text)} "
    texts = {key: normalize(option) for key, option in options.items()}
    found = {key: said for key, said in texts.items() if said and f" {said} " in within}
    longest = [
        key
        for key, said in found.items()
        if not any(said != other and f" {said} " in f" {other} " for other in found.values())
    ]
    return longest[0] if len(longest) == 1 else None
