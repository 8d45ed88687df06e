"""Questions about stacks of blocks: height, what stands at the base, at the top or on what, and counting."""

from collections.abc import Callable, Sequence

import numpy as np

from noisygrpo.playground.language import (
    Comparison,
    Task,
    article,
    by_box,
    choose,
    finish,
    number,
    plural,
    sample_comparison,
    steps,
    yes_no,
)
from noisygrpo.playground.scattered import Maker, _truth
from noisygrpo.playground.scene import BOXES, Item, Scene

_COLOURS = ("black", "blue", "yellow")
_BASE, _TOP = ("base", "bottom"), ("top",)


def describe(scene: Scene) -> str:
    """``left blue black, middle yellow, right black black``: every stack from base to top."""
    return by_box(
        [
            " and ".join(" ".join(block.colour for block in stack) for stack in scene.stacks(box))
            for box in range(len(BOXES))
        ]
    )


Property = tuple[
    str, str, Callable[[Sequence[Item]], bool]
]  # wording after 'a tower', canonical name, test


def _height(rng: np.random.Generator) -> Property:
    comparison = sample_comparison(rng, 4)
    if comparison.n == 0:
        comparison = Comparison("exactly", 1)
    noun = plural(choose(rng, ("block", "block", "item", "square")), comparison.n)
    lead = choose(rng, ("with", "with", "which has", "having"))
    wording = f"{lead} {comparison.wording(rng)} {noun}"
    return wording, f"{comparison.canonical()} high", lambda stack: comparison.holds(len(stack))


def _end(rng: np.random.Generator) -> Property:
    colour, at_top = choose(rng, _COLOURS), bool(rng.random() < 0.5)
    end = choose(rng, _TOP if at_top else _BASE)
    noun = choose(rng, ("block", "block", "item"))
    phrase = choose(rng, (f"at the {end}", f"at the {end}", f"as the {end}", f"on the {end}"))
    lead = choose(rng, ("with a", "with a", "having a", "that has a"))
    wording = (
        f"{lead} {colour} {noun} {phrase}" if rng.random() < 0.85 else f"{lead} {colour} {end}"
    )
    position = -1 if at_top else 0
    return (
        wording,
        f"{colour} {'top' if at_top else 'base'}",
        lambda stack: stack[position].colour == colour,
    )


def _over(rng: np.random.Generator) -> Property:
    upper, lower = choose(rng, _COLOURS), choose(rng, _COLOURS)
    relation = choose(rng, ("over", "above", "on top of"))
    wording = f"with {article(upper + ' block')} {relation} {article(lower + ' block')}"

    def holds(stack: Sequence[Item]) -> bool:
        pairs = zip(stack[:-1], stack[1:], strict=True)
        return any(below.colour == lower and above.colour == upper for below, above in pairs)

    return wording, f"{upper} on {lower}", holds


def _contains(rng: np.random.Generator) -> Property:
    count = int(rng.integers(1, 4))
    colours = [str(c) for c in rng.permutation(_COLOURS)[:count]]
    phrases = [article(colour + " block") for colour in colours]
    wording = "with " + (
        phrases[0] if count == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]
    )
    return (
        wording,
        "with " + " and ".join(colours),
        lambda stack: set(colours) <= {block.colour for block in stack},
    )


def _only(rng: np.random.Generator) -> Property:
    colour = choose(rng, _COLOURS)
    wording = choose(
        rng,
        (f"with only {colour} blocks", f"of only {colour} blocks", f"with {colour} blocks only"),
    )
    return wording, f"only {colour}", lambda stack: all(block.colour == colour for block in stack)


def _exactly_coloured(rng: np.random.Generator) -> Property:
    comparison, colour = sample_comparison(rng, 2), choose(rng, _COLOURS)
    noun = plural("block", comparison.n)
    wording = f"with {comparison.wording(rng)} {colour} {noun}"
    canonical = f"{comparison.canonical()} {colour}"
    return (
        wording,
        canonical,
        lambda stack: comparison.holds(sum(b.colour == colour for b in stack)),
    )


_PROPERTIES = (_height, _end, _end, _over, _contains, _only, _exactly_coloured)


def _property(rng: np.random.Generator) -> Property:
    first = _PROPERTIES[int(rng.integers(len(_PROPERTIES)))](rng)
    if rng.random() > 0.2:
        return first
    height, end = _height(rng), _end(rng)  # 'with exactly two blocks with a black block at the top'
    return (
        f"{height[0]} {end[0]}",
        f"{height[1]} and {end[1]}",
        lambda stack: height[2](stack) and end[2](stack),
    )


