"""What is seen in a scene, box by box, as the reference reasoning says it."""

from collections.abc import Sequence

from noisygrpo.playground.language import Filter
from noisygrpo.playground.scene import BOXES, Scene


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
