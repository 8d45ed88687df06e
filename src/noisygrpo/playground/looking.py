"""What is seen in a scene, box by box, as the reference reasoning says it."""

from collections.abc import Sequence

from noisygrpo.playground.language import Filter
from noisygrpo.playground.scene import BOX, BOXES, GAP, Item, Scene

CELL = 20
"""Pixels across and down that one image token covers, and one place names."""
COLUMNS, ROWS = "abcdefghijklmnopqrst", "12345"


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
    for item in in_order(scene.boxes[box], box):
        words = [place(item, box)] + ([item.size] if sized else [])
        words += [item.colour, item.shape]
        words += ["edge"] if edged and item.at_edge() else []
        names.append(" ".join(words))
    return " and ".join(names)


def place(item: Item, box: int) -> str:
    """Which image token holds an item's centre: ``a1`` at the top left to ``t5``.

    The columns run through the whole picture, so that a place names one token, whatever the box.
    """
    across, down = box * (BOX + GAP) + item.x + item.side // 2, item.y + item.side // 2
    return COLUMNS[across // CELL] + ROWS[down // CELL]


def in_order(items: Sequence[Item], box: int) -> list[Item]:
    """Items column by column of the places, each from the top: the order in which one reads."""
    return sorted(items, key=lambda item: (place(item, box), item.x, item.y))


def reading(scene: Scene, box: int) -> str:
    """Everything about a box, item by item: place, size, colour, shape, and what it touches.

    Stacked scenes read as in ``listing``.
    """
    if scene.stacked:
        return listing(scene, box)
    items = scene.boxes[box]
    names = []
    for item in in_order(items, box):
        words = [place(item, box), item.size, item.colour, item.shape]
        words += ["edge"] if item.at_edge() else []
        words += ["beside"] if any(item.touches(other) for other in items) else []
        names.append(" ".join(words))
    return " and ".join(names)
