"""The images of many rows as one Arrow column ``list<struct<bytes, path>>``.

Binary columns and embedded images are wrapped without copying them, so that they stay in the
memory-mapped file until a row is used. Everything else (paths, base64, mappings, the large types)
goes through ``cells``, row by row. Cells that hold nothing, null at any depth, are no images.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noisygrpo.data.cells import Root, image_structs
from noisygrpo.data.images import ImageProblem
from noisygrpo.errors import UserError

IMAGE_STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})
IMAGES = pa.list_(IMAGE_STRUCT)
BATCH = 256
"""Rows whose images are Python objects at the same time."""

Where = Callable[[int], str]


def no_images(count: int) -> pa.ChunkedArray:
    """The column of rows without images."""
    return pa.chunked_array([pa.array([[]] * count, type=IMAGES)])


@dataclass(frozen=True)
class Cells:
    """The images of one column, and the cells that hold none that can be read."""

    lists: pa.ChunkedArray
    problems: dict[int, ImageProblem]
    """Which of the cells, and why."""


def of_cells(cells: Iterator[Any], root: Root) -> Cells:
    """The column of cells as they stand in a file."""
    problems: dict[int, ImageProblem] = {}

    def structs(index: int, cell: Any) -> list[dict[str, Any]]:
        try:
            return image_structs(cell, root)
        except ImageProblem as problem:
            problems[index] = problem
            return []

    return Cells(_in_batches(itertools.starmap(structs, enumerate(cells))), problems)


def of_column(column: pa.ChunkedArray, rows: Sequence[int], root: Root) -> Cells:
    """The column of an Arrow column's cells, without copying where that can be."""
    chunks = [_wrapped(chunk) for chunk in column.chunks]
    if all(chunk is not None for chunk in chunks):
        return Cells(pick(pa.chunked_array(chunks, type=IMAGES), rows), {})
    return of_cells(_cells(column, rows), root)


def _cells(column: pa.ChunkedArray, rows: Sequence[int]) -> Iterator[Any]:
    for start in range(0, len(rows), BATCH):
        yield from column.take(pa.array(rows[start : start + BATCH], pa.int64())).to_pylist()


def _in_batches(lists: Iterator[list[dict[str, Any]]]) -> pa.ChunkedArray:
    # Arrow's lists hold at most 2 GiB a chunk.
    chunks, batch = [], []
    for item in lists:
        batch.append(item)
        if len(batch) == BATCH:
            chunks.append(pa.array(batch, type=IMAGES))
            batch = []
    return pa.chunked_array([*chunks, pa.array(batch, type=IMAGES)], type=IMAGES)


def _wrapped(chunk: pa.Array) -> pa.Array | None:
    """An Arrow chunk of images as lists; None where its cells have to be read one by one."""
    if isinstance(chunk, pa.ExtensionArray):
        return None
    kind = chunk.type
    if pa.types.is_null(kind):
        return pa.array([[]] * len(chunk), type=IMAGES)
    values, parents = chunk, np.arange(len(chunk))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        values = chunk.flatten()
        parents = pc.list_parent_indices(chunk).to_numpy(zero_copy_only=False)
    structs = _structs(values)
    if structs is None:
        return None
    there = structs.field("bytes").is_valid()
    if not pc.all(there).as_py():
        structs, parents = structs.filter(there), parents[there.to_numpy(zero_copy_only=False)]
    counts = np.bincount(parents, minlength=len(chunk))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs).cast(IMAGES)


def _structs(values: pa.Array) -> pa.Array | None:
    """Bytes or embedded images as ``IMAGE_STRUCT``; None for everything else."""
    kind = values.type
    if pa.types.is_null(kind):
        return pa.nulls(len(values), IMAGE_STRUCT)
    if pa.types.is_binary(kind):
        paths = pa.nulls(len(values), pa.string())
        return pa.StructArray.from_arrays([values, paths], fields=list(IMAGE_STRUCT))
    if not pa.types.is_struct(kind) or not pa.types.is_binary(_type_of(kind, "bytes")):
        return None
    data, paths = values.flatten()[kind.get_field_index("bytes")], None
    if pa.types.is_string(_type_of(kind, "path")):
        paths = values.flatten()[kind.get_field_index("path")]
        if pc.any(pc.and_(paths.is_valid(), data.is_null())).as_py():
            return None  # files have to be found
    elif len(kind) > 1 and data.null_count:
        return None  # another field may hold the image
    if paths is None:
        paths = pa.nulls(len(values), pa.string())
    return pa.StructArray.from_arrays([data, paths], fields=list(IMAGE_STRUCT))


def _type_of(kind: pa.StructType, name: str) -> pa.DataType:
    index = kind.get_field_index(name)
    return kind.field(index).type if index >= 0 else pa.null()


