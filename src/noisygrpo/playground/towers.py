"""Properties of a tower: its height, what stands at an end or on what, and its colours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from noisygrpo.playground.language import (
    Comparison,
    article,
    choose,
    plural,
    sample_comparison,
    yes_no,
)
from noisygrpo.playground.scene import Item

BLOCK_COLOURS = ("black", "blue", "yellow")
BASE = ("base", "bottom")
_TOP = ("top",)


@dataclass(frozen=True)
class Property:
    """What a tower can be: ``wording`` follows 'a tower', ``canonical`` names it in reasoning.

    ``seen`` says of a stack what the property depends on (its height, the colour at an end), and
    ``test`` whether it holds.
    """

    wording: str
    canonical: str
    seen: Callable[[Sequence[Item]], str]
    test: Callable[[Sequence[Item]], bool]

    def verdict(self, stack: Sequence[Item]) -> str:
        """``blue yes``: what is seen, then whether the property holds."""
        return f"{self.seen(stack)} {yes_no(self.test(stack))}".strip()


def count_colour(stack: Sequence[Item], colour: str) -> int:
    """How many blocks of a stack have a colour."""
    return sum(block.colour == colour for block in stack)


def _height(rng: np.random.Generator) -> Property:
    comparison = sample_comparison(rng, 4)
    if comparison.n == 0:
        comparison = Comparison("exactly", 1)
    noun = plural(choose(rng, ("block", "block", "item", "square")), comparison.n)
    lead = choose(rng, ("with", "with", "which has", "having"))
    wording = f"{lead} {comparison.wording(rng)} {noun}"
    return Property(
        wording,
        f"{comparison.canonical()} high",
        lambda stack: str(len(stack)),
        lambda stack: comparison.holds(len(stack)),
    )


def _end(rng: np.random.Generator) -> Property:
    colour, at_top = choose(rng, BLOCK_COLOURS), bool(rng.random() < 0.5)
    end = choose(rng, _TOP if at_top else BASE)
    noun = choose(rng, ("block", "block", "item"))
    phrase = choose(rng, (f"at the {end}", f"at the {end}", f"as the {end}", f"on the {end}"))
    lead = choose(rng, ("with a", "with a", "having a", "that has a"))
    wording = (
        f"{lead} {colour} {noun} {phrase}" if rng.random() < 0.85 else f"{lead} {colour} {end}"
    )
    position = -1 if at_top else 0
    return Property(
        wording,
        f"{colour} {'top' if at_top else 'base'}",
        lambda stack: stack[position].colour,
        lambda stack: stack[position].colour == colour,
    )


def over(rng: np.random.Generator) -> Property:
    """A block of one colour right on a block of another, or of the same."""
    upper, lower = choose(rng, BLOCK_COLOURS), choose(rng, BLOCK_COLOURS)
    relation = choose(rng, ("over", "above", "on top of"))
    wording = f"with {article(upper + ' block')} {relation} {article(lower + ' block')}"

    def holds(stack: Sequence[Item]) -> bool:
        return any(a.colour == lower and b.colour == upper for a, b in pairwise(stack))

    return Property(wording, f"{upper} on {lower}", lambda stack: "", holds)


def _contains(rng: np.random.Generator) -> Property:
    count = int(rng.integers(1, 4))
    colours = [str(c) for c in rng.permutation(BLOCK_COLOURS)[:count]]
    phrases = [article(colour + " block") for colour in colours]
    wording = "with " + (
        phrases[0] if count == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]
    )
    return Property(
        wording,
        "with " + " and ".join(colours),
        lambda stack: " ".join(str(count_colour(stack, colour)) for colour in colours),
        lambda stack: set(colours) <= {block.colour for block in stack},
    )


def _only(rng: np.random.Generator) -> Property:
    colour = choose(rng, BLOCK_COLOURS)
    wording = choose(
        rng,
        (f"with only {colour} blocks", f"of only {colour} blocks", f"with {colour} blocks only"),
    )
    return Property(
        wording,
        f"only {colour}",
        lambda stack: str(len(stack) - count_colour(stack, colour)),
        lambda stack: count_colour(stack, colour) == len(stack),
    )


def _exactly_coloured(rng: np.random.Generator) -> Property:
    comparison, colour = sample_comparison(rng, 2), choose(rng, BLOCK_COLOURS)
    noun = plural("block", comparison.n)
    wording = f"with {comparison.wording(rng)} {colour} {noun}"
    canonical = f"{comparison.canonical()} {colour}"
    return Property(
        wording,
        canonical,
        lambda stack: str(count_colour(stack, colour)),
        lambda stack: comparison.holds(count_colour(stack, colour)),
    )


_PROPERTIES = (_height, _end, _end, over, _contains, _only, _exactly_coloured)


def sample_property(rng: np.random.Generator) -> Property:
    """One property, or at times two of them: a height and the colour of an end."""
    first = _PROPERTIES[int(rng.integers(len(_PROPERTIES)))](rng)
    if rng.random() > 0.2:
        return first
    height, end = _height(rng), _end(rng)  # 'with exactly two blocks with a black block at the top'
    return Property(
        f"{height.wording} {end.wording}",
        f"{height.canonical} and {end.canonical}",
        lambda stack: f"{height.seen(stack)} {end.seen(stack)}",
        lambda stack: height.test(stack) and end.test(stack),
    )
