"""Two hundred statements written by hand about the hundred scenes, as rows in NLVR's layout.

    python benchmarks/people/statements.py people.parquet

writes `identifier, statement, label, image, boxes`, which the data adapter and the benchmark `nlvr`
read. Two statements a scene, one true and one false, in people's varied and careless manner; none
was made by the playground's makers. The labels were written down from the lists of items (and the
pictures, looked at for some) before the predicates were; `tests/benchmarks` holds the two against
each other. A predicate is a Python expression over

- `B`: the boxes, `T`: the towers' colours from the base, `heights`, `tops`, `bases`;
- `k(boxes, words)`: how many items are all that the words say: colour, shape, size, `left`, `top`,
  `right`, `bottom` (touching that side), `edge`, `corner`, `inside` (touching none);
- `per(words)`: `k` box by box; `colours`, `shapes` of boxes; `has(tower, *colours)`: these colours
  right on each other, from below.
"""

import argparse
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scenes

from noisygrpo.playground.scene import Item, Scene, render

FILE = Path(__file__).parent / "statements.jsonl"


@dataclass(frozen=True)
class Statement:
    """One line of the file."""

    scene: int
    statement: str
    label: bool
    pattern: str
    predicate: str


def load() -> list[Statement]:
    """All statements."""
    return [Statement(**json.loads(line)) for line in FILE.read_text().splitlines()]


def words_of(item: Item) -> set[str]:
    """Everything that can be said of an item."""
    far = 100 - item.side
    gaps = {"left": item.x, "top": item.y, "right": far - item.x, "bottom": far - item.y}
    touched = {side for side, gap in gaps.items() if gap <= 1}
    place = {0: {"inside"}, 1: {"edge"}, 2: {"edge", "corner"}}[len(touched)]
    return {item.colour, item.shape, item.size} | touched | place


def count(boxes: Any, words: str) -> int:
    """How many items of a box, or of several, are all of the words."""
    items = [i for box in boxes for i in ([box] if isinstance(box, Item) else box)]
    return sum(set(words.split()) <= words_of(item) for item in items)


def has(tower: list[str], *colours: str) -> bool:
    """Whether the colours stand right on each other, the first one lowest."""
    size = len(colours)
    return any(tuple(tower[i : i + size]) == colours for i in range(len(tower) - size + 1))


def evaluate(predicate: str, scene: Scene) -> bool:
    """The value of a predicate for a scene."""
    towers = [[block.colour for block in box] for box in scene.boxes] if scene.stacked else []
    names = {
        "B": scene.boxes,
        "T": towers,
        "heights": [len(tower) for tower in towers],
        "tops": [tower[-1] for tower in towers],
        "bases": [tower[0] for tower in towers],
        "k": count,
        "per": lambda words: [count(box, words) for box in scene.boxes],
        "colours": lambda *boxes: {item.colour for box in boxes for item in box},
        "shapes": lambda *boxes: {item.shape for box in boxes for item in box},
        "has": has,
    }
    # the file is ours; it is code, kept beside what it is about
    value = eval(predicate, {"__builtins__": {}, **_PLAIN, **names})
    if not isinstance(value, bool):
        raise TypeError(f"{predicate}: gives {value!r}")
    return value


_PLAIN = {f.__name__: f for f in (all, any, len, max, min, set, sum)}


def row(place: int, statement: Statement, scene: Scene) -> dict[str, object]:
    """A row in the layout of the corpus's files."""
    picture = io.BytesIO()
    render(scene).save(picture, "PNG")
    return {
        "identifier": f"people-{statement.scene}-{place % 2}-0",
        "statement": statement.statement,
        "label": "true" if statement.label else "false",
        "image": {"bytes": picture.getvalue(), "path": None},
        "boxes": json.dumps(scenes.to_json(scene), separators=(",", ":")),
    }


def write(path: Path) -> int:
    """Write all rows as parquet; the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    drawn = scenes.load()
    rows = [row(place, s, drawn[s.scene]) for place, s in enumerate(load())]
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    text = [(name, pa.string()) for name in ("identifier", "statement", "label")]
    schema = pa.schema([*text, ("image", image), ("boxes", pa.string())])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="the parquet file to write")
    path = parser.parse_args().path
    print(f"{write(path)} statements in {path}")


if __name__ == "__main__":
    main()
