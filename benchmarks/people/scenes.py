"""The hundred scenes of the statements: `python benchmarks/people/scenes.py` draws them anew.

Even numbers are scattered (every other one with five to seven shapes a box), odd ones towers. In a
scattered scene one shape of a box moves into a corner at times: the playground's own scenes have
next to none there, and people mention corners. The scenes are kept as items in `scenes.json`, in
the form of the Cornell NLVR corpus's `boxes`, so that a later change of the playground's draws
leaves statements and labels alone.
"""

import json
from pathlib import Path

import numpy as np

from noisygrpo.playground.scene import BOX, SIZES, Item, Scene, sample_scene

FILE = Path(__file__).parent / "scenes.json"
COUNT = 100
_STREAM = 0x70656F70  # these scenes' own random numbers
_COLOURS = {"black": "Black", "blue": "#0099ff", "yellow": "Yellow"}


def draw(index: int) -> Scene:
    """Scene ``index``, a pure function of its number."""
    rng = np.random.default_rng(np.random.SeedSequence([_STREAM, index]))
    scene = sample_scene(rng, crowded=index % 4 == 0, stacked=index % 2 == 1)
    if scene.stacked:
        return scene
    boxes = [list(box) for box in scene.boxes]
    for box in boxes:
        if rng.random() < 0.3:
            place = int(rng.integers(len(box)))
            item, others = box[place], box[:place] + box[place + 1 :]
            far = BOX - item.side
            x, y = (int(side) for side in rng.choice((0, far), 2))
            moved = Item(item.shape, item.colour, item.size, x, y)
            if all(moved.gap_to(other) >= 1 for other in others):
                box[place] = moved
    return Scene(tuple(map(tuple, boxes)), stacked=False)


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


def main() -> None:
    lines = [json.dumps(to_json(draw(index)), separators=(",", ":")) for index in range(COUNT)]
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
