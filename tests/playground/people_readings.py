"""A reader of statements that knows nothing of their makers: expressions, and what they count."""

import re
from collections.abc import Callable
from itertools import pairwise

from noisygrpo.playground.scene import Item

Boxes = list[list[Item]]
Match = re.Match[str]
_NAMES = ("no", "one", "two", "three", "four", "five", "six", "seven")
_WORDS = {word: n for n, word in enumerate(_NAMES)}

_N = "(?:no|one|two|three|four|five|six|seven|\\d)"
_THERE = (
    f"(?:there (?:is|are) )?(?P<q>(?:(?:exactly|only|at least|at most|more than) )?(?:an?|{_N}))"
)
_C = "(?P<c>black|blue|yellow)"
_D = "(?P<d>black|blue|yellow)"
_KIND = "(?:(?P<c>black|blue|yellow) )?(?P<s>circle|triangle|square|item|object|thing)s?"
_TOUCH = "(?:closely )?touching"
_BLOCK = "(?:block|item|square|object)s?"
_TOWER = "(?:tower|stack)s?"
_WITH = "(?:with|that has|which has|that have|which have|having|that contains?|containing)"
_EDGE = "(?:the|an?|any) (?:edge|wall|side)"
_END = "(?P<end>top|base)"
_SIDE = (
    "(?:the )?(?P<side>base|bottom|top|left|right|upper)"
    "(?: wall| side| edge)?(?: of (?:a|the) box)?"
)
_CORNER = "(?:a|the|any) (?:box )?corner(?: of a box)?"
_ANY = "left top right bottom"


def number(word: str) -> int:
    """``two`` and ``2`` are 2."""
    return _WORDS[word] if word in _WORDS else int(word)


def holds(words: str, count: int) -> bool:
    """What a quantity in words says of a count."""
    *how, last = words.split()
    if last in ("a", "an"):
        return count >= 1
    n = number(last)
    if how == ["at", "least"]:
        return count >= n
    if how == ["more", "than"]:
        return count > n
    return count <= n if how == ["at", "most"] else count == n


def _kind(m: Match, item: Item) -> bool:
    return m["c"] in (None, item.colour) and m["s"] in ("item", "object", "thing", item.shape)


def _at(item: Item, names: str) -> bool:
    gap = {"left": item.x, "top": item.y}
    gap |= {"right": 100 - item.side - item.x, "bottom": 100 - item.side - item.y}
    return any(gap[name] <= 1 for name in names.split())


def _side(m: Match) -> str:
    return {"base": "bottom", "upper": "top"}.get(m["side"], m["side"])


def _end(m: Match, tower: list[Item]) -> bool:
    return tower[-1 if m["end"] == "top" else 0].colour == m["c"]


def _colours(items: list[Item]) -> set[str]:
    return {item.colour for item in items}


def _pairs(m: Match, tower: list[Item], lower: str, upper: str) -> int:
    return sum(a.colour == m[lower] and b.colour == m[upper] for a, b in pairwise(tower))


def _in_corner(item: Item) -> bool:
    return _at(item, "left right") and _at(item, "top bottom")


def _items(boxes: Boxes) -> list[Item]:
    return [item for box in boxes for item in box]


