"""Statements after the manner of people on what a box holds: colours, kinds and numbers."""

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
from noisygrpo.playground.scene import COLOURS, SHAPES, Scene


def box_colours(scene: Scene, rng: np.random.Generator) -> Task:
    """A box with items of one, two or all three colours; of so many items, or with a kind."""
    counts = [len({item.colour for item in box}) for box in scene.boxes]
    k = int(rng.integers(1, 4))
    words = {
        1: ("of only one {c}", "of one {c}", "of the same {c}", "of only 1 {c}"),
        2: ("of 2 different {c}s", "of two different {c}s", "of only two {c}s"),
        3: ("of all 3 different {c}s", "of all three {c}s", "of 3 different {c}s"),
    }[k]
    colours = choose(rng, words).format(c=choose(rng, ("color", "color", "colour")))
    found, size, canonical = [n == k for n in counts], "", f"boxes of {k} colours"
    things = choose(rng, ("items", "items", "objects"))
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


def several_kinds(scene: Scene, rng: np.random.Generator) -> Task:
    """A box with three kinds, or with so many of one kind and so many of another."""
    three = rng.random() < 0.4
    wanted = [drawn_kind(rng, scene, 0.75) for _ in range(3 if three else 2)]
    counts = [[f.count(box) for f in wanted] for box in scene.boxes]
    near = counts[int(rng.integers(3))]
    asked = [
        Quantity(Comparison("at least", 1), None, 1) if three else quantity(rng, n) for n in near
    ]
    phrases = [q.of(lambda n, f=f: f.wording(rng, n)) for q, f in zip(asked, wanted, strict=True)]  # type: ignore[misc]
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


def box_of(scene: Scene, rng: np.random.Generator) -> Task:
    """A box of so many items, of which so many are of a kind, or one is."""
    near = scene.boxes[int(rng.integers(3))]
    size = max(1, len(near) + int(rng.choice((0, 0, 0, 1, -1))))
    wanted = Filter(choose(rng, tuple(COLOURS)))
    if rng.random() < 0.4:
        wanted = Filter(shape=choose(rng, SHAPES)) if rng.random() < 0.5 else Filter(edge=True)
    many = max(1, min(size, wanted.count(near)))
    lead = choose(
        rng, ("there is a box with", "there is a box that has", "there is a grey box with")
    )
    n, m = number(rng, size), number(rng, many)
    things = plural(choose(rng, ("item", "object")), size)
    one = wanted.shape is not None or (many == 1 and rng.random() < 0.5)
    asked = Comparison("at least", 1) if one else Comparison("exactly", many)
    if wanted.edge:
        asked = Comparison("exactly", many)
        tail = f" and the {m} {'is' if many == 1 else 'are'} touching the side"
    elif one and size == 1:
        tail = f" which is {wanted.colour or article(wanted.shape or '')}"
    elif one:
        tail = f" one of which is {wanted.colour or article(wanted.shape or '')}"
    else:
        tail = f" and the {m} {'is' if many == 1 else 'are'} {wanted.colour}"
    if rng.random() < 0.3:
        wanted, asked, tail = Filter(), Comparison("exactly", size), ""
    if rng.random() < 0.5:
        lead = f"one of the grey {choose(rng, ('square', 'box', 'boxes'))} "
        lead += choose(rng, ("contains", "has"))
    counts = [wanted.count(box) for box in scene.boxes]
    found = [
        len(box) == size and asked.holds(k) for box, k in zip(scene.boxes, counts, strict=True)
    ]
    verdicts = [
        f"{len(box)} {k} {yes_no(f)}" for box, k, f in zip(scene.boxes, counts, found, strict=True)
    ]
    statement = f"{lead} {choose(rng, ('exactly ', 'exactly ', 'only ', ''))}{n} {things}{tail}"
    canonical = f"boxes of {size} items with {asked.canonical()} {wanted.canonical()}"
    looked = look(scene, verdicts, wanted)
    return count_task(
        rng, "counting", statement, canonical, looked, sum(found), Comparison("at least", 1)
    )
