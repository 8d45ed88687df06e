"""Rows of a source as they are there: a table or the objects of text files, and their pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import datasets
import pyarrow as pa

from noisygrpo.data import pictures
from noisygrpo.data.cells import Root

Reader = Callable[[Any], Any]
"""A function from a stored cell to what it means."""


@dataclass(frozen=True)
class RawRows:
    """Rows of a source as they are there."""

    columns: tuple[str, ...]
    """All column names, in order."""
    table: pa.Table | list[dict[str, Any]]
    """Arrow table, or the parsed objects of a text file."""
    name: str
    """Short name of the source, the stem of default example ids."""
    label: str
    """Name of the source in messages, such as ``train.jsonl``."""
    where: Callable[[int], str]
    """Names a row, such as ``train.jsonl line 7``."""
    root: Root
    """Image paths are relative to this folder and may not leave it."""
    features: datasets.Features | None = None
    """Column types of an Arrow table."""
    hint: str = ""
    """What to do where a source has no question, for messages."""
    aside: str = ""
    """What the source holds that is not read, in a line."""

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def json(self) -> Mapping[str, Reader]:
        """Columns that hold JSON as text at any depth, as the datasets library stores mixed types,
        and how a cell of each is read.
        """
        features = self.features or {}
        return {name: _json_reader(kind) for name, kind in features.items() if _holds_json(kind)}

    def first(self, column: str, wanted: Callable[[Any], bool] = lambda cell: True) -> Any:
        """The first cell of a column that is neither null nor unwanted; None if there is none."""
        if isinstance(self.table, list):
            cells: Any = (row.get(column) for row in self.table)
        else:
            read = self.json.get(column, lambda cell: cell)
            chunks = self.table.column(column).chunks
            cells = (read(cell.as_py()) for chunk in chunks for cell in chunk.drop_null())
        return next((cell for cell in cells if cell is not None and wanted(cell)), None)

    def iterate(
        self, order: Sequence[int], skip: Sequence[str] = (), *, name_labels: bool = False
    ) -> Iterator[tuple[int, dict]]:
        """Yield (row number, row) in ``order``, without the columns ``skip``.

        ``name_labels``: cells of class labels are their names instead of their numbers.
        """
        if isinstance(self.table, list):
            for index in order:
                yield index, {k: v for k, v in self.table[index].items() if k not in skip}
            return
        names = [name for name in self.columns if name not in skip]
        texts = self.table.select(names)
        read = {name: self.json[name] for name in names if name in self.json}
        read |= self._label_names(names) if name_labels else {}
        for start in range(0, len(order), 500):
            chunk = list(order[start : start + 500])
            rows = texts.take(chunk).to_pylist() if names else [{} for _ in chunk]
            for index, row in zip(chunk, rows, strict=True):
                yield index, {**row, **{k: read[k](row[k]) for k in read}} if read else row

    def _label_names(self, names: Sequence[str]) -> dict[str, Reader]:
        """Columns of class labels, with the function from a number to its name."""

        def name_of(feature: datasets.ClassLabel) -> Reader:
            return lambda number: None if number is None else feature.int2str(number)

        kinds = {name: (self.features or {}).get(name) for name in names}
        labels = {name: k for name, k in kinds.items() if isinstance(k, datasets.ClassLabel)}
        return {name: name_of(kind) for name, kind in labels.items()}

    def cell(self, row: int, column: str) -> Any:
        """One cell as a Python value."""
        if isinstance(self.table, list):
            return self.table[row].get(column)
        value = self.table.column(column)[row].as_py()
        return self.json[column](value) if column in self.json else value

    def images(
        self, columns: Sequence[str], rows: Sequence[int], *, together: bool = False
    ) -> pa.ChunkedArray:
        """The images of ``rows`` as ``list<struct<bytes, path>>``, one list per row: those of the
        one column that has some, or of all columns ``together``, in order.
        """
        every = {column: self._images_of(column, rows) for column in columns}
        return (pictures.together if together else pictures.merged)(every, rows, self.where)

    def _images_of(self, column: str, rows: Sequence[int]) -> pictures.Cells:
        if isinstance(self.table, list) or column in self.json:
            return pictures.of_cells((self.cell(row, column) for row in rows), self.root)
        return pictures.of_column(self.table.column(column), rows, self.root)


def _holds_json(feature: Any) -> bool:
    if isinstance(feature, dict):
        return any(map(_holds_json, feature.values()))
    if isinstance(feature, (datasets.List, datasets.LargeList)):
        return _holds_json(feature.feature)
    return isinstance(feature, datasets.Json)


def _json_reader(feature: Any) -> Reader:
    """How a cell of a feature is read, JSON within it as the value that it stands for."""
    if isinstance(feature, datasets.Json):
        return lambda cell: json.loads(cell) if isinstance(cell, str) else cell
    if isinstance(feature, (datasets.List, datasets.LargeList)):
        inner = _json_reader(feature.feature)
        return lambda cell: None if cell is None else [inner(item) for item in cell]
    if isinstance(feature, dict):
        readers = {key: _json_reader(kind) for key, kind in feature.items()}
        return lambda cell: cell and {key: read(cell[key]) for key, read in readers.items()}
    return lambda cell: cell
