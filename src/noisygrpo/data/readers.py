"""Reading rows, undecoded, from a hub data set, a local folder, parquet, json, jsonl, csv or tsv.

Everything becomes ``RawRows``: the rows without their images, the images as an Arrow column
``list<struct<bytes, path>>``, and a way to name a row to a person. Embedded images are never
copied, so they stay in the memory-mapped file until a row is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from noisygrpo.data import pictures
from noisygrpo.data.cells import Root
from noisygrpo.data.files import read_csv, read_json
from noisygrpo.data.parts import Source, parts_of
from noisygrpo.data.texts import KINDS, PACKED, kind_of, require_data, stem_of
from noisygrpo.errors import UserError, require
from noisygrpo.reach import hub_problem

FILE_KINDS = KINDS

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
# What datasets raises for a missing repository, split, file or connection.
_LOAD_ERRORS = (ValueError, OSError, datasets.exceptions.DatasetsError, pa.ArrowException)
_SAVED_SPLITS, _SAVED_ONE = "dataset_dict.json", "state.json"


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

    def __len__(self) -> int:
        return len(self.table)

    def first(self, column: str, wanted: Callable[[Any], bool] = lambda cell: True) -> Any:
        """The first cell of a column that is neither null nor unwanted; None if there is none."""
        if isinstance(self.table, list):
            cells: Any = (row.get(column) for row in self.table)
        else:
            chunks = self.table.column(column).chunks
            cells = (cell.as_py() for chunk in chunks for cell in chunk.drop_null())
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
        labels = self._label_names(names) if name_labels else {}
        for start in range(0, len(order), 500):
            chunk = list(order[start : start + 500])
            rows = texts.take(chunk).to_pylist() if names else [{} for _ in chunk]
            for index, row in zip(chunk, rows, strict=True):
                yield index, {**row, **{k: labels[k](row[k]) for k in labels}} if labels else row

    def _label_names(self, names: Sequence[str]) -> dict[str, Callable[[Any], Any]]:
        """Columns of class labels, with the function from a number to its name."""

        def name_of(feature: datasets.ClassLabel) -> Callable[[Any], Any]:
            return lambda number: None if number is None else feature.int2str(number)

        kinds = {name: (self.features or {}).get(name) for name in names}
        labels = {name: k for name, k in kinds.items() if isinstance(k, datasets.ClassLabel)}
        return {name: name_of(kind) for name, kind in labels.items()}

    def cell(self, row: int, column: str) -> Any:
        """One cell as a Python value."""
        if isinstance(self.table, list):
            return self.table[row].get(column)
        return self.table.column(column)[row].as_py()

    def images(self, columns: Sequence[str], rows: Sequence[int]) -> pa.ChunkedArray:
        """The images of ``rows`` as ``list<struct<bytes, path>>``, one list per row."""
        every = {column: self._images_of(column, rows) for column in columns}
        return pictures.merged(every, rows, self.where)

    def _images_of(self, column: str, rows: Sequence[int]) -> pa.ChunkedArray:
        if isinstance(self.table, list):
            cells = (self.table[row].get(column) for row in rows)
            return pictures.of_cells(cells, rows, self.root, self.where)
        return pictures.of_column(self.table.column(column), rows, self.root, self.where)


@dataclass(frozen=True)
class Settings:
    """What messages call the settings that name a source and its split."""

    source: str = "data.source"
    split: str = "data.split"


def has_splits(source: Source) -> bool:
    """Whether a source has several tables: not so a file, and a data set saved without splits; a
    list of sources does where one of them does.
    """
    parts = parts_of(source)
    if parts is not None:
        return any(has_splits(part.source) for part in parts)
    path = Path(str(source)).expanduser()
    saved = (path / _SAVED_ONE).is_file() and not (path / _SAVED_SPLITS).is_file()
    return not (path.is_file() or saved)


def read_rows(
    source: str,
    split: str,
    config: str = "",
    image_root: str = "",
    settings: Settings = Settings(),
) -> RawRows:
    """Read ``source``: a file of ``FILE_KINDS``, a folder, or a data set id of the hub.

    Raises ``UserError`` if it is not there, cannot be parsed or has no such split.
    """
    path = Path(source).expanduser()
    folder = path.parent if path.is_file() else path
    root = Root(Path(image_root).expanduser(), given=True) if image_root else Root(folder)
    require(
        not image_root or root.folder.is_dir(), f"data.image_root: {image_root!r} is not a folder"
    )
    if path.is_file():
        return _read_file(path, root, settings)
    require(
        path.is_dir() or (not kind_of(path) and bool(_HUB_ID.fullmatch(source))),
        f"{settings.source}: {source!r} does not exist",
    )
    note = ""
    if not path.is_dir():
        problem = hub_problem()
        note = " (not a file or folder here" + (f", and {problem})" if problem else ")")
    with _loading(source, split, settings, note):
        data = _load_folder_or_hub(source, path, split, config, settings)
    name = path.name if path.is_dir() else source
    label, one = f"{name} ({split})", not has_splits(source)
    return _from_dataset(data, f"{name}-{split}", name if one else label, root)


def _read_file(path: Path, root: Root, settings: Settings) -> RawRows:
    kind = kind_of(path)
    packed = path.suffix.lower() in PACKED
    require(
        bool(kind),
        f"{settings.source}: {path} is not one of {', '.join(FILE_KINDS)}, a folder or a hub id"
        + ("; unpack it first (of packed files json and csv with .gz are read)" if packed else ""),
    )
    if kind == ".parquet":
        with path.open("rb") as file:
            require_data(file.read(256), path.name, kind)
        with _loading(str(path), "", settings):
            rows = pq.read_metadata(path).num_rows
            require(rows > 0, f"{path.name}: the data set has no rows")
            data = datasets.Dataset.from_parquet(str(path))
        return _from_dataset(data, path.stem, path.name, root)
    read = read_csv if kind in (".csv", ".tsv") else read_json
    columns, rows, where = read(path)
    return RawRows(columns, rows, stem_of(path), path.name, where, root)


@contextmanager
def _loading(source: str, split: str, settings: Settings, note: str = "") -> Iterator[None]:
    """Turn what the datasets library raises into one message that names the source."""
    try:
        yield
    except UserError:
        raise
    except _LOAD_ERRORS as error:
        said = str(error.__cause__ or error).strip()
        reason = said.splitlines()[0] if said else repr(error)
        if "Unknown split" in reason or "Bad split" in reason:
            has = re.search(r"\[.*\]", reason)
            raise UserError(
                f"{settings.split}: {split!r} is not a split of {source}"
                + (f"; it has {has.group()}" if has else "")
            ) from error
        what = f"{source}, split {split!r}{note}" if split else source
        raise UserError(f"{settings.source}: cannot load {what}: {reason}") from error


def _load_folder_or_hub(
    source: str, path: Path, split: str, config: str, settings: Settings
) -> datasets.Dataset:
    """Load what ``save_to_disk`` wrote, a folder of data files, or a data set of the hub."""
    if (path / _SAVED_SPLITS).is_file():
        splits = datasets.load_from_disk(str(path))
        require(
            split in splits,
            f"{settings.split}: {split!r} is not a split of {source}; it has {sorted(splits)}",
        )
        return splits[split]
    if (path / _SAVED_ONE).is_file():
        return datasets.load_from_disk(str(path))
    return datasets.load_dataset(source, config or None, split=split)


def _from_dataset(data: datasets.Dataset, name: str, label: str, root: Root) -> RawRows:
    """Wrap a data set; the Arrow format gives the stored images without decoding them."""
    table = _without_views(data.with_format("arrow")[:])
    features = data.features
    if table.schema.types != data.data.schema.types:
        features = datasets.Features(
            {**features, **datasets.Features.from_arrow_schema(table.schema.remove_metadata())}
        )
    columns = tuple(data.column_names)
    return RawRows(columns, table, name, label, lambda row: f"{label} row {row}", root, features)


def _without_views(table: pa.Table) -> pa.Table:
    """The table with views of text and bytes as plain columns: Arrow cannot take rows of views."""
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    for index, field in enumerate(table.schema):
        if field.type in plain:
            kind = plain[field.type]
            table = table.set_column(index, field.name, table.column(index).cast(kind))
    return table
