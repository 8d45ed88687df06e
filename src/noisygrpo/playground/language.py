"""Wording: how the playground's questions name things, and how its reference reasoning does.

The *wording* of a question is drawn at random among synonyms, in the varied manner of people; the
*canonical* name of the same thing, used in the reference reasoning, is always the same, so the
reasoning also says how a question was understood.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from noisygrpo.playground.scene import Item

NUMBER_WORDS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
)
EDGE_WORDS = ("the edge", "an edge", "the wall", "a wall", "the side", "any edge")
GENERIC = ("item", "object", "thing")


@dataclass(frozen=True)
class Task:
    """A question about one scene, its reference reasoning (steps) and its answer: plain text."""

    kind: str
    question: str
    reasoning: str
    answer: str


def choose(rng: np.random.Generator, options: Sequence[str]) -> str:
    """One of ``options``, each as likely; one draw."""
    return options[int(rng.integers(len(options)))]


def number(rng: np.random.Generator, n: int) -> str:
    """A number as a digit or as a word."""
    return str(n) if rng.random() < 0.5 or n >= len(NUMBER_WORDS) else NUMBER_WORDS[n]


def plural(noun: str, n: int) -> str:
    """The noun for ``n`` things."""
    return noun if n == 1 else noun + ("es" if noun.endswith("x") else "s")


def article(phrase: str) -> str:
    """The phrase with the indefinite article that its first letter asks for."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def finish(rng: np.random.Generator, statement: str) -> str:
    """Capital and full stop as careless writers leave them: sometimes missing."""
    if rng.random() < 0.7:
        statement = statement[0].upper() + statement[1:]
    return statement + ("." if rng.random() < 0.6 else "")


def steps(*texts: str) -> str:
    """``Step 1: ... Step 2: ...``, the form of the reference reasoning that hints cut at."""
    return " ".join(f"Step {i}: {text}." for i, text in enumerate(texts, start=1))


def yes_no(flag: bool) -> str:
    """``yes`` or ``no``, the words of the reasoning."""
    return "yes" if flag else "no"


def truth(flag: bool) -> str:
    """``true`` or ``false``, the answer to a statement."""
    return "true" if flag else "false"


@dataclass(frozen=True)
class Filter:
    """What a shape must be to count; ``None`` leaves a property open.

    ``edge`` asks for shapes that touch a side of the box (or, ``False``, do not); ``beside`` is a
    filter that a touching shape must meet.
    """

    colour: str | None = None
    shape: str | None = None
    size: str | None = None
    edge: bool | None = None
    beside: "Filter | None" = None

    def holds(self, item: Item, box: Sequence[Item]) -> bool:
        """Whether ``item``, one of the shapes of ``box``, has every property that is asked."""
        return (
            (self.colour is None or item.colour == self.colour)
            and (self.shape is None or item.shape == self.shape)
            and (self.size is None or item.size == self.size)
            and (self.edge is None or item.at_edge() == self.edge)
            and (
                self.beside is None
                or any(item.touches(other) and self.beside.holds(other, box) for other in box)
            )
        )

    def count(self, box: Sequence[Item]) -> int:
        """How many shapes of a box hold."""
        return sum(self.holds(item, box) for item in box)

    def canonical(self) -> str:
        """The one name of the filter in the reasoning."""
        words = [word for word in (self.size, self.colour) if word]
        words.append(plural(self.shape or "item", 2))
        if self.edge is not None:
            words.append("at the edge" if self.edge else "off the edge")
        if self.beside is not None:
            words.append("beside " + self.beside.canonical())
        return " ".join(words)

    def wording(self, rng: np.random.Generator, n: int = 1, be: str = "") -> str:
        """The filter in words for ``n`` things.

        ``be`` ('is' or 'are') makes the relation a clause of its own.
        """
        size = choose(rng, ("big", "large")) if self.size == "big" else self.size
        noun = self.shape or choose(rng, GENERIC)
        words = [word for word in (size, self.colour) if word] + [plural(noun, n)]
        touching = choose(rng, ("touching", "touching", "closely touching"))
        if self.edge is not None:
            relation = touching if self.edge else f"not {touching}"
            words += ([be] if be else []) + [relation, choose(rng, EDGE_WORDS)]
        if self.beside is not None:
            words += ([be] if be else []) + [touching, article(self.beside.wording(rng))]
        return " ".join(words)


def sample_filter(rng: np.random.Generator, relations: bool = True) -> Filter:
    """A filter with a colour or a shape; with ``relations`` at times also an edge or neighbour."""
    colours, shapes, sizes = (
        ("black", "blue", "yellow"),
        ("circle", "triangle", "square"),
        ("small", "medium", "big"),
    )
    has = rng.random()
    colour = choose(rng, colours) if has < 0.75 else None
    shape = choose(rng, shapes) if has > 0.35 else None
    size = choose(rng, sizes) if rng.random() < 0.12 else None
    edge, beside = None, None
    relation = rng.random() if relations else 1.0
    if relation < 0.22:
        edge = bool(rng.random() < 0.6)
    elif relation < 0.32:
        beside = Filter(
            colour=choose(rng, colours), shape=choose(rng, shapes) if rng.random() < 0.5 else None
        )
    return Filter(colour, shape, size, edge, beside)


@dataclass(frozen=True)
class Comparison:
    """``exactly n``, ``at least n``, ``at most n`` or ``no``."""

    name: str
    n: int

    def holds(self, value: int) -> bool:
        """Whether a count meets the comparison."""
        return {
            "exactly": value == self.n,
            "at least": value >= self.n,
            "at most": value <= self.n,
        }[self.name]

    def canonical(self) -> str:
        """The one name of the comparison in the reasoning."""
        return f"{self.name} {self.n}"

    def wording(self, rng: np.random.Generator) -> str:
        """The comparison in words; ``no`` where nothing may be there."""
        if self.n == 0:
            return "no"
        n = number(rng, self.n)
        options = {
            "exactly": (f"exactly {n}", f"only {n}", n),
            "at least": (f"at least {n}", f"at least {n}", f"atleast {n}"),
            "at most": (f"at most {n}",),
        }
        return choose(rng, options[self.name])


def sample_comparison(rng: np.random.Generator, largest: int) -> Comparison:
    """A comparison with 1 to ``largest``, or, rarely, with nothing at all."""
    u = rng.random()
    if u < 0.08:
        return Comparison("exactly", 0)
    name = "exactly" if u < 0.55 else "at least" if u < 0.93 else "at most"
    return Comparison(name, int(rng.integers(1, largest + 1)))
