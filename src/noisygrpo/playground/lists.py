"""Questions whose answer names things: what is in a box, of what a tower is made, what is left of.

Nobody is right on them by luck.
"""

from itertools import pairwise

import numpy as np

from noisygrpo.playground.language import Task, choose, steps
from noisygrpo.playground.looking import in_order, listing, place
from noisygrpo.playground.scene import BOXES, Scene

_APART = 5
"""Pixels between the centres of two items before one is left of the other."""


def list_box(scene: Scene, rng: np.random.Generator) -> Task | None:
    """Everything in a box from left to right; no question where the order is in doubt."""
    b = int(rng.integers(3))
    items = in_order(scene.boxes[b], b)
    if any(place(left, b)[0] == place(right, b)[0] for left, right in pairwise(items)):
        return None
    noun = choose(rng, ("items", "objects", "things"))
    question = choose(
        rng,
        (
            f"What is in the {BOXES[b]} box, from left to right?",
            f"Name the {noun} in the {BOXES[b]} box from left to right.",
            f"Which {noun} are in the {BOXES[b]} box, from left to right?",
        ),
    )
    reasoning = steps(f"look at the {BOXES[b]} box", f"{BOXES[b]} {listing(scene, b)}")
    return Task("list", question, reasoning, " then ".join(item.name for item in items))


def left_of(scene: Scene, rng: np.random.Generator) -> Task | None:
    """The one item left of a named one in a box, or ``none``."""
    b, right = int(rng.integers(3)), bool(rng.random() < 0.5)
    rarely = bool(rng.random() < 0.25)  # 'none' would be right too often
    items = in_order(scene.boxes[b], b)
    chosen = int(rng.integers(4))
    if chosen >= len(items):
        return None
    named = items[chosen]
    if sum(item.name == named.name for item in items) > 1:
        return None
    middle = named.x + named.side / 2
    gaps = [(item, item.x + item.side / 2 - middle) for item in items if item is not named]
    if any(abs(gap) < _APART for _, gap in gaps):
        return None
    beyond = [item for item, gap in gaps if (gap > 0) == right]
    if len(beyond) > 1 or not (beyond or rarely):
        return None
    side = "right" if right else "left"
    question = choose(
        rng,
        (
            f"What is {side} of the {named.name} in the {BOXES[b]} box?",
            f"What stands to the {side} of the {named.name} in the {BOXES[b]} box?",
        ),
    )
    answer = beyond[0].name if beyond else "none"
    seen = f"{BOXES[b]} {listing(scene, b)} gives {answer}"
    return Task("list", question, steps(f"look {side} of {named.name}", seen), answer)


def list_tower(scene: Scene, rng: np.random.Generator) -> Task | None:
    """The colours of a tower from its base up."""
    b = int(rng.integers(3))
    if len(scene.stacks(b)) > 1:
        return None
    spelled = choose(rng, ("colors", "colours"))
    question = choose(
        rng,
        (
            f"What {spelled} are the blocks in the {BOXES[b]} box, from the base to the top?",
            f"Name the {spelled} of the tower in the {BOXES[b]} box from the bottom up.",
        ),
    )
    answer = " then ".join(block.colour for block in scene.stacks(b)[0])
    reasoning = steps(f"look at the {BOXES[b]} box", f"{BOXES[b]} {listing(scene, b)}")
    return Task("list", question, reasoning, answer)


def list_ends(scene: Scene, rng: np.random.Generator) -> Task | None:
    """The colours at the top, or at the base, of the three towers."""
    if any(len(scene.stacks(box)) > 1 for box in range(3)):
        return None
    top = bool(rng.random() < 0.5)
    end = "top" if top else choose(rng, ("base", "bottom"))
    spelled = choose(rng, ("colors", "colours"))
    question = f"What {spelled} are at the {end} of the towers, from left to right?"
    found = [scene.stacks(box)[0][-1 if top else 0].colour for box in range(3)]
    seen = [f"{name} {listing(scene, b)} gives {found[b]}" for b, name in enumerate(BOXES)]
    reasoning = steps(f"look at the {'top' if top else 'base'} of every tower", *seen)
    return Task("list", question, reasoning, " then ".join(found))
