"""Text files of rows: json, json lines, csv and tsv. Each row is known by its line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from noisygrpo.data.texts import kind_of, read_text
from noisygrpo.errors import UserError, require

_HALF = re.compile(r"\\u[dD][89a-fA-F]")

Read = tuple[tuple[str, ...], list[dict[str, Any]], Callable[[int], str]]
"""Column names, rows, and the function that names a row."""


def read_json(path: Path, name: str = "") -> Read:
    """Read a list of objects, objects under their ids, or one object per line; which of them is
    seen by the file itself.

    Blank lines are allowed. ``name`` is what messages call the file. Raises ``UserError`` for
    anything else, with the line.
    """
    name = name or path.name
    text = read_text(path, name)
    if not text.strip():
        return (), [], lambda row: name
    if kind_of(path) in (".jsonl", ".ndjson") or _is_lines(text):
        return _whole(_lines(text, name), text)
    rows = _parse(text, name)
    if isinstance(rows, dict) and _are_rows(rows.values()):
        keys = [repr(key) for key in rows]
        return _whole(_named([*rows.values()], name, "entry", keys), text)
    if isinstance(rows, dict):
        raise UserError(
            f"{name}: expected a list of objects at the top, but it is one object with the "
            f"keys {list(rows)[:8]}{_way_out(rows)}"
        )
    require(isinstance(rows, list), f"{name}: expected a list of objects at the top")
    return _whole(_named(rows, name, "item", list(range(len(rows)))), text)


_ASKING = {
    "question", "problem", "query", "prompt", "instruction", "messages", "conversations",
}  # fmt: skip


def _are_rows(values: Collection[Any]) -> bool:
    """Whether the values of an object are rows: MathVista and ScienceQA keep theirs under ids."""
    return bool(values) and all(isinstance(row, dict) and _ASKING & row.keys() for row in values)


def _way_out(rows: dict[str, Any]) -> str:
    """What makes a list of rows of an object."""
    for key, value in rows.items():
        if isinstance(value, list) and value and isinstance(value[0], dict) and key != "messages":
            return f"; save the list under {key!r} alone"
    sizes = {len(v) if isinstance(v, (list, dict)) else -1 for v in rows.values()}
    if len(rows) > 1 and len(sizes) == 1 and sizes != {-1}:
        return "; it holds columns, not rows: pandas writes rows with orient='records'"
    return "; a single row is a list of one" if _ASKING & rows.keys() else ""


def _whole(read: Read, text: str) -> Read:
    """Refuse halves of characters (``\\ud83d`` alone), which are in no text and in no column."""
    if _HALF.search(text):
        _, rows, where = read
        for index, row in enumerate(rows):
            try:
                json.dumps(row, ensure_ascii=False).encode()
            except UnicodeEncodeError as error:
                half = error.object[error.start : error.end]
                raise UserError(
                    f"{where(index)}: {half!r} is half of a character: was the text cut?"
                ) from error
    return read


def _is_lines(text: str) -> bool:
    """Whether a .json file holds an object on each of its first two lines."""
    lines = [line for line in text.split("\n", 3)[:3] if line.strip()][:2]
    try:
        return len(lines) == 2 and all(isinstance(json.loads(line), dict) for line in lines)
    except json.JSONDecodeError:
        return False


def _lines(text: str, name: str) -> Read:
    rows, numbers = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            rows.append(_parse(line, f"{name} line {number}"))
            numbers.append(number)
    if len(rows) == 1 and isinstance(rows[0], list):
        return _named(rows[0], name, "item", list(range(len(rows[0]))))
    return _named(rows, name, "line", numbers)


def _named(rows: list[Any], name: str, unit: str, numbers: Sequence[int | str]) -> Read:
    for number, row in zip(numbers, rows, strict=True):
        if not isinstance(row, dict):
            raise UserError(f"{name} {unit} {number}: {row!r:.80} is not an object")
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    return columns, rows, lambda row: f"{name} {unit} {numbers[row]}"


class _Twice(Exception):
    """An object has a key twice, and not the same value."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        for key, value in pairs:
            if repr(value) != repr(made[key]):
                raise _Twice(
                    f"{key!r} stands twice in one object: {value!r:.80}, {made[key]!r:.80}"
                )
    return made


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except _Twice as error:
        raise UserError(f"{where}: {error}") from None
    except RecursionError:
        raise UserError(f"{where}: not valid JSON: nested too deeply to be read") from None
    except json.JSONDecodeError as error:
        hint = ""
        if text.lstrip().startswith("{'"):
            hint = " (it looks like Python's repr: use json.dumps)"
        raise UserError(f"{where}: not valid JSON: {error}{hint}") from error


def read_csv(path: Path, name: str = "") -> Read:
    """Read comma- or tab-separated rows under a header; every cell is text, an empty one is null.

    A .csv whose header has semicolons or tabs and no comma (names in quotes aside) is separated by
    those, as spreadsheets write it where the comma is for decimals; ``sep=;`` above the header says
    so too. Rows of empty cells are no rows, and a first column without a name, in which pandas
    numbers the rows, is none.

    Raises ``UserError`` for a missing or double name in the header and for a row with more or fewer
    cells, with the line; ``name`` is what messages call the file.
    """
    name = name or path.name
    csv.field_size_limit(1 << 30)  # a picture in base64 is one cell
    text = read_text(path, name)
    said = _SEPARATOR.match(text)
    text = text[said.end() :] if said else text
    delimiter = said.group(1) if said else _delimiter(text, kind_of(path))
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        strict=True,
        skipinitialspace=delimiter != "\t",  # a, "b, c"
    )
    above = 1 if said else 0
    top = f"{name} line {above + 1}"
    rows, numbers = [], []
    try:
        header, numbered = _header(next(reader, []), top)
        line = above + reader.line_num + 1
        for cells in reader:
            if any(cells):
                require(
                    len(cells) == len(header) + numbered,
                    f"{name} line {line}: {len(cells)} cells, but the header names "
                    f"{len(header) + numbered}; a cell with {delimiter!r} in it needs quotes",
                )
                require(not numbered or cells[0].isdigit(), f"{top}: a column has no name")
                values = (cell or None for cell in cells[numbered:])
                rows.append(dict(zip(header, values, strict=True)))
                numbers.append(line)
            line = above + reader.line_num + 1
    except csv.Error as error:
        line = above + reader.line_num
        raise UserError(f"{name} line {line}: not valid csv: {error}") from error
    return tuple(header), rows, lambda row: f"{name} line {numbers[row]}"


_SEPARATOR = re.compile(r"sep=([,;\t|])[,;\t|]*\n", re.IGNORECASE)


def _delimiter(text: str, kind: str) -> str:
    first = re.sub(r'"[^"\n]*"', "", text.partition("\n")[0])
    other = next((sign for sign in "\t;" if sign in first and "," not in first), ",")
    return "\t" if kind == ".tsv" else other


def _header(cells: list[str], where: str) -> tuple[list[str], int]:
    """The names of the columns, and how many columns in front have none (pandas' numbers)."""
    names = [name.strip() for name in cells]
    numbered = int(len(names) > 1 and not names[0])
    names = names[numbered:]
    for name in names:
        require(bool(name), f"{where}: a column has no name")
        require(names.count(name) == 1, f"{where}: column {name!r} stands twice")
    return names, numbered
