"""The layouts of NoisyRollout's ``eval_data.zip``, as unzipped, and of the originals that it holds.

::

    geometry3k/test/<number>/data.json, img_diagram.png       as Inter-GPS published it
    mathvision/MathVision.tsv, images/<index>.jpg             as VLMEvalKit published it
    hallubench/HallusionBench.json, images/<filename>
    wemath/testmini.json, images/<image_path>
    mathverse/testmini.json, images/<image>
    mathvista/images/<pid>.jpg, rows from the hub             or testmini.json of its repository

Source: NUS-TRAIL/NoisyRollout at 09347dd, ``eval/utils/data_loaders.py``. Where that leaves a row
out (no picture, no text), here the row counts: what cannot be read is a wrong answer.

Each function takes a file or folder and an image root ("": the layout's own); None where the layout
is another.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from noisygrpo.data.cells import Root
from noisygrpo.data.files import read_csv, read_json
from noisygrpo.data.raw import RawRows
from noisygrpo.errors import UserError, require

_LETTERS = "ABCDEFGH"
Row = dict[str, Any]


def geometry3k(place: Path, image_root: str) -> RawRows | None:
    """Folders of problems; the answer is the value of the right choice."""
    test = place / "test" if (place / "test").is_dir() else place
    found = [path for path in test.iterdir() if path.is_dir()] if test.is_dir() else []
    problems = [p for p in found if (p / "data.json").is_file() or (p / "img_diagram.png").exists()]
    if not problems:
        return None
    problems.sort(key=lambda path: (len(path.name), path.name))
    rows = [_geometry_problem(path) for path in problems]
    names = [f"{path.name}/data.json" for path in problems]
    return _raw(rows, "geometry3k", test, _root(image_root, test), lambda row: names[row])


def _geometry_problem(folder: Path) -> Row:
    where = f"{folder.parent.name}/{folder.name}/data.json"
    require((folder / "data.json").is_file(), f"geometry3k: {where} is missing")
    try:
        data = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        answer = data["choices"][_LETTERS.index(data["answer"])]
        row = {"id": data["id"], "problem": data["annotat_text"], "answer": answer}
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"geometry3k: {where} cannot be read: {error!r}") from error
    return {**row, "images": f"{folder.name}/img_diagram.png"}


def mathvision(place: Path, image_root: str) -> RawRows | None:
    """VLMEvalKit's table; pictures beside it, or in its column ``image`` as base64."""
    file = _file(place, "MathVision.tsv")
    if file is None or file.suffix != ".tsv":
        return None
    columns, read, where = read_csv(file)
    for name in ("index", "question", "answer"):
        require(
            name in columns, f"mathvision: {file.name} has no column {name!r}; it has {columns}"
        )
    folder = Path(image_root).expanduser() if image_root else file.parent / "images"
    beside = folder.is_dir()
    rows = []
    for number, row in enumerate(read):
        for name in ("index", "question", "answer"):
            require(bool(row[name]), f"mathvision: {where(number)}: the column {name!r} is empty")
        picture = {"base64": row["image"]} if row.get("image") and not beside else None
        try:
            options = _choices(row.get("choices"))
        except (ValueError, SyntaxError) as error:
            raise UserError(f"mathvision: {where(number)}: choices: {error}") from error
        rows.append(
            {
                "id": row["index"],
                "question": row["question"],
                "options": options,
                "answer": row["answer"],
                "level": row.get("level") or "",
                "subject": row.get("category") or row.get("subject") or "unknown",
                "image": picture or f"{row['index']}.jpg",
            }
        )
    root = _root(image_root, folder if beside else file.parent)
    return _raw(rows, "mathvision", file, root, where)


def _choices(cell: str | None) -> list[str]:
    """A list as Python or JSON writes it; none where the cell is empty."""
    value = ast.literal_eval(cell) if cell else []
    if not isinstance(value, list):
        raise ValueError(f"{cell!r:.60} is no list")
    return [str(item) for item in value]


def hallusionbench(place: Path, image_root: str) -> RawRows | None:
    """The original's table; ``filename`` is null where there is no picture."""
    return _table(place, image_root, "HallusionBench.json")


def wemath(place: Path, image_root: str) -> RawRows | None:
    """The original's table and its folder of pictures."""
    return _table(place, image_root, "testmini.json")


def mathverse(place: Path, image_root: str) -> RawRows | None:
    """The original's table and its folder of pictures."""
    return _table(place, image_root, "testmini.json")


def mathvista(place: Path, image_root: str) -> RawRows | None:
    """The original's table, a mapping from ``pid``; paths in it begin with ``images/``.

    The prompts are in it (as on the hub), or in ``query.json`` beside it (as in the repository).
    """
    file = _file(place, "testmini.json")
    if file is None or file.suffix != ".json":
        return None
    found = _mapping(file)
    if found is None:
        return None
    pids = list(found)
    rows = [{"pid": pid, **found[pid]} for pid in pids]
    if not all("query" in row for row in rows):
        beside = file.with_name("query.json")
        require(beside.is_file(), f"mathvista: {file.name} has no 'query', nor is query.json there")
        queries = _mapping(beside) or {}
        missing = [pid for pid in pids if pid not in queries]
        require(not missing, f"mathvista: query.json has nothing for {', '.join(missing[:3])}")
        rows = [{**row, "query": queries[row["pid"]]} for row in rows]
    root = _root(image_root, file.parent)
    return _raw(rows, "mathvista", file, root, lambda row: f"{file.name} {pids[row]!r}")


def _mapping(file: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"mathvista: {file.name} is not JSON: {error}") from error
    return found if isinstance(found, Mapping) else None


def _table(place: Path, image_root: str, name: str) -> RawRows | None:
    file = _file(place, name)
    if file is None or file.name != name:
        return None
    columns, rows, where = read_json(file)
    pictures = file.parent / "images"
    root = _root(image_root, pictures if pictures.is_dir() else file.parent)
    return RawRows(columns, rows, file.stem, file.name, where, root)


def _file(place: Path, name: str) -> Path | None:
    """The file of that name in a folder, or the file itself."""
    if place.is_file():
        return place
    return place / name if (place / name).is_file() else None


def _root(given: str, default: Path) -> Root:
    if given:
        folder = Path(given).expanduser()
        require(folder.is_dir(), f"--image-root: {given!r} is not a folder")
        return Root(folder, given=True)
    return Root(default)


def _raw(
    rows: list[Row], name: str, place: Path, root: Root, where: Callable[[int], str]
) -> RawRows:
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    return RawRows(columns, rows, name, place.name, where, root)
