"""Reading rows, undecoded, from a hub data set, a local folder, parquet, json or jsonl.

Everything becomes ``RawRows``: the rows without their images, the images as an Arrow column
``list<struct<bytes, path>>``, and a way to name a row to a person. Arrow columns are never copied,
so embedded images stay in the memory-mapped file until a row is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noisygrpo.data.images import ImageProblem, resolve_path
from noisygrpo.errors import UserError, require

IMAGE_STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})
FILE_KINDS = (".parquet", ".json", ".jsonl")

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
# What datasets raises for a missing repository, split, file or connection.
_LOAD_ERRORS = (ValueError, OSError, datasets.exceptions.DatasetsError, pa.ArrowException)


@dataclass(frozen=True)
class RawRows:
    """Rows of a source as they are there."""

    columns: tuple[str, ...]
    """All column names, in order."""
    table: pa.Table | list[dict[str, Any]]
    """Arrow table, or the parsed objects of a json file."""
    name: str
    """Short name of the source, the stem of default example ids."""
    label: str
    """Name of the source in messages, such as ``train.jsonl``."""
    where: Callable[[int], str]
    """Names a row, such as ``train.jsonl line 7``."""
    root: Path
    """Image paths are relative to this folder and may not leave it."""

    def __len__(self) -> int:
        return len(self.table)

    def iterate(self, order: Sequence[int], skip: str | None) -> Iterator[tuple[int, dict]]:
        """Yield (row number, row) in ``order``, without the column ``skip``."""
        if isinstance(self.table, list):
            for index in order:
                yield index, {k: v for k, v in self.table[index].items() if k != skip}
            return
        texts = self.table.select([name for name in self.columns if name != skip])
        for start in range(0, len(order), 500):
            chunk = list(order[start : start + 500])
            yield from zip(chunk, texts.take(chunk).to_pylist(), strict=True)

    def images(self, column: str | None, rows: Sequence[int]) -> pa.ChunkedArray:
        """The images of ``rows`` as ``list<struct<bytes, path>>``, one list per row."""
        if column is None:
            return pa.chunked_array([pa.array([[]] * len(rows), type=pa.list_(IMAGE_STRUCT))])
        if isinstance(self.table, list):
            return self._resolved([self.table[row].get(column) for row in rows], rows)
        values = self.table.column(column)
        if _has_strings(values.type) or _has_outside_paths(values):
            return self._resolved([values[row].as_py() for row in rows], rows)
        wrapped = [_wrap(chunk, self.where(0), column) for chunk in values.chunks]
        whole = pa.chunked_array(wrapped, type=pa.list_(IMAGE_STRUCT))
        return _pick(whole, rows)

    def _resolved(self, values: Sequence[Any], rows: Sequence[int]) -> pa.ChunkedArray:
        """Turn paths into structs with absolute paths."""
        lists = []
        for row, value in zip(rows, values, strict=True):
            try:
                lists.append(_image_structs(value, self.root))
            except ImageProblem as problem:
                raise UserError(f"{self.where(row)}: {problem}") from problem
        return pa.chunked_array([pa.array(lists, type=pa.list_(IMAGE_STRUCT))])


def read_rows(source: str, split: str, config: str = "", image_root: str = "") -> RawRows:
    """Read ``source``: a .parquet, .json or .jsonl file, a folder, or a data set id of the hub.

    Raises ``UserError`` if it is not there, cannot be parsed or has no such split.
    """
    path = Path(source).expanduser()
    if path.is_file():
        require(
            path.suffix in FILE_KINDS,
            f"data.source: {source} is not one of {', '.join(FILE_KINDS)}, a folder or a hub id",
        )
        root = Path(image_root).expanduser() if image_root else path.parent
        if path.suffix == ".parquet":
            with _loading(source):
                data = datasets.Dataset.from_parquet(str(path))
            return _from_dataset(data, path.stem, path.name, root)
        return _read_json(path, root)
    require(
        path.is_dir() or (path.suffix not in FILE_KINDS and bool(_HUB_ID.fullmatch(source))),
        f"data.source: {source!r} does not exist",
    )
    root = Path(image_root).expanduser() if image_root else path
    known = "" if path.is_dir() else " (not a file or folder here)"
    with _loading(f"{source}, split {split!r}{known}"):
        data = _load_folder_or_hub(source, path, split, config)
    name = path.name if path.is_dir() else source
    return _from_dataset(data, f"{name}-{split}", f"{name} ({split})", root)


@contextmanager
def _loading(what: str) -> Iterator[None]:
    """Turn what the datasets library raises into one message that names the source."""
    try:
        yield
    except _LOAD_ERRORS as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise UserError(f"data.source: cannot load {what}: {reason}") from error


def _load_folder_or_hub(source: str, path: Path, split: str, config: str) -> datasets.Dataset:
    """Load what ``save_to_disk`` wrote, a folder of data files, or a data set of the hub."""
    if (path / "dataset_dict.json").is_file():
        splits = datasets.load_from_disk(str(path))
        require(split in splits, f"no split {split!r} in {source}; it has {sorted(splits)}")
        return splits[split]
    if (path / "state.json").is_file():
        return datasets.load_from_disk(str(path))
    return datasets.load_dataset(source, config or None, split=split)


def _from_dataset(data: datasets.Dataset, name: str, label: str, root: Path) -> RawRows:
    """Wrap a data set; the Arrow format gives the stored images without decoding them."""
    table = data.with_format("arrow")[:]
    columns = tuple(data.column_names)
    return RawRows(columns, table, name, label, lambda row: f"{label} row {row}", root)


def _read_json(path: Path, root: Path) -> RawRows:
    """Parse a list of objects (.json) or one object per line (.jsonl, blank lines allowed)."""
    text = path.read_text(encoding="utf-8", errors="strict")
    numbers: list[int] = []
    rows: list[dict[str, Any]] = []
    unit = "line" if path.suffix == ".jsonl" else "item"
    if path.suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                rows.append(_parse(line, f"{path.name} line {number}"))
                numbers.append(number)
    else:
        rows = _parse(text, path.name)
        require(isinstance(rows, list), f"{path.name}: expected a list of objects at the top")
        numbers = list(range(len(rows)))
    for number, row in zip(numbers, rows, strict=True):
        require(isinstance(row, dict), f"{path.name} {unit} {number}: {row!r} is not an object")
    columns = tuple(dict.fromkeys(key for row in rows for key in row))

    def where(row: int) -> str:
        return f"{path.name} {unit} {numbers[row]}"

    return RawRows(columns, rows, path.stem, path.name, where, root)


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not valid JSON: {error}") from error


def _image_structs(value: Any, root: Path) -> list[dict[str, Any]]:
    """Read one row's image cell: nothing, a path, a struct, or a list of those."""
    if value is None or value == "":
        return []
    structs = []
    for item in value if isinstance(value, list) else [value]:
        struct = {"bytes": None, "path": item} if isinstance(item, str) else item
        if not isinstance(struct, dict) or not {"bytes", "path"} & struct.keys():
            raise ImageProblem(f"image is {item!r:.80}, expected a path or {{bytes, path}}")
        data, path = struct.get("bytes"), struct.get("path")
        if data is None:
            path = resolve_path(path or "", root, (Path(datasets.config.HF_CACHE_HOME),))
        elif not isinstance(data, bytes):
            raise ImageProblem("image bytes are not binary; json rows name image files by path")
        structs.append({"bytes": data, "path": path})
    return structs


