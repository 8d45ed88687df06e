"""Statements after the manner of people on where shapes stand: sides, corners, all and none."""

import numpy as np

from noisygrpo.playground.language import (
    Comparison,
    Filter,
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
from noisygrpo.playground.people_words import (
    TOUCHING,
    WALL,
    WITH,
    count_task,
    drawn_kind,
    in_corner,
    look_at,
    nearly_touches,
    quantity,
    said,
    sides,
    two_colours,
)
from noisygrpo.playground.scene import COLOURS, Item, Scene

_SIDE_WORDS = {
    "bottom": ("the base", "the bottom", "the bottom of a box", "the bottom of the box"),
    "top": ("the top of a box", "the top wall", "the upper edge"),
    "left": ("left wall of a box", "the left wall", "the left side of a box"),
    "right": ("right wall of a box", "the right wall", "the right side of a box"),
}
_CORNERS = ("a corner", "the corner", "a corner of a box", "a box corner", "any corner")


def marked(item: Item) -> str:
    """The sides that an item touches, in words."""
    return " ".join(sides(item))


def side(scene: Scene, rng: np.random.Generator) -> Task:
    """So many shapes touch the bottom, the top, or the left or right wall of their box."""
    name = choose(rng, ("bottom", "bottom", "right", "right", "left", "top"))
    wanted = [drawn_kind(rng, scene)]
    if wanted[0].colour and rng.random() < 0.12:
        colours = two_colours(rng)
        wanted = [Filter(colour, wanted[0].shape) for colour in colours]

    def holds(item: Item) -> bool:
        return name in sides(item) and any(f.holds(item, ()) for f in wanted)

    def phrase(n: int) -> str:
        things = wanted[-1].wording(rng, n)
        if len(wanted) == 2:
            things = f"{wanted[0].colour} or {things}"
        return f"{things} {choose(rng, TOUCHING)} {choose(rng, _SIDE_WORDS[name])}"

    hits = [sum(map(holds, box)) for box in scene.boxes]
    asked = quantity(rng, sum(hits))
    canonical = " or ".join(f.canonical() for f in wanted) + f" at the {name}"
    looked = look_at(scene, hits, marked)
    return count_task(
        rng, "position", asked.there(phrase), canonical, looked, sum(hits), asked.comparison
    )


def corner(scene: Scene, rng: np.random.Generator) -> Task:
    """So many shapes, or boxes with a shape, touch a corner."""
    wanted, barred = drawn_kind(rng, scene), choose(rng, tuple(COLOURS))
    if rng.random() < 0.2:
        wanted = Filter()
    but = wanted.colour is None and rng.random() < 0.3

    def holds(item: Item) -> bool:
        return in_corner(item) and wanted.holds(item, ()) and not (but and item.colour == barred)

    def phrase(n: int) -> str:
        that = choose(rng, ("that is", "which is")) + " " if rng.random() < 0.15 and n == 1 else ""
        place = f"{that}{choose(rng, TOUCHING)} {choose(rng, _CORNERS)}"
        tail = f" that {'is' if n == 1 else 'are'} not {barred}" if but else ""
        return f"{wanted.wording(rng, n)} {place}{tail}"

    hits = [sum(map(holds, box)) for box in scene.boxes]
    canonical = f"{wanted.canonical()} in a corner" + (f" not {barred}" if but else "")
    if rng.random() < 0.3:
        found = [int(n > 0) for n in hits]
        asked = quantity(rng, sum(found), 2)
        statement = asked.there(
            lambda n: f"{plural('box', n)} {choose(rng, WITH)} {article(phrase(1))}"
        )
        looked = look_at(scene, [yes_no(n > 0) for n in hits], marked)
        return count_task(
            rng,
            "position",
            statement,
            f"boxes with {canonical}",
            looked,
            sum(found),
            asked.comparison,
        )
    asked = quantity(rng, sum(hits), 2)
    looked = look_at(scene, hits, marked)
    return count_task(
        rng, "position", asked.there(phrase), canonical, looked, sum(hits), asked.comparison
    )


def nearly(scene: Scene, rng: np.random.Generator) -> Task:
    """So many shapes nearly touch a side."""
    wanted = drawn_kind(rng, scene)
    hits = [sum(nearly_touches(i) and wanted.holds(i, ()) for i in box) for box in scene.boxes]
    asked = quantity(rng, sum(hits), 2)
    statement = asked.there(
        lambda n: f"{wanted.wording(rng, n)} nearly touching {choose(rng, WALL)}"
    )
    looked = look_at(scene, hits, lambda item: "near" if nearly_touches(item) else "")
    return count_task(
        rng,
        "position",
        statement,
        f"{wanted.canonical()} near the edge",
        looked,
        sum(hits),
        asked.comparison,
    )


def all_or_none(scene: Scene, rng: np.random.Generator) -> Task | None:
    """All, or none, of a kind touch a side, or are in the same box."""
    wanted = drawn_kind(rng, scene)
    counts = [wanted.count(box) for box in scene.boxes]
    if sum(counts) == 0:  # nothing can be said of all of them
        return None
    things = wanted.wording(rng, 2)
    if rng.random() < 0.25:
        every = choose(rng, ("all", "all", "all the"))
        boxes = sum(n > 0 for n in counts)
        return count_task(
            rng,
            "position",
            f"{every} {things} are in the same box",
            f"boxes with {wanted.canonical()}",
            look(scene, counts, wanted),
            boxes,
            Comparison("exactly", 1),
        )
    at = Filter(wanted.colour, wanted.shape, edge=True)
    hits, wall = [at.count(box) for box in scene.boxes], choose(rng, WALL)
    touching = choose(rng, TOUCHING)
    form = int(rng.integers(4))
    expected = 0 if form in (0, 3) else sum(counts)
    statement = (
        f"none of the {things} {choose(rng, ('are', 'are', 'is'))} {touching} {wall}",
        f"{choose(rng, ('all', 'all the'))} {things} are {touching} {wall}",
        f"{things} are {touching} {wall}",
        f"{things} are not {touching} {wall}",
    )[form]
    verdicts = [f"{n} of {m}" for n, m in zip(hits, counts, strict=True)]
    reasoning = steps(
        f"count {at.canonical()}, asked {'none' if expected == 0 else 'all'}",
        *look(scene, verdicts, at),
        f"{sum(hits)} of {sum(counts)}",
    )
    return Task("position", said(rng, statement), reasoning, truth(sum(hits) == expected))


def colours_at_edge(scene: Scene, rng: np.random.Generator) -> Task:
    """How many colours touch a side; or so many of one colour and so many of another."""
    at = {c: [Filter(c, edge=True).count(box) for box in scene.boxes] for c in COLOURS}
    wall = choose(rng, WALL)
    if rng.random() < 0.5:
        k, total = int(rng.choice((1, 2, 3))), sum(sum(counts) > 0 for counts in at.values())
        statement = {
            1: f"there is only one color touching {wall}",
            2: f"there are only two colors touching {wall}",
            3: f"all 3 {choose(rng, ('different colors', 'colors'))} are touching {wall}",
        }[k]
        seen = [" ".join(c for c in COLOURS if at[c][box]) or "none" for box in range(3)]
        looked = look(scene, seen, Filter(edge=True))
        return count_task(
            rng,
            "colour",
            statement,
            "colours at the edge",
            looked,
            total,
            Comparison("exactly", k),
        )
    first, second = two_colours(rng)
    a, b = sum(at[first]), sum(at[second])
    n, m = (max(1, k + int(rng.choice((0, 0, 1, -1)))) for k in (a, b))
    noun = plural(choose(rng, ("item", "object")), m)
    amounts = f"{number(rng, n)} {first} and {number(rng, m)} {second} {noun}"
    statement = f"{choose(rng, ('only ', 'exactly ', ''))}{amounts} are touching {wall}"
    verdicts = [f"{x} {y}" for x, y in zip(at[first], at[second], strict=True)]
    reasoning = steps(
        f"count {first} and {second} items at the edge",
        *look(scene, verdicts, Filter(edge=True)),
        f"{a} and {b}, asked {n} and {m}",
    )
    return Task("counting", said(rng, statement), reasoning, truth((a, b) == (n, m)))
