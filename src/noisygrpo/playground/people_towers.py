"""Statements about towers after the manner of people: what stands at an end and on what."""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

import numpy as np

from noisygrpo.playground.language import Comparison, Task, article, choose, number, plural
from noisygrpo.playground.looking import look
from noisygrpo.playground.people_words import (
    HAVE,
    WITH,
    Quantity,
    count_task,
    quantity,
)
from noisygrpo.playground.scene import Item, Scene
from noisygrpo.playground.towers import BASE, BLOCK_COLOURS, Property

Stack = Sequence[Item]
SOME = Quantity(Comparison("at least", 1), None, 1)
_ON = ("on", "on", "over", "above", "on top of", "right on top of")


def stacks_of(scene: Scene) -> list[list[list[Item]]]:
    """The towers of every box."""
    return [scene.stacks(box) for box in range(3)]


def towers_of(scene: Scene) -> list[list[Item]]:
    """All towers."""
    return [stack for box in stacks_of(scene) for stack in box]


def of_towers(
    scene: Scene,
    rng: np.random.Generator,
    wanted: Property,
    asked: Quantity | None = None,
    statement: Callable[[Quantity], str] | None = None,
    noun: str = "tower",
) -> Task:
    """So many towers have a property.

    Args:
        scene: a stacked scene.
        rng: the only source of randomness.
        wanted: the property; its ``wording`` follows the noun.
        asked: how many; drawn near the truth where it is left out.
        statement: makes the statement, where it is another than 'there are two towers with ...'.
        noun: 'tower', or 'box' where a box is named for its one tower.
    """
    total = sum(map(wanted.test, towers_of(scene)))
    asked = asked or quantity(rng, total, 2)
    spoken = asked.there(lambda n: f"{plural(noun, n)} {wanted.wording}")
    if statement is not None:
        spoken = statement(asked)
    looked = look(scene, [" and ".join(map(wanted.verdict, box)) for box in stacks_of(scene)])
    canonical = f"{plural(noun, 2)} {wanted.canonical}"
    return count_task(rng, "stacking", spoken, canonical, looked, total, asked.comparison)


def end_of(scene: Scene, rng: np.random.Generator) -> tuple[str, int, str]:
    """``top`` or ``base``, its place in a tower, and a colour, mostly one that stands there."""
    name, place = (("top", -1), ("base", 0))[int(rng.integers(2))]
    towers = towers_of(scene)
    colour = towers[int(rng.integers(len(towers)))][place].colour
    return name, place, colour if rng.random() < 0.67 else choose(rng, BLOCK_COLOURS)


def height_of(scene: Scene, rng: np.random.Generator) -> int:
    """The height of one of the towers."""
    towers = towers_of(scene)
    return len(towers[int(rng.integers(len(towers)))])


def block_as_end(scene: Scene, rng: np.random.Generator) -> Task:
    """So many blocks of a colour are the top or the base of a tower, of a given height at times."""
    name, place, colour = end_of(scene, rng)
    height, tail = Comparison("at least", 1), ""
    if rng.random() < 0.45:
        n = height_of(scene, rng)
        height = Comparison(choose(rng, ("exactly", "at least")), n)
        lead = choose(rng, ("exactly ", "")) if height.name == "exactly" else "at least "
        if height.name == "at least" and n > 1 and rng.random() < 0.3:
            lead, n = "more than ", n - 1
        tail = f" with {lead}{number(rng, n)} {plural('block', n)}"
    wanted = Property(
        "",
        f"with {colour} {name}" + (f" and {height.canonical()} high" if tail else ""),
        lambda stack: f"{stack[place].colour} {len(stack)}",
        lambda stack: stack[place].colour == colour and height.holds(len(stack)),
    )

    owner = choose(rng, ("a tower", "a tower", "the tower" if tail else "towers", "a stack"))

    def statement(asked: Quantity) -> str:
        as_end = f"{choose(rng, ('as', 'as', 'at', 'on'))} the {name} of {owner}{tail}"
        return asked.there(lambda n: f"{colour} {plural('block', n)} {as_end}")

    asked = quantity(rng, sum(map(wanted.test, towers_of(scene))))
    return of_towers(scene, rng, wanted, asked, statement)


