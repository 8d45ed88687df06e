"""Questions about scattered shapes: existence, counting, comparison, colour, position, touching."""

from collections.abc import Callable

import numpy as np

from noisygrpo.playground.language import (
    Comparison,
    Filter,
    Task,
    article,
    choose,
    finish,
    plural,
    sample_comparison,
    sample_filter,
    steps,
    truth,
    yes_no,
)
from noisygrpo.playground.looking import listing, look
from noisygrpo.playground.scene import BOXES, SHAPES, Scene

_PLACE = ("in the picture", "in the boxes", "in all")


def exists(scene: Scene, rng: np.random.Generator) -> Task:
    """Whether something of a kind is there at all."""
    wanted = sample_filter(rng)
    counts = [wanted.count(box) for box in scene.boxes]
    phrase = wanted.wording(rng)
    statement = choose(
        rng,
        (
            f"there is {article(phrase)}",
            f"there is a box with {article(phrase)}",
            f"at least one box contains {article(phrase)}",
            f"one of the grey boxes has {article(phrase)}",
        ),
    )
    reasoning = steps(
        f"look for {wanted.canonical()}",
        *look(scene, counts, wanted),
        f"{sum(counts)} in all",
    )
    return Task("existence", finish(rng, statement), reasoning, truth(sum(counts) > 0))


def total(scene: Scene, rng: np.random.Generator) -> Task:
    """The whole picture holds so many of a kind."""
    wanted, comparison = sample_filter(rng), sample_comparison(rng, 4)
    counts = [wanted.count(box) for box in scene.boxes]
    n = comparison.n
    be = "is" if n == 1 else "are"
    phrase = wanted.wording(rng, n if n else 2)
    statement = f"there {be} {comparison.wording(rng)} {phrase}"
    if (wanted.edge is not None or wanted.beside is not None) and rng.random() < 0.4:
        statement = f"{comparison.wording(rng)} {wanted.wording(rng, n, be=be)}"
    reasoning = steps(
        f"count {wanted.canonical()}",
        *look(scene, counts, wanted),
        f"{sum(counts)} in all, asked {comparison.canonical()}",
    )
    return Task("counting", finish(rng, statement), reasoning, truth(comparison.holds(sum(counts))))


def one_box(scene: Scene, rng: np.random.Generator) -> Task:
    """Some box, or each box, holds so many."""
    wanted, comparison = sample_filter(rng), sample_comparison(rng, 3)
    if rng.random() < 0.15:  # 'exactly three objects': no property at all
        wanted = Filter()
    phrase = f"{comparison.wording(rng)} {wanted.wording(rng, comparison.n if comparison.n else 2)}"
    every = bool(rng.random() < 0.3)
    if every:
        lead = choose(
            rng, ("each box has", "each grey box contains", "all boxes have", "every box has")
        )
    else:
        lead = choose(
            rng,
            (
                "there is a box with",
                "one of the grey box has",
                "one box has",
            ),
        )
    counts = [wanted.count(box) for box in scene.boxes]
    found = [comparison.holds(count) for count in counts]
    verdicts = [f"{n} {yes_no(holds)}" for n, holds in zip(counts, found, strict=True)]
    quantifier = "each box" if every else "some box"
    reasoning = steps(
        f"count {wanted.canonical()}, asked {comparison.canonical()} in {quantifier}",
        *look(scene, verdicts, wanted),
    )
    answer = all(found) if every else any(found)
    return Task("counting", finish(rng, f"{lead} {phrase}"), reasoning, truth(answer))


def pair(scene: Scene, rng: np.random.Generator) -> Task:
    """A box that holds both of two kinds."""
    first, second = sample_filter(rng, relations=False), sample_filter(rng, relations=False)
    one, many = Comparison("at least", 1), sample_comparison(rng, 2)
    a = [first.count(box) for box in scene.boxes]
    b = [second.count(box) for box in scene.boxes]
    found = [one.holds(x) and many.holds(y) for x, y in zip(a, b, strict=True)]
    verdicts = [f"{x} {y} {yes_no(f)}" for x, y, f in zip(a, b, found, strict=True)]
    both = choose(rng, ("and", "and also"))
    statement = (
        f"there is a box with {article(first.wording(rng))} {both} "
        f"{many.wording(rng)} {second.wording(rng, many.n if many.n else 2)}"
    )
    reasoning = steps(
        f"look for {first.canonical()} and {many.canonical()} {second.canonical()}",
        *look(scene, verdicts, first, second),
    )
    return Task("existence", finish(rng, statement), reasoning, truth(any(found)))


