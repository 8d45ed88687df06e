"""Answers with several parts: lists and sets in any order, tuples and intervals in theirs.

A list is right if it has the parts of the target, each once, and nothing else: one of two values is
not the answer where both are asked for, and neither are two where one is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from noisygrpo.rewards.numeric import parse_number
from noisygrpo.rewards.spelling import plain

LONGEST = 400
MOST = 30
"""Parts; an answer with more is none."""

Same = Callable[[str, str], bool | None]

_OPEN, _CLOSE = "([{", ")]}"
_WORD = re.compile(r"\s+(?:and|or|&)\s+(?!a\s+half|a\s+quarter)|(?:\s*和\s*)|(?:\s*或者?\s*)")
_PLUS_OR_MINUS = re.compile(r"\bplus[\s-]+or[\s-]+minus\s+(?=[\d\\])", re.IGNORECASE)
_MEMBER = re.compile(r"^[a-zA-Z](?:_\w)?\s*\\in\s*")


_ANGLES = re.compile(r"^(?:\\langle(?![a-zA-Z])(.+)\\rangle|<([^<>]+,[^<>]+)>)$")
"""A vector in pointed brackets is a tuple."""


_POINT = re.compile(
    r"^(?:(?:(?:[Tt]he\s+)?[Pp]oint\s+)?[A-Z]\s*(?:=|:|is(?:\s+at)?)?|(?:[Tt]he\s+)?[Pp]oint"
    r"|\\(?:vec|overrightarrow)\s*\{\s*[A-Za-z]{1,2}\s*\}\s*=)\s*(?=\([^()]*,[^()]*\)$)"
)
_COORDINATES = re.compile(r"^x\s*=\s*([^=,;]+?)\s*(?:[,;]|and)\s*(?:and\s+)?y\s*=\s*([^=,;]+)$")


def as_tuple(text: str) -> str:
    """``A(1, 2)``, ``A = (1, 2)``, "point A is at (1, 2)", ``\\vec{AB} = (1, 2)`` and
    ``x = 1, y = 2`` as ``(1, 2)``.
    """
    return _COORDINATES.sub(r"(\1, \2)", _POINT.sub("", text.strip(" .")))


class Parts(NamedTuple):
    """The parts of an answer."""

    shape: str
    """The brackets around them, such as ``()`` or ``[)``; "" for a bare list, ``{}`` for a set."""
    items: tuple[str, ...]
    alternatives: bool = False
    """Whether "or" stands between them."""


_ENUMERATED = re.compile(r"\n(?:\(?\d{1,2}[.)]|[-*])\s+(?=\S)")
"""What stands in front of the lines of a list."""


_OUTWARD = re.compile(r"([\[\]])([^\[\](){},;]+)([,;])([^\[\](){},;]+)([\[\]])")
"""An interval whose open ends are brackets that are turned round: ]0, 1]."""


def _inward(match: re.Match[str]) -> str:
    first, low, sign, high, last = match.groups()
    return f"{'(' if first == ']' else '['}{low}{sign}{high}{')' if last == '[' else ']'}"


def split_parts(text: str) -> Parts | None:
    """The parts of a list, a set, a tuple or an interval; None for a single answer."""
    text = _PLUS_OR_MINUS.sub(r"\\pm ", _MEMBER.sub("", plain(text).strip(" .;")))
    text = text.replace("\\{", "{").replace("\\}", "}")
    text = _ANGLES.sub(lambda inside: f"({inside.group(1) or inside.group(2)})", text)
    if not text or len(text) > LONGEST:
        return None
    text = _OUTWARD.sub(_inward, text)
    union = re.split(r"\\cup(?![a-zA-Z])", text)
    if len(union) > 1:
        return Parts("union", tuple(part.strip() for part in union))
    shape = ""
    if text[0] in _OPEN and text[-1] in _CLOSE and _closes_at_end(text):
        shape, inner = text[0] + text[-1], text[1:-1]
        items = _at_commas(inner, "," if "," in inner else ";")
        if len(items) < 2:
            return Parts("{}", tuple(items)) if shape == "{}" and items else None
        return Parts(shape, tuple(re.sub(r"^'(.*)'$|^\"(.*)\"$", r"\1\2", item) for item in items))
    bare = _ENUMERATED.sub("\n", "\n" + _shared_name(text)).strip()
    items = [item for comma in _at_commas(bare, ",;\n") for item in _WORD.split(comma)]
    items = [item.strip() for item in (re.sub(r"^(?:and|or)\s+", "", i.strip()) for i in items)]
    items = _signs([item for item in items if item])
    alternatives = re.search(r"\bor\b|或", bare) is not None
    return Parts("", tuple(items), alternatives) if 1 < len(items) <= MOST else None


def _shared_name(text: str) -> str:
    """``n = 1, 2, 3`` without its name."""
    match = re.match(r"^([a-zA-Z](?:_\{?\w+\}?)?)\s*=\s*(?=[^=]*$)", text)
    return text[match.end() :] if match else text


def _signs(items: Sequence[str]) -> list[str]:
    """Both values of every ``\\pm``."""
    out: list[str] = []
    for item in items:
        if item.count("\\pm") == 1:
            out += [item.replace("\\pm", "+").strip(" +"), item.replace("\\pm", "-")]
        else:
            out.append(item)
    return out


def _closes_at_end(text: str) -> bool:
    """Whether the first bracket is closed by the last."""
    depth = 0
    for index, sign in enumerate(text):
        depth += (sign in _OPEN) - (sign in _CLOSE)
        if depth == 0:
            return index == len(text) - 1
    return False


def _at_commas(text: str, signs: str = ",") -> list[str]:
    """``text`` cut at the commas outside brackets; in a bare list, not at those in thousands."""
    items, depth, start = [], 0, 0
    for index, sign in enumerate(text):
        depth += (sign in _OPEN) - (sign in _CLOSE)
        if sign in signs and depth == 0 and not _in_thousands(text, index, signs):
            items.append(text[start:index].strip())
            start = index + 1
    items.append(text[start:].strip())
    return items


def _in_thousands(text: str, index: int, signs: str) -> bool:
    """Whether a comma in a bare list groups digits: 1,234 but not 1, 234."""
    if signs == "," or text[index] != ",":
        return False
    grouped = re.match(r"\d,\d{3}(?!\d)", text[index - 1 : index + 5] if index else "")
    return grouped is not None and re.search(r"\d{4}$", text[:index]) is None


def same_parts(said: Parts, wanted: Parts, same: Same) -> bool:
    """Whether two answers have the same parts, in order where their brackets keep one.

    A bare list and a set are the same; the brackets of intervals and tuples must agree.
    """
    if len(said.items) != len(wanted.items):
        return False
    loose = ("", "{}", "union")
    if wanted.shape not in loose or said.shape not in loose:
        listed = wanted.shape == "[]" and said.shape == "" and not said.alternatives
        if said.shape != wanted.shape and not listed:
            return False
        if listed and not any(re.search(r"\d", item) for item in wanted.items):
            return same_parts(said, wanted._replace(shape=""), same)
        return all(same(a, b) is True for a, b in zip(said.items, wanted.items, strict=True))
    left = list(wanted.items)
    for item in said.items:
        match = next((other for other in left if same(item, other) is True), None)
        if match is None:
            return False
        left.remove(match)
    return True


_BETWEEN = re.compile(r"^([^<>=≤≥]+)([<≤])([a-zA-Z])([<≤])([^<>=≤≥]+)$")
_ONE_SIDED = re.compile(r"^([a-zA-Z]?)([<>≤≥])([^<>=≤≥]+)$")


_TURNED_ROUND = re.compile(r"^([^<>=≤≥]+)([<>≤≥])([a-zA-Z])$")
_BUILDER = re.compile(r"^\\?\{\s*([a-zA-Z])\s*(?:\\mid(?![a-zA-Z])|\||:)(.*?)\\?\}$")
_CHINESE_SIGNS = (
    ("大于或等于", "≥"), ("大于等于", "≥"), ("不小于", "≥"), ("小于或等于", "≤"),
    ("小于等于", "≤"), ("不大于", "≤"), ("大于", ">"), ("小于", "<"),
)  # fmt: skip
_THAN = r"(?:is\s+)?(?:{})\s+than"
_SIGNS_IN_WORDS = tuple(
    (re.compile(pattern, re.IGNORECASE), sign)
    for pattern, sign in (
        (_THAN.format("greater|more|larger|bigger|higher") + r"\s+or\s+equal\s+to", "≥"),
        (_THAN.format("less|smaller|fewer|lower") + r"\s+or\s+equal\s+to", "≤"),
        (_THAN.format("greater|more|larger|bigger|higher"), ">"),
        (_THAN.format("less|smaller|fewer|lower"), "<"),
        (r"(?:is\s+)?at\s+least", "≥"),
        (r"(?:is\s+)?at\s+most", "≤"),
    )
)
_TURNED = str.maketrans("<>≤≥", "><≥≤")


def as_interval(text: str) -> str | None:
    """An inequality of one letter as an interval: ``1 \\le x < 2`` is ``[1,2)``; two with "or"
    between them as a union, two with "and" as what they have in common.
    """
    for spelled, sign in _CHINESE_SIGNS:
        text = text.replace(spelled, sign)
    for words, sign in _SIGNS_IN_WORDS:
        text = words.sub(sign, text)
    text = _BUILDER.sub(r"\2", text.strip())
    halves = re.split(r"\s+or\s+", text)
    if len(halves) == 2:
        ends = [as_interval(half) for half in halves]
        return f"{ends[0]} \\cup {ends[1]}" if all(ends) else None
    halves = re.split(r"\s+and\s+", text)
    if len(halves) == 2:
        letters = [set(re.findall(r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])", half)) for half in halves]
        return _in_common(*map(as_interval, halves)) if letters[0] == letters[1] else None
    text = re.sub(r"\\le(?![a-zA-Z])", "≤", re.sub(r"\\ge(?![a-zA-Z])", "≥", text))
    squeezed = re.sub(r"\s+", "", text)
    if squeezed.count(">") + squeezed.count("≥") == 2:  # 1 > x > 0
        parts = re.split(r"([>≥])", squeezed)[::-1]
        squeezed = "".join(parts).translate(_TURNED)
    both = _BETWEEN.match(squeezed)
    if both:
        low, first, _, last, high = both.groups()
        return f"{'(' if first == '<' else '['}{low},{high}{')' if last == '<' else ']'}"
    turned = _TURNED_ROUND.match(squeezed)
    if turned:  # 5 < x
        end, sign, letter = turned.groups()
        squeezed = letter + sign.translate(_TURNED) + end
    one = _ONE_SIDED.match(squeezed)
    if one is None:
        return None
    _, sign, end = one.groups()
    if sign in ">≥":
        return f"{'(' if sign == '>' else '['}{end},\\infty)"
    return f"(-\\infty,{end}{')' if sign == '<' else ']'}"


_FROM = re.compile(r"([(\[][^,]+),\\infty\)")
_UP_TO = re.compile(r"\(-\\infty,([^,]+[)\]])")
_EMPTY = "\\emptyset"


def _in_common(first: str | None, second: str | None) -> str | None:
    """What two intervals without an end have in common; None of any others."""
    ends = [
        match
        for pattern in (_FROM, _UP_TO)
        for one in (first, second)
        if (match := pattern.fullmatch(one or ""))
    ]
    if len(ends) != 2 or ends[0].re is ends[1].re:
        return None
    low, high = ends[0].group(1), ends[1].group(1)
    bounds = parse_number(low[1:]), parse_number(high[:-1])
    empty = all(bounds) and bounds[0].value >= bounds[1].value  # type: ignore[union-attr]
    return _EMPTY if empty else f"{low},{high}"


_MATRIX = re.compile(
    r"(?:[A-Z](?:\^\{?(?:-1|T)\}?)?\s*=\s*)?[\[(]?\s*\\begin\{(?P<name>[a-z]*matrix|array)\}"
    r"(?:\s*\{[lcr|\s]*\})?(?P<cells>.*)\\end\{(?P=name)\}\s*[\])]?",
    re.DOTALL,
)
"""A matrix, perhaps with its name in front and brackets around it."""


def matrix(text: str) -> tuple[tuple[str, ...], ...] | None:
    """The cells of a LaTeX matrix (in `spelling.plain` or raw) or of ``[[1, 2], [3, 4]]``, None if
    ``text`` is neither.
    """
    match = _MATRIX.fullmatch(text.strip().strip("$").strip())
    if len(text) > LONGEST:
        return None
    if match is None:
        return _nested(text.strip())
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", match.group("cells")) if row.strip()]
    return tuple(tuple(cell.strip() for cell in row.split("&")) for row in rows)


def _nested(text: str) -> tuple[tuple[str, ...], ...] | None:
    """The cells of brackets in brackets, in rows of one length."""
    if not (text.startswith("[") and text.endswith("]") and _closes_at_end(text)):
        return None
    rows = [row[1:-1] for row in _at_commas(text[1:-1]) if row[:1] == "[" and _closes_at_end(row)]
    cells = tuple(tuple(_at_commas(row)) for row in rows)
    whole = len(rows) == len(_at_commas(text[1:-1])) and len({len(row) for row in cells}) == 1
    return cells if whole else None


def vector(cells: tuple[tuple[str, ...], ...]) -> Parts | None:
    """A matrix of one row or one column as a tuple."""
    if len(cells) > 1 and any(len(row) > 1 for row in cells):
        return None
    return Parts("()", tuple(cell for row in cells for cell in row))
