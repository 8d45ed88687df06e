"""Statements after the manner of people on what a box holds: colours, kinds and numbers."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from noisygrpo.playground.language import (
    Comparison,
    Filter,
    Task,
    article,
    choose,
    number,
    plural,
    yes_no,
)
from noisygrpo.playground.looking import look
from noisygrpo.playground.people_words import (
    BOX_NOUNS,
    HAVE,
    WITH,
    Quantity,
    count_task,
    drawn_kind,
    exactly,
    quantity,
    two_colours,
)
from noisygrpo.playground.scene import COLOURS, SHAPES, Item, Scene


def box_colours(scene: Scene, rng: np.random.Generator) -> Task:
    """A box with items of one, two or all three colours; of so many items, or with a kind."""
    counts = [len({item.colour for item in box}) for box in scene.boxes]
    k = int(rng.integers(1, 4))
    words = {
        1: ("of only one {c}", "of one {c} only", "of the same {c}", "of just 1 {c}", "of one {c}"),
        2: ("of 2 different {c}s", "of two different {c}s", "of only two {c}s", "of 2 {c}s"),
        3: ("of all 3 different {c}s", "of all three {c}s", "of 3 different {c}s", "of all 3 {c}s"),
    }[k]
    colours = choose(rng, words).format(c=choose(rng, ("color", "color", "colour")))
    found, size, canonical = [n == k for n in counts], "", f"boxes of {k} colours"
    things = choose(rng, ("items", "items", "objects", "things"))
    extra = rng.random()
    if extra < 0.25:
        n = len(scene.boxes[int(rng.integers(3))])
        size, canonical = f"{number(rng, n)} ", f"boxes of {n} items and {k} colours"
        things = things if n > 1 else things[:-1]
        found = [f and len(box) == n for f, box in zip(found, scene.boxes, strict=True)]
    statement = f"a box with {size}{things} {colours}"
    if extra > 0.8:
        wanted = drawn_kind(rng, scene)
        found = [f and wanted.count(box) > 0 for f, box in zip(found, scene.boxes, strict=True)]
        statement += f" and {article(wanted.wording(rng))}"
        canonical += f" with {wanted.canonical()}"
    verdicts = [f"{n} {yes_no(f)}" for n, f in zip(counts, found, strict=True)]
    looked = look(scene, verdicts)
    return count_task(
        rng,
        "colour",
        f"there is {statement}",
        canonical,
        looked,
        sum(found),
        Comparison("at least", 1),
    )


def box_only(scene: Scene, rng: np.random.Generator) -> Task:
    """Boxes, or towers, whose items are of the named colours and no other, and of each of them."""
    named = two_colours(rng)[: 1 if rng.random() < 0.3 else 2]
    colours = " and ".join(named)
    found = [{item.colour for item in box} == set(named) for box in scene.boxes]
    canonical, things = f"boxes of {colours}", choose(rng, ("items", "items", "objects"))
    if rng.random() < 0.45:  # so many items, of these colours alone
        size = max(len(named), len(scene.boxes[int(rng.integers(3))]))
        found = [f and len(box) == size for f, box in zip(found, scene.boxes, strict=True)]
        canonical = f"boxes of {size} items of {colours}"
        n, colour_noun = number(rng, size), choose(rng, ("color", "colour"))
        things = things if size > 1 else things[:-1]
        asked = Quantity(Comparison("at least", 1), None, 1)
        tail = choose(
            rng,
            (
                f"with {n} {things} of only {colours} {colour_noun}",
                f"with only {n} {things} of {colours} {colour_noun}",
                f"with {n} {things} of {colours} {colour_noun}",
                f"with only {n} {colours} {things}",
            ),
        )
        statement = f"there is a box {tail}"
    else:
        asked = quantity(rng, sum(found), 2)
        tail = choose(rng, (f"only {colours} {things}", f"{things} of only {colours} color"))
        statement = asked.there(lambda n: f"{plural('box', n)} {choose(rng, HAVE[:3])} {tail}")
    looked = look(scene, [yes_no(f) for f in found])
    return count_task(rng, "colour", statement, canonical, looked, sum(found), asked.comparison)


def several_kinds(scene: Scene, rng: np.random.Generator) -> Task | None:
    """A box with three kinds, or with so many of one kind and so many of another."""
    three = rng.random() < 0.4
    wanted = [drawn_kind(rng, scene, 0.75) for _ in range(3 if three else 2)]
    if len(set(wanted)) < len(wanted):
        return None
    counts = [[f.count(box) for f in wanted] for box in scene.boxes]
    near = counts[int(rng.integers(3))]
    asked = [
        Quantity(Comparison("at least", 1), None, 1) if three else quantity(rng, n) for n in near
    ]
    phrases = [q.of(partial(f.wording, rng)) for q, f in zip(asked, wanted, strict=True)]
    listed = ", ".join(phrases[:-1]) + f" and {phrases[-1]}"
    lead = choose(rng, ("there is a box with", "there is a box that has", "one box has"))
    found = [all(q.comparison.holds(n) for q, n in zip(asked, row, strict=True)) for row in counts]
    verdicts = [
        " ".join(map(str, row)) + f" {yes_no(f)}" for row, f in zip(counts, found, strict=True)
    ]
    canonical = "boxes with " + " and ".join(
        f"{q.comparison.canonical()} {f.canonical()}" for q, f in zip(asked, wanted, strict=True)
    )
    looked = look(scene, verdicts, *wanted)
    return count_task(
        rng,
        "existence",
        f"{lead} {listed}",
        canonical,
        looked,
        sum(found),
        Comparison("at least", 1),
    )


def boxes_with(scene: Scene, rng: np.random.Generator) -> Task:
    """So many boxes hold so many of a kind."""
    wanted = drawn_kind(rng, scene)
    if rng.random() < 0.3:
        wanted = Filter(wanted.colour, wanted.shape, edge=True)
    counts = [wanted.count(box) for box in scene.boxes]
    inner = quantity(rng, counts[int(rng.integers(3))])
    found = [inner.comparison.holds(n) for n in counts]
    things = inner.of(lambda n: wanted.wording(rng, n))
    if rng.random() < 0.2:
        statement = f"there {'is' if inner.agrees == 1 else 'are'} {things} in each box"
        asked = Comparison("exactly", 3)
    else:
        outer = exactly(rng, int(rng.integers(1, 4)))
        if rng.random() < 0.3:
            outer = quantity(rng, sum(found), 2)
        asked = outer.comparison
        statement = outer.there(
            lambda n: f"{plural(choose(rng, BOX_NOUNS), n)} {choose(rng, WITH)} {things}"
        )
    canonical = f"boxes with {inner.comparison.canonical()} {wanted.canonical()}"
    verdicts = [f"{n} {yes_no(f)}" for n, f in zip(counts, found, strict=True)]
    looked = look(scene, verdicts, wanted)
    return count_task(rng, "counting", statement, canonical, looked, sum(found), asked)


def _part(rng: np.random.Generator, near: Sequence[Item], size: int) -> tuple[Filter, str, int]:
    """A kind that some of a box's items are of, its words, and of how many; 0 is at least one."""
    wanted = Filter(choose(rng, tuple(COLOURS))) if rng.random() < 0.75 else Filter(edge=True)
    many = max(1, min(size, wanted.count(near)))
    verb, amount = "is" if many == 1 else "are", number(rng, many)
    if wanted.edge:
        return wanted, f" and the {amount} {verb} touching the side", many
    if rng.random() < 0.5:
        return wanted, f" and the {amount} {verb} {wanted.colour}", many
    if rng.random() < 0.5:
        wanted = Filter(shape=choose(rng, SHAPES))
    name = wanted.colour or article(wanted.shape or "")
    return wanted, f" which is {name}" if size == 1 else f" one of which is {name}", 0


