"""Reading rows, undecoded, from a hub data set, a local folder, parquet, json, jsonl, csv or tsv.

Everything becomes ``RawRows``: the rows without their images, the images as an Arrow column
``list<struct<bytes, path>>``, and a way to name a row to a person. Embedded images are never
copied, so they stay in the memory-mapped file until a row is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from noisygrpo.data.cells import Root
from noisygrpo.data.folders import Folder, read_text_file
from noisygrpo.data.parts import Source, parts_of
from noisygrpo.data.raw import RawRows
from noisygrpo.data.texts import KINDS, PACKED, kind_of, require_data, stem_of
from noisygrpo.errors import UserError, require
from noisygrpo.reach import hub_problem

FILE_KINDS = KINDS

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
# What datasets raises for a missing repository, split, file or connection.
# (RuntimeError: a loading script, which it no longer runs.)
_LOAD_ERRORS = (
    ValueError,
    OSError,
    RuntimeError,
    datasets.exceptions.DatasetsError,
    pa.ArrowException,
)
_SAVED_SPLITS, _SAVED_ONE = "dataset_dict.json", "state.json"


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
    if path.is_dir() and not any((path / name).is_file() for name in (_SAVED_SPLITS, _SAVED_ONE)):
        with _loading(source, split, settings):
            return _read_folder(path, split, config, root, settings)
    note = ""
    if not path.is_dir():
        problem = hub_problem()
        note = " (not a file or folder here" + (f", and {problem})" if problem else ")")
    with _loading(source, split, settings, note):
        data = _load_saved_or_hub(source, path, split, config, settings)
    name = path.name if path.is_dir() else source
    label, one = f"{name} ({split})", not has_splits(source)
    return _from_dataset(data, f"{name}-{split}", name if one else label, root)


def _read_folder(path: Path, split: str, config: str, root: Root, settings: Settings) -> RawRows:
    """Read a folder of data files: text as it is there, everything else by the library."""
    folder = Folder(path, config)
    if split.isidentifier() and folder.splits and split not in folder.splits:
        _no_split(str(path), split, str(folder.splits), settings)
    rows = folder.rows(split, root)
    if rows is None:
        data = folder.load(split)
        rows = _from_dataset(data, f"{path.name}-{split}", f"{path.name} ({split})", root)
    return replace(rows, hint=folder.hint, aside=folder.aside)


def _no_split(source: str, split: str, has: str, settings: Settings) -> NoReturn:
    raise UserError(
        f"{settings.split}: {split!r} is not a split of {source}"
        + (f"; it has {has}" if has else "")
    )


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
    columns, rows, where = read_text_file(path)
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
            _no_split(source, split, has.group() if has else "", settings)
        what = f"{source}, split {split!r}{note}" if split else source
        raise UserError(f"{settings.source}: cannot load {what}: {reason}") from error


def _load_saved_or_hub(
    source: str, path: Path, split: str, config: str, settings: Settings
) -> datasets.Dataset:
    """Load what ``save_to_disk`` wrote, or a data set of the hub."""
    if not path.is_dir():
        return datasets.load_dataset(source, config or None, split=split)
    if (path / _SAVED_SPLITS).is_file():
        names = json.loads((path / _SAVED_SPLITS).read_text(encoding="utf-8"))["splits"]
        if split not in names:
            _no_split(source, split, str(sorted(names)), settings)
        path = path / split
    try:
        return datasets.load_from_disk(str(path))
    except IndexError:  # the library's answer to a data set that was saved without rows
        raise UserError(f"{path.name}: the data set has no rows") from None


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
    for index, field in enumerate(table.schema):
        kind = _plain(field.type)
        if kind != field.type:
            table = table.set_column(index, field.name, table.column(index).cast(kind))
    return table


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type without views, at any depth."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain(kind.value_type)))
    return {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}.get(kind, kind)