def _has_strings(kind: pa.DataType) -> bool:
    """Whether the cells are paths or lists of paths."""
    inner = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    return pa.types.is_string(inner) or pa.types.is_large_string(inner)


def _has_outside_paths(values: pa.ChunkedArray) -> bool:
    """Whether some image is a path, without bytes, so that files have to be found."""
    for chunk in values.chunks:
        structs = chunk.flatten() if pa.types.is_list(chunk.type) else chunk
        if pa.types.is_struct(structs.type) and structs.type.get_field_index("path") >= 0:
            has_path = structs.field("path").is_valid()
            if pc.any(pc.and_not(has_path, structs.field("bytes").is_valid())).as_py():
                return True
    return False


def _wrap(chunk: pa.Array, where: str, column: str) -> pa.Array:
    """Give one Arrow chunk of images the type ``list<struct<bytes, path>>`` without copying it."""
    kind = chunk.type
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return chunk.cast(pa.list_(IMAGE_STRUCT))
    if pa.types.is_binary(kind):
        paths = pa.nulls(len(chunk), pa.string())
        fields = ["bytes", "path"]
        chunk = pa.StructArray.from_arrays([chunk, paths], fields, mask=chunk.is_null())
    elif not pa.types.is_struct(kind):
        raise UserError(f"{where}: column {column!r} holds {kind}, not images or paths of images")
    present = chunk.is_valid()
    offsets = np.concatenate([[0], np.cumsum(present.to_numpy(zero_copy_only=False))])
    values = chunk if chunk.null_count == 0 else chunk.drop_null()
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
    return lists.cast(pa.list_(IMAGE_STRUCT))


def _pick(column: pa.ChunkedArray, rows: Sequence[int]) -> pa.ChunkedArray:
    """Take ``rows`` out of ``column`` as slices, one per run of neighbours: nothing is copied."""
    if len(rows) == len(column) and all(row == index for index, row in enumerate(rows)):
        return column
    breaks = np.flatnonzero(np.diff(np.asarray(rows, dtype=np.int64)) != 1) + 1
    chunks = []
    for run in np.split(np.asarray(rows, dtype=np.int64), breaks):
        if len(run):
            chunks.extend(column.slice(int(run[0]), len(run)).chunks)
    return pa.chunked_array(chunks, type=column.type)