def more_than(scene: Scene, rng: np.random.Generator) -> Task:
    """There are more of one kind than of another."""
    first, second = sample_filter(rng, relations=False), sample_filter(rng, relations=False)
    a = [first.count(box) for box in scene.boxes]
    b = [second.count(box) for box in scene.boxes]
    statement = f"there are more {first.wording(rng, 2)} than {second.wording(rng, 2)}"
    reasoning = steps(
        f"count {first.canonical()} and {second.canonical()}",
        *look(scene, [f"{x} {y}" for x, y in zip(a, b, strict=True)], first, second),
        f"{sum(a)} against {sum(b)}",
    )
    return Task("comparison", finish(rng, statement), reasoning, truth(sum(a) > sum(b)))


def only(scene: Scene, rng: np.random.Generator) -> Task:
    """A box in which everything has one of the named colours, or one shape."""
    if rng.random() < 0.6:
        colours = [
            str(c) for c in rng.permutation(["black", "blue", "yellow"])[: int(rng.integers(1, 3))]
        ]
        names = " and ".join(colours)
        others = [  # 'only A and B' means both, and nothing else
            sum(i.colour not in colours for i in box)
            + sum(all(i.colour != c for i in box) for c in colours)
            for box in scene.boxes
        ]
        statement = choose(
            rng,
            (
                f"there is a box with only {names} {choose(rng, ('items', 'objects'))}",
                f"there is a box with items of only {names} color",
            ),
        )
        canonical = f"only {names} items"
    else:
        shape = choose(rng, SHAPES)
        others = [sum(i.shape != shape for i in box) for box in scene.boxes]
        canonical = f"only {plural(shape, 2)}"
        statement = f"there is a box with {canonical}"
    reasoning = steps(
        f"look for a box with {canonical}",
        *look(scene, [f"{n} others {yes_no(n == 0)}" for n in others]),
    )
    return Task("colour", finish(rng, statement), reasoning, truth(0 in others))


def how_many(scene: Scene, rng: np.random.Generator) -> Task:
    """The number of a kind, or of all things, in one box or in all."""
    wanted = Filter() if rng.random() < 0.2 else sample_filter(rng)
    phrase = wanted.wording(rng, 2)
    if rng.random() < 0.5:
        b = int(rng.integers(3))
        count = wanted.count(scene.boxes[b])
        question = f"How many {phrase} are in the {BOXES[b]} box?"
        return Task(
            "counting",
            question,
            steps(
                f"count {wanted.canonical()}",
                f"{BOXES[b]} {listing(scene, b, wanted)} gives {count}",
            ),
            str(count),
        )
    counts = [wanted.count(box) for box in scene.boxes]
    question = choose(
        rng, (f"How many {phrase} are there?", f"How many {phrase} are {choose(rng, _PLACE)}?")
    )
    reasoning = steps(
        f"count {wanted.canonical()}",
        *look(scene, counts, wanted),
        f"{sum(counts)} in all",
    )
    return Task("counting", question, reasoning, str(sum(counts)))


def what_colour(scene: Scene, rng: np.random.Generator) -> Task | None:
    """The colour of the one such shape in a box; ``none`` where there is no such shape."""
    b, shape = int(rng.integers(3)), choose(rng, SHAPES)
    matches = [item for item in scene.boxes[b] if item.shape == shape]
    if len(matches) > 1:
        return None
    colour = matches[0].colour if matches else "none"
    spelled = choose(rng, ("color", "colour"))
    question = f"What {spelled} is the {shape} in the {BOXES[b]} box?"
    seen = f"{BOXES[b]} {listing(scene, b)} gives {shape} {colour}"
    reasoning = steps(f"look at the {BOXES[b]} box", seen)
    return Task("colour", question, reasoning, colour)


def which_box(scene: Scene, rng: np.random.Generator) -> Task | None:
    """The box that has the most of a kind (one winner), or ``none``."""
    wanted = sample_filter(rng, relations=False)
    counts = [wanted.count(box) for box in scene.boxes]
    top = max(counts)
    if counts.count(top) > 1 and top > 0:
        return None
    answer = BOXES[counts.index(top)] if top > 0 else "none"
    question = f"Which box has the most {wanted.wording(rng, 2)}?"
    reasoning = steps(f"count {wanted.canonical()}", *look(scene, counts, wanted))
    return Task("position", question, reasoning, answer)


Maker = Callable[[Scene, np.random.Generator], Task | None]
STATEMENTS: tuple[tuple[Maker, float], ...] = (
    (exists, 0.20),
    (total, 0.27),
    (one_box, 0.21),
    (pair, 0.10),
    (more_than, 0.10),
    (only, 0.12),
)
"""Makers of statements about scattered scenes, with their shares."""
