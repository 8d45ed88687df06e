"""The hundred scenes of the statements, and scenes from and to the corpus's description.

Even numbers are scattered (every other one with five to seven shapes a box), odd ones towers. They
were drawn once with the playground's `sample_scene`; then one shape of a scattered box in three
went into a corner, which people mention and the draws of that day hardly had. They are kept as
items, in the form of the Cornell NLVR corpus's `boxes`, so that a later change of the draws leaves
statements and labels alone.
"""

import json
from pathlib import Path

from noisygrpo.playground.scene import SIZES, Item, Scene

FILE = Path(__file__).parent / "scenes.json"
_COLOURS = {"black": "Black", "blue": "#0099ff", "yellow": "Yellow"}


def to_json(scene: Scene) -> list[list[dict[str, object]]]:
    """The items as the corpus's `boxes` describe them."""
    return [
        [
            {
                "x_loc": item.x,
                "y_loc": item.y,
                "size": item.side,
                "type": item.shape,
                "color": _COLOURS[item.colour],
            }
            for item in box
        ]
        for box in scene.boxes
    ]


def from_json(boxes: list[list[dict[str, object]]]) -> Scene:
    """A scene from the corpus's `boxes`; stacked where every item is a block of one column."""
    colours = {name: colour for colour, name in _COLOURS.items()}
    sizes = {side: size for size, side in SIZES.items()}
    items = tuple(
        tuple(
            Item(
                str(item["type"]),
                colours[str(item["color"])],
                sizes[int(str(item["size"]))],
                int(str(item["x_loc"])),
                int(str(item["y_loc"])),
            )
            for item in box
        )
        for box in boxes
    )
    columns = {(item.shape, item.size, item.x) for box in items for item in box}
    if columns == {("square", "medium", 40)}:
        towers = tuple(tuple(sorted(box, key=lambda item: -item.y)) for box in items)
        return Scene(towers, stacked=True)
    return Scene(items, stacked=False)


def load() -> list[Scene]:
    """The kept scenes."""
    return [from_json(boxes) for boxes in json.loads(FILE.read_text())]
