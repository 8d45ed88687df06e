"""Questions about stacks of blocks: height, what stands at an end or on what, and counting."""

import numpy as np

from noisygrpo.playground.language import (
    Comparison,
    Task,
    choose,
    finish,
    number,
    plural,
    sample_comparison,
    steps,
    truth,
    yes_no,
)
from noisygrpo.playground.looking import listing, look
from noisygrpo.playground.scattered import Maker
from noisygrpo.playground.scene import BOXES, Scene
from noisygrpo.playground.towers import BASE, BLOCK_COLOURS, over, sample_property


def tower(scene: Scene, rng: np.random.Generator) -> Task:
    """How many towers have a property, against 'a', 'no', 'exactly n' or 'at least n'."""
    wanted = sample_property(rng)
    wording = wanted.wording
    noun = choose(rng, ("tower", "tower", "tower", "stack"))
    if rng.random() < 0.6:
        comparison = Comparison("at least", 1)
        statement = choose(
            rng, (f"there is a {noun} {wording}", f"there is at least one {noun} {wording}")
        )
    else:
        comparison = sample_comparison(rng, 2)
        verb = "is" if comparison.n == 1 else "are"
        statement = f"there {verb} {comparison.wording(rng)} {plural(noun, comparison.n)} {wording}"
    stacks = [scene.stacks(box) for box in range(3)]
    matches = sum(wanted.test(stack) for box in stacks for stack in box)
    reasoning = steps(
        f"look for towers {wanted.canonical}",
        *look(scene, [" and ".join(map(wanted.verdict, box)) for box in stacks]),
        f"{matches} in all, asked {comparison.canonical()}",
    )
    return Task("stacking", finish(rng, statement), reasoning, truth(comparison.holds(matches)))


def blocks(scene: Scene, rng: np.random.Generator) -> Task:
    """Blocks of a colour counted over the whole picture; with relation 'over' at times."""
    colour = choose(rng, BLOCK_COLOURS)
    if rng.random() < 0.3:
        wanted = over(rng)
        statement = "there is " + wanted.wording.removeprefix("with ")
        flags = [any(wanted.test(stack) for stack in scene.stacks(box)) for box in range(3)]
        reasoning = steps(f"look for {wanted.canonical}", *look(scene, [yes_no(f) for f in flags]))
        return Task("stacking", finish(rng, statement), reasoning, truth(any(flags)))
    comparison = sample_comparison(rng, 4)
    counts = [sum(item.colour == colour for item in box) for box in scene.boxes]
    noun = plural(choose(rng, ("block", "block", "square", "item")), comparison.n)
    verb = "is" if comparison.n == 1 else "are"
    statement = f"there {verb} {comparison.wording(rng)} {colour} {noun}"
    reasoning = steps(
        f"count {colour} blocks",
        *look(scene, counts),
        f"{sum(counts)} in all, asked {comparison.canonical()}",
    )
    return Task("counting", finish(rng, statement), reasoning, truth(comparison.holds(sum(counts))))


def stack_end(scene: Scene, rng: np.random.Generator) -> Task | None:
    """The colour of a block at a given place; ``none`` where the tower is too low."""
    b = int(rng.integers(3))
    if len(scene.stacks(b)) > 1:  # 'the tower in the left box' must be one
        return None
    stack = scene.stacks(b)[0]
    name, position = (("top", -1), ("base", 0), ("second", 1))[int(rng.integers(3))]
    colour = stack[position].colour if position < len(stack) else "none"
    place = {
        "top": "at the top",
        "base": f"at the {choose(rng, BASE)}",
        "second": "second from the base",
    }[name]
    spelled = choose(rng, ("color", "colour"))
    question = f"What {spelled} is the block {place} of the tower in the {BOXES[b]} box?"
    seen = f"{BOXES[b]} {listing(scene, b)} gives {name} {colour}"
    reasoning = steps(f"look at the {BOXES[b]} box", seen)
    return Task("colour", question, reasoning, colour)


