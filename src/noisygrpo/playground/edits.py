"""Small changes to a scene: one item added, taken away, or given another property.

They make the counterfactual pairs (the same question on a picture in which one thing differs) and
the slips of the warm start (a reading in which one thing is wrong).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from noisygrpo.playground.language import Task
from noisygrpo.playground.scene import (
    BOX,
    COLOURS,
    HELD_OUT,
    SHAPES,
    SIZES,
    STACK_PITCH,
    Item,
    Scene,
    place_item,
)

_TRIES = 60
_PROPERTIES = {"colour": tuple(COLOURS), "shape": SHAPES, "size": tuple(SIZES)}


def _free(item: Item, others: list[Item]) -> bool:
    """Whether an item is inside its box, clear of the others and of the pairs never shown."""
    inside = max(item.x, item.y) + item.side <= BOX
    known = (item.shape, item.colour) not in HELD_OUT
    return inside and known and all(item.gap_to(other) >= 1 for other in others)


def _scattered(rng: np.random.Generator, items: list[Item]) -> list[Item] | None:
    place = int(rng.integers(len(items)))
    others = items[:place] + items[place + 1 :]
    what = rng.random()
    if what < 0.2 and len(items) > 1:
        return others
    if what < 0.4 and len(items) < 6:
        new = place_item(rng, items)
        return [*items, new] if _free(new, items) else None
    field = ("colour", "shape", "size")[int(rng.choice(3, p=(0.45, 0.4, 0.15)))]
    options = [v for v in _PROPERTIES[field] if v != getattr(items[place], field)]
    value = options[int(rng.integers(len(options)))]
    new = replace(items[place], **{field: value})  # type: ignore[arg-type]
    return [*items[:place], new, *items[place + 1 :]] if _free(new, others) else None


def _from_the_base(items: list[Item]) -> list[Item]:
    """Blocks stack by stack, each from its base: the order of ``Scene``."""
    return sorted(items, key=lambda item: (item.x, -item.y))


def _stacked(rng: np.random.Generator, items: list[Item]) -> list[Item] | None:
    place = int(rng.integers(len(items)))
    column = [item for item in items if item.x == items[place].x]
    rest = [item for item in items if item.x != items[place].x]
    what = rng.random()
    if what < 0.2 and len(column) > 1:
        return _from_the_base([*rest, *column[:-1]])
    colours = tuple(COLOURS)
    if what < 0.4 and len(column) < 4:
        colour = colours[int(rng.integers(3))]
        new = replace(column[-1], colour=colour, y=column[-1].y - STACK_PITCH)
        return _from_the_base([*rest, *column, new])
    options = [c for c in colours if c != items[place].colour]
    new = replace(items[place], colour=options[int(rng.integers(2))])
    return [*items[:place], new, *items[place + 1 :]]


def edit(rng: np.random.Generator, scene: Scene) -> Scene | None:
    """The scene with one item changed, or ``None`` where the draw does not fit."""
    box = int(rng.integers(len(scene.boxes)))
    change = _stacked if scene.stacked else _scattered
    items = change(rng, list(scene.boxes[box]))
    if items is None:
        return None
    boxes = [*scene.boxes[:box], tuple(items), *scene.boxes[box + 1 :]]
    return Scene(tuple(boxes), scene.stacked)


@dataclass(frozen=True)
class Asked:
    """A question with the scene and a way to ask it again, in the same words, of another scene."""

    scene: Scene
    task: Task
    ask: Callable[[Scene], Task | None]


def edited(
    rng: np.random.Generator, one: Asked, wanted: Callable[[str], bool], depth: int = 1
) -> tuple[Scene, Task] | None:
    """A scene ``depth`` edits away on which the same question has an answer that is ``wanted``.

    Args:
        rng: the only source of randomness.
        one: the question and where to begin; of another scene it must come out in the same words.
        wanted: which answers will do.
        depth: edits one after the other, at most; fewer where fewer suffice.
    """
    for _ in range(_TRIES):
        changed: Scene | None = one.scene
        for _ in range(depth):
            changed = edit(rng, changed) if changed else None
            other = one.ask(changed) if changed else None
            if other and other.question == one.task.question and wanted(other.answer):
                assert changed is not None
                return changed, other
    return None
