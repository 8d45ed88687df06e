"""What is seen in a scene, box by box, as the reference reasoning says it."""

from collections.abc import Sequence

from noisygrpo.playground.language import Filter
from noisygrpo.playground.scene import BOX, BOXES, Item, Scene

COLUMNS, ROWS = "abcde", "12345"
CELL = BOX // len(COLUMNS)


def look(scene: Scene, verdicts: Sequence[object], *filters: Filter) -> list[str]:
    """A step per box, what is in it and what follows: ``left black circle gives 1``."""
    return [
        f"{name} {listing(scene, box, *filters)} gives {verdict}"
        for box, (name, verdict) in enumerate(zip(BOXES, verdicts, strict=True))
    ]


def listing(scene: Scene, box: int, *filters: Filter) -> str:
    """Everything in a box, from left to right.

    Stacked: the blocks of every stack from base to top, ``blue black``. Scattered: every item with
    its place and the properties that the filters ask for, ``a2 black circle and c4 small yellow
    square edge``; place, colour and shape always, size and edge on demand.
    """
    if scene.stacked:
        stacks = [" ".join(block.colour for block in stack) for stack in scene.stacks(box)]
        return " and ".join(stacks)
    sized = any(f.size is not None for f in filters)
    edged = any(f.edge is not None for f in filters)
    names = []
    for item in in_order(scene.boxes[box]):
        words = [place(item)] + ([item.size] if sized else [])
        words += [item.colour, item.shape]
        words += ["edge"] if edged and item.at_edge() else []
        names.append(" ".join(words))
    return " and ".join(names)


def _cell(item: Item) -> tuple[int, int]:
    return (item.x + item.side // 2) // CELL, (item.y + item.side // 2) // CELL


def place(item: Item) -> str:
    """Where an item has its centre, in fifths of its box: ``a1`` at the top left to ``e5``.

    A fifth of a box is what one image token covers.
    """
    across, down = _cell(item)
    return COLUMNS[across] + ROWS[down]


def in_order(items: Sequence[Item]) -> list[Item]:
    """Items column by column of the places, each from the top: the order in which one reads."""
    return sorted(items, key=lambda item: (*_cell(item), item.x, item.y))


def reading(scene: Scene, box: int) -> str:
    """Everything about a box, item by item: place, size, colour, shape, and what it touches.

    Stacked scenes read as in ``listing``.
    """
    if scene.stacked:
        return listing(scene, box)
    items = scene.boxes[box]
    names = []
    for item in in_order(items):
        words = [place(item), item.size, item.colour, item.shape]
        words += ["edge"] if item.at_edge() else []
        words += ["beside"] if any(item.touches(other) for other in items) else []
        names.append(" ".join(words))
    return " and ".join(names)
