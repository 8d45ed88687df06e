"""Text files of rows: json, json lines, csv and tsv. Each row is known by its line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError, require

_HALF = re.compile(r"\\u[dD][89a-fA-F]")

Read = tuple[tuple[str, ...], list[dict[str, Any]], Callable[[int], str]]
"""Column names, rows, and the function that names a row."""


def read_json(path: Path) -> Read:
    """Read a list of objects, or one object per line; which of them is seen by the file itself.

    Blank lines are allowed. Raises ``UserError`` for anything else, with the line.
    """
    text = _text(path)
    if path.suffix in (".jsonl", ".ndjson") or _is_lines(text):
        return _whole(_lines(text, path.name), text)
    rows = _parse(text, path.name)
    if isinstance(rows, dict):
        raise UserError(
            f"{path.name}: expected a list of objects at the top, but it is one object with the "
            f"keys {list(rows)[:8]}{_way_out(rows)}"
        )
    require(isinstance(rows, list), f"{path.name}: expected a list of objects at the top")
    return _whole(_named(rows, path.name, "item", list(range(len(rows)))), text)


_ASKING = {
    "question", "problem", "query", "prompt", "instruction", "messages", "conversations",
}  # fmt: skip


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


def _named(rows: list[Any], name: str, unit: str, numbers: list[int]) -> Read:
    for number, row in zip(numbers, rows, strict=True):
        if not isinstance(row, dict):
            raise UserError(f"{name} {unit} {number}: {row!r:.80} is not an object")
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    return columns, rows, lambda row: f"{name} {unit} {numbers[row]}"


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"{where}: not valid JSON: nested too deeply to be read") from None
    except json.JSONDecodeError as error:
        hint = ""
        if text.lstrip().startswith("{'"):
            hint = " (it looks like Python's repr: use json.dumps)"
        raise UserError(f"{where}: not valid JSON: {error}{hint}") from error


def read_csv(path: Path) -> Read:
    """Read comma- or tab-separated rows under a header; every cell is text, an empty one is null.

    A .csv whose header has semicolons or tabs and no comma (names in quotes aside) is separated by
    those, as spreadsheets write it where the comma is for decimals.

    Raises ``UserError`` for a missing or double name in the header and for a row with more or fewer
    cells, with the line.
    """
    csv.field_size_limit(1 << 30)  # a picture in base64 is one cell
    text = _text(path)
    first = re.sub(r'"[^"\n]*"', "", text.partition("\n")[0])
    other = next((sign for sign in "\t;" if sign in first and "," not in first), ",")
    delimiter = "\t" if path.suffix == ".tsv" else other
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, numbers = [], []
    try:
        header = [name.strip() for name in next(reader, [])]
        for name in header:
            require(bool(name), f"{path.name} line 1: a column has no name")
            require(header.count(name) == 1, f"{path.name} line 1: column {name!r} stands twice")
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                require(
                    len(cells) == len(header),
                    f"{path.name} line {line}: {len(cells)} cells, but the header names "
                    f"{len(header)}; a cell with {delimiter!r} in it needs quotes",
                )
                rows.append({n: cell or None for n, cell in zip(header, cells, strict=True)})
                numbers.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path.name} line {reader.line_num}: not valid csv: {error}") from error
    return tuple(header), rows, lambda row: f"{path.name} line {numbers[row]}"


def _text(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):  # Excel's "Unicode text"
        return path.read_text(encoding="utf-16")
    require(b"\0" not in start, f"{path.name}: not a text file in UTF-8 (is it UTF-16?)")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path.name} line {line}: not a text file in UTF-8 ({error.reason} at byte "
            f"{error.start})"
        ) from None