def box_of(scene: Scene, rng: np.random.Generator) -> Task:
    """A box of so many items, of which so many are of a kind, or one is."""
    near = scene.boxes[int(rng.integers(3))]
    size = max(1, len(near) + int(rng.choice((0, 0, 0, 1, -1))))
    wanted, tail, many = _part(rng, near, size)
    asked = Comparison("exactly", many) if many else Comparison("at least", 1)
    canonical = f"boxes of {size} items with {asked.canonical()} {wanted.canonical()}"
    counts = [[len(box), wanted.count(box)] for box in scene.boxes]
    found = [n == size and asked.holds(k) for n, k in counts]
    if rng.random() < 0.3:
        tail, canonical = "", f"boxes of {size} items"
        counts = [[n] for n, _ in counts]
        found = [n == size for (n,) in counts]
    lead = f"there is a {choose(rng, ('box with', 'box that has', 'grey box with'))}"
    if rng.random() < 0.5:
        noun = choose(rng, ("square", "box", "boxes"))
        lead = f"one of the grey {noun} {choose(rng, ('contains', 'has'))}"
    only = choose(rng, ("exactly ", "exactly ", "only ", ""))
    things = plural(choose(rng, ("item", "object")), size)
    statement = f"{lead} {only}{number(rng, size)} {things}{tail}"
    verdicts = [
        f"{' '.join(map(str, row))} {yes_no(f)}" for row, f in zip(counts, found, strict=True)
    ]
    looked = look(scene, verdicts, wanted)
    return count_task(
        rng, "counting", statement, canonical, looked, sum(found), Comparison("at least", 1)
    )