def pick(column: pa.ChunkedArray, rows: Sequence[int]) -> pa.ChunkedArray:
    """Take ``rows`` out of ``column`` as slices, one per run of neighbours: nothing is copied."""
    if len(rows) == len(column) and all(row == index for index, row in enumerate(rows)):
        return column
    breaks = np.flatnonzero(np.diff(np.asarray(rows, dtype=np.int64)) != 1) + 1
    chunks = []
    for run in np.split(np.asarray(rows, dtype=np.int64), breaks):
        if len(run):
            chunks.extend(column.slice(int(run[0]), len(run)).chunks)
    return pa.chunked_array(chunks, type=column.type)


def lengths(images: pa.ChunkedArray) -> list[int]:
    """How many images each row has."""
    return [int(count) for count in pc.list_value_length(images).to_pylist()]


def merged(columns: Mapping[str, Cells], rows: Sequence[int], where: Where) -> pa.ChunkedArray:
    """One column of several: each row's images stand in one of them.

    A path that leads nowhere beside an embedded picture is where that came from, and no picture of
    its own. Raises ``UserError`` for any other cell that cannot be read, and for a row with
    different images in two columns.
    """
    _require_readable(columns, rows, where)
    used = {name: found.lists for name, found in columns.items() if any(lengths(found.lists))}
    if not used:
        return no_images(len(rows))
    if len(used) == 1:
        return next(iter(used.values()))

    def one(row: int, cells: tuple[Any, ...]) -> list[dict[str, Any]]:
        there = {name: cell for name, cell in zip(used, cells, strict=True) if cell}
        first: list[dict[str, Any]] = next(iter(there.values()), [])
        if any(not _are_same(cell, first) for cell in there.values()):
            raise UserError(
                f"{where(row)}: different images in {' and '.join(map(repr, there))}; "
                "data.columns.image names the column that counts"
            )
        return first

    every = zip(*(_all_cells(lists) for lists in used.values()), strict=True)
    return _in_batches(one(row, cells) for row, cells in zip(rows, every, strict=True))


def together(columns: Mapping[str, Cells], rows: Sequence[int], where: Where) -> pa.ChunkedArray:
    """One column of several: each row's images are those of all of them, in order.

    Raises ``UserError`` for a cell that cannot be read.
    """
    for name, found in columns.items():
        for index in sorted(found.problems):
            problem = found.problems[index]
            raise UserError(f"{where(rows[index])}: {problem} (column {name!r})") from problem
    every = zip(*(_all_cells(found.lists) for found in columns.values()), strict=True)
    return _in_batches([image for cell in cells for image in cell] for cells in every)


def _require_readable(columns: Mapping[str, Cells], rows: Sequence[int], where: Where) -> None:
    for index in sorted({index for found in columns.values() for index in found.problems}):
        name, found = next((n, c) for n, c in columns.items() if index in c.problems)
        if any(_is_embedded(other.lists[index]) for other in columns.values()):
            continue
        message = f"{where(rows[index])}: {found.problems[index]}"
        if len(columns) > 1:
            message += f" (column {name!r}; data.columns.image names the column that counts)"
        raise UserError(message) from found.problems[index]


def _is_embedded(cell: pa.ListScalar) -> bool:
    """Whether a row's cell has pictures of which the bytes are there."""
    return len(cell.values) > cell.values.field("bytes").null_count


def _are_same(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> bool:
    """Whether two cells hold the same pictures, be it in bytes or in files."""
    return one == other or [*map(_content, one)] == [*map(_content, other)]


def _content(image: Mapping[str, Any]) -> bytes:
    data = image["bytes"]
    return bytes(data) if data is not None else Path(image["path"]).read_bytes()


def _all_cells(column: pa.ChunkedArray) -> Iterator[Any]:
    for chunk in column.chunks:
        for start in range(0, len(chunk), BATCH):
            yield from chunk.slice(start, BATCH).to_pylist()


def with_own(
    images: pa.ChunkedArray,
    own: Sequence[Sequence[Any] | None],
    rows: Sequence[int],
    root: Root,
    where: Where,
    replace: bool,
) -> pa.ChunkedArray:
    """The column with the images that stand in rows' turns put in.

    ``own``: for each row None (its cell of the column), or one entry per image in order: a cell, or
    None for the next image of the column. ``replace``: own images stand for those of the column;
    otherwise a row with other images there is an error.
    """
    if all(item is None for item in own):
        return images

    def one(row: int, cell: list[dict[str, Any]], items: Sequence[Any] | None) -> list[Any]:
        if items is None:
            return cell
        wanted = sum(item is None for item in items)
        if wanted and wanted != len(cell):
            raise UserError(
                f"{where(row)}: {wanted} images without a source in its turns, "
                f"but {len(cell)} in its image column"
            )
        left = iter(cell)
        try:
            found = [[next(left)] if item is None else image_structs(item, root) for item in items]
        except ImageProblem as problem:
            raise UserError(f"{where(row)}: {problem}") from problem
        structs = [struct for part in found for struct in part]
        if cell and not wanted and not replace and structs != cell:
            raise UserError(f"{where(row)}: its turns and its image column hold different images")
        return structs

    every = zip(rows, _all_cells(images), own, strict=True)
    return _in_batches(one(*item) for item in every)
