"""Statements about towers after the manner of people: one colour, several, shared, all of them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from noisygrpo.playground.language import (
    NUMBER_WORDS,
    Comparison,
    Task,
    article,
    choose,
    number,
    plural,
    steps,
    truth,
    yes_no,
)
from noisygrpo.playground.looking import look
from noisygrpo.playground.people_towers import Stack, end_of, height_of, of_towers, towers_of
from noisygrpo.playground.people_words import (
    HAVE,
    WITH,
    Quantity,
    exactly,
    quantity,
    said,
    two_colours,
)
from noisygrpo.playground.scene import Scene
from noisygrpo.playground.towers import BLOCK_COLOURS, Property, count_colour


def colours_of(stack: Stack) -> str:
    """The colours of a tower, each once, in the fixed order."""
    return " ".join(colour for colour in BLOCK_COLOURS if count_colour(stack, colour))


def coloured_tower(scene: Scene, rng: np.random.Generator) -> Task:
    """Towers all of whose blocks have a named colour, of a given height at times."""
    _, _, colour = end_of(scene, rng)
    n, tail = height_of(scene, rng), ""
    if rng.random() < 0.4:
        only = choose(rng, ("only ", "exactly ", ""))
        tail = f" with {only}{number(rng, n)} {plural('block', n)}"
    wanted = Property(
        "",
        f"only {colour}" + (f" and exactly {n} high" if tail else ""),
        lambda stack: f"{colours_of(stack)} {len(stack)}" if tail else colours_of(stack),
        lambda stack: colours_of(stack) == colour and (not tail or len(stack) == n),
    )

    def statement(asked: Quantity) -> str:
        return asked.there(lambda k: f"{colour} {plural('tower', k)}{tail}")

    asked = quantity(rng, sum(map(wanted.test, towers_of(scene))), 2)
    return of_towers(scene, rng, wanted, asked, statement)


def one_colour(scene: Scene, rng: np.random.Generator) -> Task:
    """Towers of a height, or of more than one block, in one colour, whichever."""
    exact = bool(rng.random() < 0.6)
    n = max(2, height_of(scene, rng)) if exact else 2
    height = Comparison("exactly" if exact else "at least", n)
    wanted = Property(
        choose(rng, ("that has only one color", "of only one color", "of the same color"))
        if exact
        else "with more than one block where all the blocks are of "
        + choose(rng, ("same color", "the same color", "one color")),
        f"{height.canonical()} high of 1 colour",
        lambda stack: f"{len(stack)} {colours_of(stack)}",
        lambda stack: height.holds(len(stack)) and len(colours_of(stack).split()) == 1,
    )
    high = f"{NUMBER_WORDS[n]} {choose(rng, ('block', 'blocks'))} " if exact else ""

    def statement(asked: Quantity) -> str:
        return asked.there(lambda k: f"{high}{plural('tower', k)} {wanted.wording}")

    asked = quantity(rng, sum(map(wanted.test, towers_of(scene))), 2)
    return of_towers(scene, rng, wanted, asked, statement)


def mixed(scene: Scene, rng: np.random.Generator) -> Task:
    """Towers with blocks of all colours, of two alone, or with so many of each of two."""
    first, other = two_colours(rng)
    form = rng.random()
    if form < 0.3:
        words = ("blocks of all 3 colours", "blocks of all three colors", "all 3 colors")
        wanted = Property(
            f"{choose(rng, HAVE)} {choose(rng, words)}",
            "of 3 colours",
            colours_of,
            lambda stack: len(colours_of(stack).split()) == 3,
        )
    elif form < 0.6:
        only = choose(rng, (f"only {first} and {other} blocks", f"{first} and {other} blocks only"))
        wanted = Property(
            f"{choose(rng, HAVE)} {only}",
            f"only {first} and {other}",
            colours_of,
            lambda stack: set(colours_of(stack).split()) == {first, other},
        )
    else:
        n, m = ((1, 1), (1, 2), (2, 1))[int(rng.integers(3))]
        one, two = (
            article(f"{colour} block") if k == 1 else f"{number(rng, k)} {colour} blocks"
            for k, colour in ((n, first), (m, other))
        )
        wanted = Property(
            f"{choose(rng, WITH)} {one} and {two}",
            f"with at least {n} {first} and at least {m} {other}",
            lambda stack: f"{count_colour(stack, first)} {count_colour(stack, other)}",
            lambda stack: count_colour(stack, first) >= n and count_colour(stack, other) >= m,
        )
    return of_towers(scene, rng, wanted)


def same(scene: Scene, rng: np.random.Generator) -> Task | None:
    """How many of three towers share their height, or the colour of an end."""
    towers = towers_of(scene)
    if len(towers) != 3:
        return None
    name, place, _ = end_of(scene, rng)
    by_height = bool(rng.random() < 0.4)
    seen = [str(len(stack)) if by_height else stack[place].colour for stack in towers]
    asked = exactly(rng, int(rng.choice((2, 2, 3))))
    if rng.random() < 0.35:
        asked = Quantity(Comparison("at least", 2), f"at least {number(rng, 2)}", 2)
    shared = "height" if by_height else f"{name} {choose(rng, ('color', 'colour'))}"
    tail = f"{choose(rng, HAVE)} {choose(rng, ('the same', 'the same', 'same'))} {shared}"
    spoken = asked.there(lambda n: f"{plural('tower', n)} {tail}")
    most = max(Counter(seen).values())
    holds = asked.comparison.holds(most)
    what = "height" if by_height else name
    last = f"{most} alike, asked {asked.comparison.canonical()}"
    return _compared(scene, rng, spoken, f"compare towers by {what}", seen, last, holds)


def two_heights(scene: Scene, rng: np.random.Generator) -> Task | None:
    """Towers of two named heights, or two of different height with one colour at an end."""
    towers = towers_of(scene)
    if len(towers) != 3:
        return None
    name, place, colour = end_of(scene, rng)
    if rng.random() < 0.5:
        alike = {len(stack) for stack in towers if stack[place].colour == colour}
        seen = [f"{len(stack)} {stack[place].colour}" for stack in towers]
        spoken = f"there are two towers with different height and the {name} is {colour}"
        what, holds = f"{colour} {name} and height", len(alike) > 1
        last = f"different {yes_no(holds)}"
        return _compared(scene, rng, spoken, f"compare towers by {what}", seen, last, holds)
    heights = {len(stack) for stack in towers}
    pool = sorted(heights) if len(heights) > 1 and rng.random() < 0.6 else [1, 2, 3, 4]
    a, b = sorted(int(n) for n in rng.permutation(pool)[:2])
    spoken = (
        f"there are two towers {choose(rng, HAVE)} {number(rng, a)} and {number(rng, b)} blocks"
    )
    spoken += choose(rng, (" each", ""))
    found, holds = [str(len(stack)) for stack in towers], {a, b} <= heights
    return _compared(
        scene, rng, spoken, "compare towers by height", found, f"asked {a} and {b}", holds
    )


def _compared(
    scene: Scene,
    rng: np.random.Generator,
    statement: str,
    canonical: str,
    seen: Sequence[str],
    last: str,
    holds: bool,
) -> Task:
    """A comparison of what is seen of the three towers."""
    reasoning = steps(canonical, *look(scene, seen), last)
    return Task("comparison", said(rng, statement), reasoning, truth(holds))


def every_tower(scene: Scene, rng: np.random.Generator) -> Task:
    """All, none or so many of the towers have a property."""
    name, place, colour = end_of(scene, rng)
    form, n = rng.random(), 1 if rng.random() < 0.7 else 2
    wanted = Property(
        choose(rng, (f"{article(colour)} block at the {name}", f"{article(colour)} {name}")),
        f"with {colour} {name}",
        lambda stack: stack[place].colour,
        lambda stack: stack[place].colour == colour,
    )
    if form < 0.5:
        amount = Comparison(choose(rng, ("at least", "exactly")), n)
        wanted = Property(
            f"{amount.name} {number(rng, n)} {colour} {plural('block', n)}",
            f"with {amount.canonical()} {colour}",
            lambda stack: str(count_colour(stack, colour)),
            lambda stack: amount.holds(count_colour(stack, colour)),
        )
    towers = towers_of(scene)
    asked = _share(rng, sum(map(wanted.test, towers)), len(towers))
    single = asked.words is not None and asked.words.startswith(("each", "every"))
    verbs = ("has", "has", "contains") if single else ("have", "have", "has", "contain")
    verb = choose(rng, verbs if form < 0.5 else verbs[:-1])
    return of_towers(scene, rng, wanted, asked, lambda q: f"{q.words} {verb} {wanted.wording}")


def _share(rng: np.random.Generator, total: int, towers: int) -> Quantity:
    """All, none or so many of the towers, with the word for them."""
    u, three = rng.random(), ("3 ", "three ", "") if towers == 3 else ("",)
    if u < 0.4:
        words = ("all {}towers", "all {}towers", "all the {}towers", "each tower", "every tower")
        named = choose(rng, words).format(choose(rng, three))
        return Quantity(Comparison("exactly", towers), named, towers)
    if u < 0.5:
        return Quantity(Comparison("exactly", 0), "none of the towers", 0)
    n = min(2, max(1, total))
    comparison = Comparison(choose(rng, ("at least", "exactly")), n)
    lead = "at least " if comparison.name == "at least" else choose(rng, ("", "only ", "exactly "))
    return Quantity(comparison, f"{lead}{number(rng, n)} of the {choose(rng, three)}towers", n)
