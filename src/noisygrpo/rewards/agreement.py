"""Whether two answers agree by value: numbers, lists, matrices, equations, formulas."""

from __future__ import annotations

import re
from collections.abc import Sequence

from noisygrpo.rewards.equality import equal
from noisygrpo.rewards.equations import same_equation, with_sides
from noisygrpo.rewards.lists import (
    Parts,
    as_interval,
    as_tuple,
    matrix,
    same_parts,
    split_parts,
    vector,
)
from noisygrpo.rewards.numeric import parse_number
from noisygrpo.rewards.spelling import squeezed, words
from noisygrpo.rewards.tokens import DOUBLED

FORMULA = re.compile(r"[\d\\^_=<>+*/|]|^\W*[a-zA-Z]'*\W*$")
"""What a formula has and running text has not."""

PROSE = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}[\s,]+[a-zA-Z]{2,}")
"""Two words in a row."""


_WORD = re.compile(r"[A-Za-z][a-z]{2,}(?:[ -][A-Za-z][a-z]+)*")
"""Running text, though three letters may be a product of variables too."""


def same(answer: str, target: str, tolerance: float = 0.0) -> bool | None:
    """Whether two answers (in `spelling.plain`) agree by value; None where that cannot be said."""
    if squeezed(answer) == squeezed(target):
        return True
    if (DOUBLED.search(answer) is None) is not (DOUBLED.search(target) is None):
        return False
    answer = with_sides(answer)
    answer = as_tuple(answer) if target.lstrip().startswith("(") else answer
    cells = [matrix(answer), matrix(target)]
    alone = [_only_cell(own) for own in cells]
    if any(alone):  # an array around a value
        return same(alone[0] or answer, alone[1] or target, tolerance)
    if cells[0] is not None and cells[1] is not None:
        return _same_cells(cells[0], cells[1], tolerance)
    mine, theirs = (_parts(text, own) for text, own in zip((answer, target), cells, strict=True))
    spans = as_interval(answer), as_interval(target)
    if any(spans) and _letter(answer) in (_letter(target), ""):
        mine = split_parts(spans[0]) if spans[0] else mine
        theirs = split_parts(spans[1]) if spans[1] else theirs
    elif theirs is not None and theirs.shape not in ("", "{}") and (mine is None or spans[0]):
        mine = split_parts(spans[0] or "")
    wanted, number = parse_number(target), parse_number(answer)
    both_equations = "=" in answer and "=" in target
    if wanted is not None and number is not None and not both_equations:
        return equal(number, wanted, tolerance)
    if theirs is not None or (mine is not None and wanted is not None and not _is_one(answer)):
        if mine is None or theirs is None:
            return False
        if mine.alternatives and not theirs.alternatives and _names_several(mine, theirs):
            return False  # a = 2 or b = 3
        texts = any(not FORMULA.search(item) for item in theirs.items)
        if texts and mine.alternatives != theirs.alternatives:
            return False
        verdict = same_parts(mine, theirs, lambda a, b: _same_item(a, b, tolerance))
        return verdict or (None if _needs_algebra(mine.items + theirs.items) else False)
    return same_equation(answer, target, tolerance, same)


def _only_cell(cells: tuple[tuple[str, ...], ...] | None) -> str:
    """The one cell of an array, "" for anything else."""
    return cells[0][0] if cells is not None and [len(row) for row in cells] == [1] else ""


def _names_several(*both: Parts) -> bool:
    """Whether one of two lists gives values to several names."""
    return any(len({_name_of(item) for item in parts.items} - {""}) > 1 for parts in both)


def _name_of(item: str) -> str:
    """The name in front of an equals sign, without its index; "" for a bare value."""
    name, equals, _ = item.partition("=")
    return re.sub(r"_\{?\w+\}?|\s", "", name) if equals else ""


def _letter(inequality: str) -> str:
    """The letter that an inequality is about; "" for an interval."""
    found = re.search(r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])", inequality)
    return found.group() if found else ""


def _parts(text: str, cells: tuple[tuple[str, ...], ...] | None) -> Parts | None:
    return split_parts(text) if cells is None else vector(cells)


def _is_one(answer: str) -> bool:
    """Whether commas only part a sentence."""
    return PROSE.search(answer) is not None


def _needs_algebra(items: Sequence[str]) -> bool:
    """Whether a part is a formula that has no value here."""
    return any("\\" in item and parse_number(item) is None for item in items)


def _same_item(answer: str, target: str, tolerance: float) -> bool | None:
    agree = same(answer, target, tolerance)
    if agree is None or (not agree and _WORD.fullmatch(answer) and _WORD.fullmatch(target)):
        return words(answer) == words(target) != () or agree
    return agree


def _same_cells(
    mine: tuple[tuple[str, ...], ...], wanted: tuple[tuple[str, ...], ...], tolerance: float
) -> bool | None:
    if [len(row) for row in mine] != [len(row) for row in wanted]:
        return False
    pairs = [
        same(a, b, tolerance)
        for row, other in zip(mine, wanted, strict=True)
        for a, b in zip(row, other, strict=True)
    ]
    return False if False in pairs else None if None in pairs else True