# An expression with a quantity gives a count; one without, whether it is so. Towers are listed
# from the base.
Reading = tuple[str, Callable[[Match, Boxes], int]]
BOTH: tuple[Reading, ...] = (
    (
        f"{_THERE} box(?:es)? {_WITH} only {_C} and {_D} (?:items|objects)",
        lambda m, b: sum(_colours(box) == {m["c"], m["d"]} for box in b),
    ),
    (
        f"{_THERE} box(?:es)? {_WITH} (?:items|objects) of only {_C} color",
        lambda m, b: sum(_colours(box) == {m["c"]} for box in b),
    ),
    (
        f"there is a box with (?P<n>{_N}) (?:items|objects) of (?:only )?{_C} and {_D} colou?r",
        lambda m, b: any(len(x) == number(m["n"]) and _colours(x) == {m["c"], m["d"]} for x in b),
    ),
)
SCATTERED: tuple[Reading, ...] = (
    *BOTH,
    (
        f"{_THERE} {_KIND} {_TOUCH} {_SIDE}",
        lambda m, b: sum(_kind(m, i) and _at(i, _side(m)) for i in _items(b)),
    ),
    (
        f"{_THERE} {_KIND} (?:(?:that|which) is )?{_TOUCH} {_CORNER}"
        "(?: that (?:is|are) not (?P<not>\\w+))?",
        lambda m, b: sum(_kind(m, i) and i.colour != m["not"] and _in_corner(i) for i in _items(b)),
    ),
    (
        f"none of the {_KIND} (?:is|are) {_TOUCH} {_EDGE}",
        lambda m, b: not any(_kind(m, i) and _at(i, _ANY) for i in _items(b)),
    ),
    (
        f"(?:all (?:the )?)?{_KIND} are {_TOUCH} {_EDGE}",
        lambda m, b: all(_at(i, _ANY) for i in _items(b) if _kind(m, i)),
    ),
    (
        f"all (?:the )?{_KIND} are in the same box",
        lambda m, b: sum(any(_kind(m, i) for i in box) for box in b) == 1,
    ),
    (
        "all 3 (?:different )?colors are touching .*",
        lambda m, b: len(_colours([i for i in _items(b) if _at(i, _ANY)])) == 3,
    ),
    (
        f"{_THERE} (?:grey )?(?:box|square)(?:es|s)? {_WITH} exactly (?P<n>{_N}) {_KIND}",
        lambda m, b: sum(sum(_kind(m, i) for i in box) == number(m["n"]) for box in b),
    ),
    (
        "there is a box with (?:items|objects) of (?:2|two) different colou?rs",
        lambda m, b: any(len(_colours(box)) == 2 for box in b),
    ),
    (
        f"one of the grey (?:box|boxes|square) (?:contains|has) exactly (?P<n>{_N}) "
        "(?:item|object)s? one of which is an? (?P<s>\\w+)",
        lambda m, b: any(len(x) == number(m["n"]) and any(i.shape == m["s"] for i in x) for x in b),
    ),
)
STACKED: tuple[Reading, ...] = (
    *BOTH,
    (
        f"{_THERE} {_C} blocks? (?:as|at|on) the {_END} of (?:towers|a tower|a stack)",
        lambda m, b: sum(_end(m, tower) for tower in b),
    ),
    (
        f"{_THERE} {_C} blocks? (?:as|at|on) the {_END} of (?:a|the) (?:tower|stack) "
        f"with at least (?P<n>{_N}) blocks?",
        lambda m, b: sum(_end(m, tower) and len(tower) >= number(m["n"]) for tower in b),
    ),
    (
        f"{_THERE} {_TOWER} {_WITH} an? {_C} {_BLOCK} "
        f"(?:on|over|above|on top of|right on top of) an? {_D} {_BLOCK}",
        lambda m, b: sum(_pairs(m, tower, "d", "c") > 0 for tower in b),
    ),
    (
        f"{_THERE} {_C} {_BLOCK} below an? {_D} {_BLOCK}",
        lambda m, b: sum(_pairs(m, tower, "c", "d") for tower in b),
    ),
    (
        f"{_THERE} {_TOWER} {_WITH} (?P<n>{_N}) {_C} blocks stacked together",
        lambda m, b: sum(
            m["c"] * number(m["n"]) in "".join(i.colour for i in tower) for tower in b
        ),
    ),
    (
        f"{_THERE} {_TOWER} (?:where|that) the second block(?: from the (?:base|bottom))? is {_C}",
        lambda m, b: sum(len(tower) > 1 and tower[1].colour == m["c"] for tower in b),
    ),
    (f"{_THERE} {_C} towers?", lambda m, b: sum(_colours(tower) == {m["c"]} for tower in b)),
    (
        f"{_THERE} box(?:es)? with an? {_C} (?:item|block|square) on top",
        lambda m, b: sum(tower[-1].colour == m["c"] for tower in b),
    ),
    (
        f"{_THERE} {_C} {_BLOCK} touching the (?:wall|side|edge|bottom)",
        lambda m, b: sum(tower[0].colour == m["c"] for tower in b),
    ),
    (
        f"the tower with (?P<n>{_N}) blocks? has an? {_C} block at the {_END}",
        lambda m, b: any(len(tower) == number(m["n"]) and _end(m, tower) for tower in b),
    ),
    (
        "(?:all (?:the )?(?:3 |three )?towers|each tower|every tower) (?:has|have) an? "
        f"{_C} (?:block at the )?{_END}",
        lambda m, b: all(_end(m, tower) for tower in b),
    ),
    (
        f"{_THERE} towers {_WITH} (?:the )?same height",
        lambda m, b: max(sum(len(x) == len(y) for y in b) for x in b),
    ),
    (
        f"there are two towers {_WITH} (?P<n>{_N}) and (?P<m>{_N}) blocks(?: each)?",
        lambda m, b: {number(m["n"]), number(m["m"])} <= {len(tower) for tower in b},
    ),
)


def read(pattern: Reading, statement: str, boxes: Boxes) -> bool | None:
    """Whether the statement is so; ``None`` where the pattern does not read it."""
    expression, value = pattern
    m = re.fullmatch(expression, statement.lower().rstrip(".").replace("atleast", "at least"))
    if m is None:
        return None
    found = value(m, boxes)
    return holds(m["q"], found) if "q" in m.groupdict() else bool(found)
