"""Names of geometry and chains of inequalities, which may be read from either end.

The angle ABC is the angle CBA, a triangle is named by its corners in any order, AB is parallel to
CD where CD is to AB, and ``c > b > a`` says ``a < b < c``.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.spelling import plain, signs, squeezed, words

LONGEST = 100
"""A longer text is no name of a figure."""

_IN_WORDS = re.compile(r"(?<!\\)\b(angle|triangle)\s+(?=[A-Z]{3}$)", re.IGNORECASE)
_ANGLE = re.compile(r"m?\s*\\angle\s*([A-Z])([A-Z])([A-Z])")
_TRIANGLE = re.compile(r"\\(?:triangle|Delta)\s*\{?\s*([A-Z]{3})\s*\}?")
_SEGMENTS = "side|segment|chord|edge|leg|hypotenuse|diagonal|radius|diameter|tangent|line"
_SEGMENT = re.compile(rf"(?:(?i:(?:the\s+)?(?:{_SEGMENTS}|line\s+segment)\s+))?([A-Z]{{2}})")
_SEGMENT_ASKED = re.compile(rf"\b(?:{_SEGMENTS})s?\b", re.IGNORECASE)
_LINES = re.compile(
    r"(?P<first>[A-Z]{2}|[a-z])\s*(?P<sign>\\parallel(?![a-zA-Z])|//|\\?\|\|?|\\perp(?![a-zA-Z])"
    r"|is\s+(?:parallel|perpendicular)\s+to)\s*(?P<second>[A-Z]{2}|[a-z])"
)
_ORDER = re.compile(r"(<|>|\\[lg]e(?![a-z]))")
_TURNED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}


def same_figure(answer: str, target: str, question: str = "") -> bool:
    """Whether two answers name one angle, triangle or pair of lines, or order things alike."""
    if max(len(answer), len(target)) > LONGEST:
        return False
    said, wanted = (
        _IN_WORDS.sub(lambda match: f"\\{match.group(1).lower()} ", plain(text).strip(" ."))
        for text in (answer, target)
    )
    said = f"\\triangle {said}" if _asks_triangle(said, question) else said
    for reader in (_angle, _triangle, _lines):
        read = reader(wanted)
        if read is not None:
            return reader(said) == read
    segments = _segment(said), _segment(wanted)
    if all(segments) and _SEGMENT_ASKED.search(question):
        return segments[0] == segments[1]
    return _same_order(said, wanted)


def _asks_triangle(said: str, question: str) -> bool:
    corners = re.fullmatch(r"[A-Z]{3}", said) is not None
    return corners and re.search(r"\btriangle\b|\\triangle|△", question, re.IGNORECASE) is not None


def _segment(text: str) -> frozenset[str] | None:
    match = _SEGMENT.fullmatch(text)
    return None if match is None else frozenset(match.group(1))


def _angle(text: str) -> tuple[str, frozenset[str]] | None:
    match = _ANGLE.fullmatch(text)
    return None if match is None else (match.group(2), frozenset(match.group(1, 3)))


def _triangle(text: str) -> frozenset[str] | None:
    match = _TRIANGLE.fullmatch(text)
    return None if match is None else frozenset(match.group(1))


def _lines(text: str) -> tuple[bool, frozenset[frozenset[str]]] | None:
    """Whether two lines are perpendicular (or else parallel), and which."""
    match = _LINES.fullmatch(text)
    if match is None:
        return None
    lines = frozenset(map(frozenset, match.group("first", "second")))
    return "perp" in match.group("sign"), lines


def _same_order(said: str, wanted: str) -> bool:
    mine, theirs = (_ORDER.split(text) for text in (said, wanted))
    if len(theirs) < 3 or len(mine) != len(theirs):
        return False
    turned = [_TURNED.get(part, part) for part in reversed(mine)]
    return turned[1::2] == theirs[1::2] and all(map(_same_item, turned[::2], theirs[::2]))


def _same_item(said: str, wanted: str) -> bool:
    said, wanted = said.strip(), wanted.strip()
    if not said or not wanted:
        return False
    same_words = len(wanted) > 3 and words(said) == words(wanted) != ()
    return squeezed(said) == squeezed(wanted) or (same_words and signs(said) == signs(wanted))