def stack_count(scene: Scene, rng: np.random.Generator) -> Task:
    """The number of blocks in one box or in all, or of one colour in all."""
    u = rng.random()
    if u < 0.2:
        counts = [len(box) for box in scene.boxes]
        question = choose(rng, ("How many blocks are there?", "How many blocks are there in all?"))
        reasoning = steps("count blocks", *look(scene, counts), f"{sum(counts)} in all")
        return Task("counting", question, reasoning, str(sum(counts)))
    if u < 0.45:
        b = int(rng.integers(3))
        n = len(scene.boxes[b])
        question = f"How many blocks are in the {BOXES[b]} box?"
        seen = f"{BOXES[b]} {listing(scene, b)} gives {n}"
        return Task("counting", question, steps(f"look at the {BOXES[b]} box", seen), str(n))
    colour = choose(rng, BLOCK_COLOURS)
    counts = [sum(item.colour == colour for item in box) for box in scene.boxes]
    question = f"How many {colour} blocks are there?"
    reasoning = steps(f"count {colour} blocks", *look(scene, counts), f"{sum(counts)} in all")
    return Task("counting", question, reasoning, str(sum(counts)))


def tower_count(scene: Scene, rng: np.random.Generator) -> Task:
    """How many towers have a property."""
    wanted = sample_property(rng)
    noun = plural(choose(rng, ("tower", "tower", "tower", "stack")), 2)
    stacks = [scene.stacks(box) for box in range(3)]
    matches = sum(wanted.test(stack) for box in stacks for stack in box)
    question = f"How many {noun} are there {wanted.wording}?"
    reasoning = steps(
        f"count towers {wanted.canonical}",
        *look(scene, [" and ".join(map(wanted.verdict, box)) for box in stacks]),
        f"{matches} in all",
    )
    return Task("counting", question, reasoning, str(matches))


def tallest(scene: Scene, rng: np.random.Generator) -> Task | None:
    """The box with the tallest tower; no question where two are equally tall."""
    heights = [max(len(stack) for stack in scene.stacks(box)) for box in range(3)]
    best = max(heights)
    if heights.count(best) > 1:
        return None
    question = choose(rng, ("Which box has the tallest tower?", "Which box has the highest tower?"))
    answer = BOXES[heights.index(best)]
    return Task("position", question, steps("compare towers", *look(scene, heights)), answer)


def heights_statement(scene: Scene, rng: np.random.Generator) -> Task | None:
    """Towers of the same height, or one higher than another."""
    if any(len(scene.stacks(box)) > 1 for box in range(3)):
        return None
    heights = [max(len(stack) for stack in scene.stacks(box)) for box in range(3)]
    a, b = (int(x) for x in rng.permutation(3)[:2])
    if rng.random() < 0.5:
        statement = f"the tower in the {BOXES[a]} box is higher than the one in the {BOXES[b]} box"
        reasoning = steps(
            f"compare {BOXES[a]} and {BOXES[b]}",
            *look(scene, heights),
            f"{heights[a]} against {heights[b]}",
        )
        return Task("comparison", finish(rng, statement), reasoning, truth(heights[a] > heights[b]))
    n = int(rng.integers(1, 5))
    statement = choose(
        rng,
        (
            f"all towers have {number(rng, n)} {plural('block', n)}",
            f"each tower is {number(rng, n)} blocks high",
        ),
    )
    if rng.random() < 0.6:
        statement, same = "at least two towers have the same height", len(set(heights)) < 3
        reasoning = steps("compare towers", *look(scene, heights), f"same {yes_no(same)}")
        return Task("comparison", finish(rng, statement), reasoning, truth(same))
    verdicts = [f"{height} {yes_no(height == n)}" for height in heights]
    reasoning = steps(f"count blocks, asked {n}", *look(scene, verdicts))
    return Task("comparison", finish(rng, statement), reasoning, truth(set(heights) == {n}))


STATEMENTS: tuple[tuple[Maker, float], ...] = (
    (tower, 0.67),
    (blocks, 0.22),
    (heights_statement, 0.11),
)
"""Makers of statements about stacked scenes, with their shares."""
