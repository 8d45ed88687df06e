"""What is seen in a scene, box by box, as the reference reasoning says it."""

from collections.abc import Sequence

from noisygrpo.playground.language import Filter
from noisygrpo.playground.scene import BOX, BOXES, Item, Scene


def look(scene: Scene, verdicts: Sequence[object], *filters: Filter) -> list[str]:
    """A step per box, what is in it and what follows: ``left black circle gives 1``."""
    return [
        f"{name} {listing(scene, box, *filters)} gives {verdict}"
        for box, (name, verdict) in enumerate(zip(BOXES, verdicts, strict=True))
    ]


def listing(scene: Scene, box: int, *filters: Filter) -> str:
    """Everything in a box, from left to right.

    Stacked: the blocks of every stack from base to top, ``blue black``. Scattered: every item with
    the properties that the filters ask for, ``black circle and small yellow square edge``; colour
    and shape always, size and edge on demand.
    """
    if scene.stacked:
        stacks = [" ".join(block.colour for block in stack) for stack in scene.stacks(box)]
        return " and ".join(stacks)
    sized = any(f.size is not None for f in filters)
    edged = any(f.edge is not None for f in filters)
    names = []
    for item in sorted(scene.boxes[box], key=lambda item: (item.x, item.y)):
        words = [item.size] if sized else []
        words += [item.colour, item.shape]
        words += ["edge"] if edged and item.at_edge() else []
        names.append(" ".join(words))
    return " and ".join(names)


def place(item: Item) -> str:
    """Where an item has its centre, in thirds of its box: ``a1`` at the top left to ``c3``."""
    across, down = (3 * (v + item.side / 2) / BOX for v in (item.x, item.y))
    return "abc"[min(2, int(across))] + "123"[min(2, int(down))]


def reading(scene: Scene, box: int) -> str:
    """Everything about a box, item by item: size, colour, shape, place, and what it touches.

    Stacked scenes read as in ``listing``.
    """
    if scene.stacked:
        return listing(scene, box)
    items = scene.boxes[box]
    names = []
    for item in sorted(items, key=lambda item: (item.x, item.y)):
        words = [item.size, item.colour, item.shape, place(item)]
        words += ["edge"] if item.at_edge() else []
        words += ["beside"] if any(item.touches(other) for other in items) else []
        names.append(" ".join(words))
    return " and ".join(names)