def block_on(scene: Scene, rng: np.random.Generator) -> Task:
    """So many blocks, or towers with a block, stand right on, or right below, one of a colour."""
    upper, lower = choose(rng, BLOCK_COLOURS), choose(rng, BLOCK_COLOURS)
    pairs = [pair for stack in towers_of(scene) for pair in pairwise(stack)]
    if pairs and rng.random() < 0.6:
        lower, upper = (block.colour for block in pairs[int(rng.integers(len(pairs)))])
    different = bool(rng.random() < 0.1)

    def many(stack: Stack) -> int:
        return sum(
            a.colour == lower and (b.colour != lower if different else b.colour == upper)
            for a, b in pairwise(stack)
        )

    noun = choose(rng, ("block", "block", "block", "object", "item"))
    first, relation, second = upper, choose(rng, _ON), f"{lower} {noun}"
    if different or rng.random() < 0.15:
        first, relation, second = lower, "below", f"{upper} {noun}"
    if different:
        second = f"different {choose(rng, ('colored', 'coloured', 'color'))} {noun}"
    tail = f"{relation} {article(second)}"
    canonical = f"{'another colour' if different else upper} on {lower}"
    if rng.random() < 0.6:
        wording = f"{choose(rng, WITH)} {article(first)} {noun} {tail}"
        wanted = Property(wording, f"with {canonical}", lambda s: "", lambda s: many(s) > 0)
        return of_towers(scene, rng, wanted)
    counts = [[many(stack) for stack in box] for box in stacks_of(scene)]
    total = sum(map(sum, counts))
    asked = quantity(rng, total, 2)
    spoken = asked.there(lambda n: f"{first} {plural(noun, n)} {tail}")
    looked = look(scene, [" and ".join(map(str, box)) for box in counts])
    return count_task(rng, "stacking", spoken, canonical, looked, total, asked.comparison)


def the_tower(scene: Scene, rng: np.random.Generator) -> Task:
    """A tower of a named height has a colour at an end."""
    name, place, colour = end_of(scene, rng)
    n = height_of(scene, rng)
    high = f"{number(rng, n)} {choose(rng, ('block', 'blocks')) if n > 1 else 'block'}"
    spoken = choose(
        rng,
        (
            f"the tower with {number(rng, n)} {plural('block', n)} has "
            f"{article(colour)} block at the {name}",
            f"the {name} of {choose(rng, ('a', 'the'))} {high} tower is {colour}",
            f"the {high} tower has {article(colour)} {name}",
        ),
    )
    wanted = Property(
        "",
        f"exactly {n} high and {colour} {name}",
        lambda stack: f"{len(stack)} {stack[place].colour}",
        lambda stack: len(stack) == n and stack[place].colour == colour,
    )
    return of_towers(scene, rng, wanted, SOME, lambda _: spoken)


def box_as_tower(scene: Scene, rng: np.random.Generator) -> Task | None:
    """A box named for its tower: so many items, one of a colour on top, or two in the middle."""
    if len(towers_of(scene)) > len(scene.boxes):
        return None
    _, _, colour = end_of(scene, rng)
    n, item = height_of(scene, rng), choose(rng, ("item", "block", "square"))
    on_top = _on_top(rng, colour, item)
    form = rng.random()
    if form < 0.3:  # the only form that is asked of a number of boxes
        wanted = Property(
            f"with {article(colour)} {item} on top",
            f"with {colour} top",
            lambda stack: stack[-1].colour,
            lambda stack: stack[-1].colour == colour,
        )
        return of_towers(scene, rng, wanted, noun="box")
    if form < 0.75:
        wanted = Property(
            f"with {number(rng, n)} {plural(choose(rng, ('item', 'block')), n)} and {on_top}",
            f"of {n} with {colour} top",
            lambda stack: f"{len(stack)} {stack[-1].colour}",
            lambda stack: len(stack) == n and stack[-1].colour == colour,
        )
    elif form < 0.87:
        wanted = Property(
            f"with all {number(rng, 3)} {choose(rng, ('colors', 'colours'))} and {on_top}",
            f"of 3 colours with {colour} top",
            lambda stack: f"{len({b.colour for b in stack})} {stack[-1].colour}",
            lambda stack: len({b.colour for b in stack}) == 3 and stack[-1].colour == colour,
        )
    else:
        wanted = Property(
            f"with {number(rng, 4)} {plural(item, 2)} and {number(rng, 2)} {colour} ones "
            + choose(rng, ("in the middle", "in between", "in the middle of it")),
            f"of 4 with 2 {colour} in the middle",
            lambda stack: str(len(stack)),
            lambda stack: len(stack) == 4 and stack[1].colour == stack[2].colour == colour,
        )
    return of_towers(scene, rng, wanted, SOME, noun="box")


