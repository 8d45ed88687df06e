"""How people put it: quantities, where a thing stands in its box, and slips of the pen.

What an expression means follows the labels of the Cornell NLVR corpus (Suhr et al., ACL 2017;
development part), where it was tried on the descriptions of the scenes: a bare number, ``one`` too,
means *exactly* so many things, boxes or towers; ``a`` means at least one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from noisygrpo.playground.language import (
    Comparison,
    Filter,
    Task,
    article,
    choose,
    finish,
    number,
    steps,
    truth,
)
from noisygrpo.playground.looking import in_order, place
from noisygrpo.playground.scene import BOX, BOXES, COLOURS, SHAPES, Item, Scene

TOUCHING = ("touching", "touching", "closely touching")
WALL = ("the edge", "an edge", "any edge", "the wall", "a wall", "the side", "a side")
WITH = ("with", "with", "with", "that has", "which has", "having", "that contains", "containing")
HAVE = ("with", "with", "with", "that have", "which have", "which has", "having", "that contain")
BOX_NOUNS = ("box", "box", "box", "grey box", "grey square")
_SLIPS = 0.05  # of the statements; about one in twenty of the corpus has one
_WORDS = {"black", "block", "blocks", "blue", "base", "box", "boxes", "edge", "that", "than"}


@dataclass(frozen=True)
class Quantity:
    """How many: what is asked (``comparison``), in words, and the number the noun agrees with."""

    comparison: Comparison
    words: str | None
    agrees: int

    def of(self, phrase: Callable[[int], str]) -> str:
        """``exactly two black circles``; ``phrase`` names the things for a number."""
        things = phrase(self.agrees)
        return article(things) if self.words is None else f"{self.words} {things}"

    def there(self, phrase: Callable[[int], str]) -> str:
        """``there are exactly two black circles``."""
        return f"there {'is' if self.agrees == 1 else 'are'} {self.of(phrase)}"


def exactly(rng: np.random.Generator, n: int) -> Quantity:
    """Exactly ``n``, in one of its wordings."""
    words = choose(rng, ("exactly {}", "exactly {}", "only {}", "{}", "{}"))
    return Quantity(Comparison("exactly", n), words.format(number(rng, n)), n)


def quantity(rng: np.random.Generator, count: int, largest: int = 3) -> Quantity:
    """Some, none, or a number near ``count``, what the scene holds; at most ``largest``."""
    u = rng.random()
    if u < 0.25:
        words = choose(rng, ("", "", "", "at least one", "at least 1", "at least a"))
        return Quantity(Comparison("at least", 1), words or None, 1)
    if u < 0.32:
        return Quantity(Comparison("exactly", 0), "no", int(rng.integers(1, 3)))
    near = count + int(rng.integers(-1, 2)) if rng.random() < 0.5 else count
    n = int(np.clip(near, 1, largest)) if rng.random() < 0.7 else int(rng.integers(1, largest + 1))
    if u < 0.72:
        return exactly(rng, n)
    if u < 0.9 or n < 2:
        return Quantity(Comparison("at least", n), f"at least {number(rng, n)}", n)
    if u < 0.96:
        return Quantity(Comparison("at least", n), f"more than {number(rng, n - 1)}", n)
    return Quantity(Comparison("at most", n), f"at most {number(rng, n)}", n)


def drawn_kind(rng: np.random.Generator, scene: Scene, shape: float = 0.65) -> Filter:
    """A colour, a shape or both: of one of the scene's items in two cases of three."""
    colour, form = choose(rng, tuple(COLOURS)), choose(rng, SHAPES)
    items = [item for box in scene.boxes for item in box]
    if items and rng.random() < 0.67:
        item = items[int(rng.integers(len(items)))]
        colour, form = item.colour, item.shape
    shaped = bool(rng.random() < shape)
    coloured = bool(rng.random() < 0.75) or not shaped
    return Filter(colour if coloured else None, form if shaped else None)


def two_colours(rng: np.random.Generator) -> tuple[str, str]:
    """Two colours, in any order."""
    first, second = rng.permutation(list(COLOURS))[:2]
    return str(first), str(second)


def sides(item: Item) -> list[str]:
    """The sides of its box that a shape touches, within one pixel as in ``Item.at_edge``."""
    far = BOX - item.side - 1
    touched = {
        "left": item.x <= 1,
        "right": item.x >= far,
        "top": item.y <= 1,
        "bottom": item.y >= far,
    }
    return [side for side, touches in touched.items() if touches]


def in_corner(item: Item) -> bool:
    """Whether a shape touches two sides."""
    return len(sides(item)) == 2


def nearly_touches(item: Item) -> bool:
    """Whether the next side is two to five pixels away."""
    gap = min(item.x, item.y, BOX - item.side - item.x, BOX - item.side - item.y)
    return 2 <= gap <= 5


def look_at(
    scene: Scene, verdicts: Sequence[object], mark: Callable[[Item], str], sized: bool = False
) -> list[str]:
    """As ``looking.look``, with what ``mark`` says of an item's place behind its name.

    ``left a5 black circle bottom and c2 yellow square gives 1``.
    """
    lines = []
    for box, (name, verdict) in enumerate(zip(BOXES, verdicts, strict=True)):
        items = [
            " ".join(filter(None, (place(item, box), item.size * sized, item.name, mark(item))))
            for item in in_order(scene.boxes[box], box)
        ]
        lines.append(f"{name} {' and '.join(items)} gives {verdict}")
    return lines


def slip(rng: np.random.Generator, statement: str) -> str:
    """Now and then one slip of the pen that leaves the sense alone."""
    if rng.random() >= _SLIPS:
        return statement
    words = statement.split(" ")
    if rng.random() < 0.3:
        if "at least" in statement:
            return statement.replace("at least", "atleast")
        return statement[1:] if words[0] in ("all", "there", "one") else statement
    long = [i for i, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if not long:
        return statement
    i = long[int(rng.integers(len(long)))]
    word, at = words[i], int(rng.integers(1, len(words[i]) - 2))
    changed = choose(
        rng,
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        ),
    )
    return " ".join([*words[:i], word if changed in _WORDS else changed, *words[i + 1 :]])


def said(rng: np.random.Generator, statement: str) -> str:
    """A statement as somebody leaves it: with a slip at times, its capital or stop missing."""
    if statement.startswith(("there is ", "there are ")) and rng.random() < 0.03:
        statement = statement.split(" ", 2)[2]  # the noun phrase alone
    return finish(rng, slip(rng, statement))


def count_task(
    rng: np.random.Generator,
    kind: str,
    statement: str,
    canonical: str,
    looked: Sequence[str],
    total: int,
    asked: Comparison,
) -> Task:
    """The task of comparing a count with what is asked; ``looked`` are the steps per box."""
    reasoning = steps(f"count {canonical}", *looked, f"{total} in all, asked {asked.canonical()}")
    return Task(kind, said(rng, statement), reasoning, truth(asked.holds(total)))