def tower(scene: Scene, rng: np.random.Generator) -> Task:
    """How many towers have a property, against 'a', 'no', 'exactly n' or 'at least n'."""
    wording, canonical, test = _property(rng)
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
    found = [[test(stack) for stack in scene.stacks(box)] for box in range(3)]
    matches = sum(map(sum, found))
    reasoning = steps(
        f"look for towers {canonical}",
        describe(scene),
        by_box([" and ".join(map(yes_no, flags)) for flags in found]),
        f"{matches} in all, asked {comparison.canonical()}",
    )
    return Task("stacking", finish(rng, statement), reasoning, _truth(comparison.holds(matches)))


def blocks(scene: Scene, rng: np.random.Generator) -> Task:
    """Blocks of a colour counted over the whole picture; with relation 'over' at times."""
    colour = choose(rng, _COLOURS)
    if rng.random() < 0.3:
        wording, canonical, test = _over(rng)
        statement = "there is " + wording.removeprefix("with ")
        flags = [any(test(stack) for stack in scene.stacks(box)) for box in range(3)]
        reasoning = steps(
            f"look for {canonical}", describe(scene), by_box([yes_no(f) for f in flags])
        )
        return Task("stacking", finish(rng, statement), reasoning, _truth(any(flags)))
    comparison = sample_comparison(rng, 4)
    counts = [sum(item.colour == colour for item in box) for box in scene.boxes]
    noun = plural(choose(rng, ("block", "block", "square", "item")), comparison.n)
    verb = "is" if comparison.n == 1 else "are"
    statement = f"there {verb} {comparison.wording(rng)} {colour} {noun}"
    reasoning = steps(
        f"count {colour} blocks",
        describe(scene),
        by_box(counts),
        f"{sum(counts)} in all, asked {comparison.canonical()}",
    )
    return Task(
        "counting", finish(rng, statement), reasoning, _truth(comparison.holds(sum(counts)))
    )


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
        "base": f"at the {choose(rng, _BASE)}",
        "second": "second from the base",
    }[name]
    question = f"What {choose(rng, ('color', 'colour'))} is the block {place} of the tower in the {BOXES[b]} box?"
    listing = " and ".join(" ".join(block.colour for block in s) for s in scene.stacks(b))
    reasoning = steps(f"look at the {BOXES[b]} box", listing, f"{name} {colour}")
    return Task("colour", question, reasoning, colour)


def stack_count(scene: Scene, rng: np.random.Generator) -> Task:
    if rng.random() < 0.5:
        b = int(rng.integers(3))
        n = len(scene.boxes[b])
        question = f"How many blocks are in the {BOXES[b]} box?"
        listing = " and ".join(" ".join(block.colour for block in s) for s in scene.stacks(b))
        return Task(
            "counting",
            question,
            steps(f"look at the {BOXES[b]} box", listing, f"{n} in all"),
            str(n),
        )
    colour = choose(rng, _COLOURS)
    counts = [sum(item.colour == colour for item in box) for box in scene.boxes]
    question = f"How many {colour} blocks are there?"
    reasoning = steps(
        f"count {colour} blocks", describe(scene), by_box(counts), f"{sum(counts)} in all"
    )
    return Task("counting", question, reasoning, str(sum(counts)))


def tallest(scene: Scene, rng: np.random.Generator) -> Task | None:
    heights = [max(len(stack) for stack in scene.stacks(box)) for box in range(3)]
    best = max(heights)
    if heights.count(best) > 1:
        return None
    question = choose(rng, ("Which box has the tallest tower?", "Which box has the highest tower?"))
    answer = BOXES[heights.index(best)]
    return Task("position", question, steps("compare towers", by_box(heights)), answer)


def heights_statement(scene: Scene, rng: np.random.Generator) -> Task | None:
    """Towers of the same height, or one higher than another."""
    if any(len(scene.stacks(box)) > 1 for box in range(3)):
        return None
    heights = [max(len(stack) for stack in scene.stacks(box)) for box in range(3)]
    a, b = (int(x) for x in rng.permutation(3)[:2])
    if rng.random() < 0.5:
        statement = f"the tower in the {BOXES[a]} box is higher than the one in the {BOXES[b]} box"
        reasoning = steps(f"compare {BOXES[a]} and {BOXES[b]}", by_box(heights))
        return Task(
            "comparison", finish(rng, statement), reasoning, _truth(heights[a] > heights[b])
        )
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
        reasoning = steps("compare towers", by_box(heights), f"same {yes_no(same)}")
        return Task("comparison", finish(rng, statement), reasoning, _truth(same))
    reasoning = steps(f"count blocks, asked {n}", by_box(heights))
    return Task("comparison", finish(rng, statement), reasoning, _truth(set(heights) == {n}))


MAKERS: tuple[tuple[Maker, float], ...] = (
    (tower, 0.50),
    (blocks, 0.16),
    (stack_end, 0.09),
    (stack_count, 0.10),
    (tallest, 0.07),
    (heights_statement, 0.08),
)