def _on_top(rng: np.random.Generator, colour: str, item: str) -> str:
    """``a black one on top``, in one of its wordings."""
    one = (f"{article(colour)} {item}", f"{article(colour)} one", f"the {colour} one is")
    return f"{choose(rng, one)} on top"


def at_wall(scene: Scene, rng: np.random.Generator) -> Task:
    """Blocks that touch the wall, which in a tower the base does, and what stands on them."""
    wall = choose(rng, ("the wall", "the wall", "the side", "the edge", "the bottom"))
    _, _, colour = end_of(scene, rng)
    noun, form = choose(rng, ("square", "item", "block")), rng.random()
    if form < 0.6:
        base = Property(
            "",
            f"with {colour} base",
            lambda stack: stack[0].colour,
            lambda stack: stack[0].colour == colour,
        )

        def statement(asked: Quantity) -> str:
            return asked.there(lambda n: f"{colour} {plural(noun, n)} touching {wall}")

        asked = quantity(rng, sum(map(base.test, towers_of(scene))))
        return of_towers(scene, rng, base, asked, statement)
    lead = f"with {article(colour)} {noun} touching {wall}"
    upper = choose(rng, BLOCK_COLOURS)
    if form < 0.8:
        wanted = Property(
            f"{lead} with {article(upper)} {noun} {choose(rng, ('right on', 'on'))} top of it",
            f"with {upper} on {colour} base",
            lambda stack: " ".join(block.colour for block in stack[:2]),
            lambda stack: [block.colour for block in stack[:2]] == [colour, upper],
        )
    else:
        wanted = Property(
            f"{lead} and another one on top",
            f"with {colour} base and {colour} top",
            lambda stack: f"{stack[0].colour} {stack[-1].colour} {len(stack)}",
            lambda s: len(s) > 1 and s[0].colour == s[-1].colour == colour,
        )
    return of_towers(scene, rng, wanted, SOME, noun="box")


def longest_run(stack: Stack, colour: str) -> int:
    """The most blocks of a colour that stand right on each other."""
    runs = [len(list(group)) for c, group in groupby(stack, lambda b: b.colour) if c == colour]
    return max(runs, default=0)


def together(scene: Scene, rng: np.random.Generator) -> Task:
    """Towers with so many blocks of a colour right on each other."""
    _, _, colour = end_of(scene, rng)
    n = 2 if rng.random() < 0.7 else 3
    wanted = Property(
        f"{choose(rng, WITH)} {number(rng, n)} {colour} blocks stacked together",
        f"with at least {n} {colour} together",
        lambda stack: str(longest_run(stack, colour)),
        lambda stack: longest_run(stack, colour) >= n,
    )
    return of_towers(scene, rng, wanted)


def second(scene: Scene, rng: np.random.Generator) -> Task:
    """The second block from the base, it and the base, or a block between two alike."""
    _, _, colour = end_of(scene, rng)
    form = rng.random()
    if form < 0.6:
        ground = choose(rng, ("", "", f" from the {choose(rng, BASE)}"))
        wanted = Property(
            f"{choose(rng, ('where', 'where', 'that'))} the second block{ground} is {colour}",
            f"with {colour} second",
            lambda stack: stack[1].colour if len(stack) > 1 else "none",
            lambda stack: len(stack) > 1 and stack[1].colour == colour,
        )
    elif form < 0.8:
        wanted = Property(
            f"{choose(rng, HAVE)} two {colour} blocks as the base and second blocks",
            f"with {colour} base and {colour} second",
            lambda stack: " ".join(block.colour for block in stack[:2]),
            lambda stack: [block.colour for block in stack[:2]] == [colour] * 2,
        )
    else:
        wanted = Property(
            f"with {article(colour)} block between 2 blocks of the same color",
            f"with {colour} between 2 of 1 colour",
            lambda stack: "",
            lambda stack: any(
                b.colour == colour and a.colour == c.colour
                for a, b, c in zip(stack, stack[1:], stack[2:], strict=False)
            ),
        )
    return of_towers(scene, rng, wanted)
