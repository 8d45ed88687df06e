"""The examples of several sources as one data set.

Ids, further columns and the places that messages name are told apart by file; a column that only
some sources have is null in the rows of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

from noisygrpo.data.example import FEATURES
from noisygrpo.data.features import column_of
from noisygrpo.data.pictures import pick
from noisygrpo.errors import UserError


@dataclass(frozen=True)
class Piece:
    """The examples of one source."""

    data: datasets.Dataset
    where: Callable[[int], str]
    """Names the source of an example."""
    lines: list[str]
    """What was detected, and what differs from the source."""
    further: list[str]
    """Lines on further columns."""


def joined(pieces: Sequence[Piece], order: Sequence[int] | None = None) -> Piece:
    """All examples of ``pieces``, or those of ``order`` (numbers over all of them).

    Raises ``UserError`` for an id that examples of two sources have.
    """
    places = [(piece, row) for piece in pieces for row in range(len(piece.data))]
    rows = list(range(len(places))) if order is None else list(order)
    columns, lines = _columns(pieces)
    features = datasets.Features({name: feature for name, (feature, _) in columns.items()})
    arrays = {name: pick(values, rows) for name, (_, values) in columns.items()}
    table = pa.table(arrays, schema=features.arrow_schema)

    def where(index: int) -> str:
        piece, row = places[rows[index]]
        return piece.where(row)

    _require_ids(table.column("example_id").to_pylist(), where)
    name = hashlib.blake2b(repr(rows).encode(), digest_size=8)
    for piece in pieces:
        name.update(piece.data._fingerprint.encode())
    info = datasets.DatasetInfo(features=features)
    data = datasets.Dataset(table, info=info, fingerprint=name.hexdigest())
    detected = [line for piece in pieces for line in piece.lines]
    further = list(dict.fromkeys(line for piece in pieces for line in piece.further))
    return Piece(data, where, detected, further + lines)


def drawn(count: int, seed: int, limit: int | None, *, shuffle: bool) -> list[int] | None:
    """The numbers of the examples that ``data.shuffle`` and ``data.limit`` leave; None: all."""
    if not shuffle and (limit is None or limit >= count):
        return None
    order = np.random.default_rng(seed).permutation(count) if shuffle else range(count)
    return [int(index) for index in order][:limit]


def _columns(pieces: Sequence[Piece]) -> tuple[dict[str, tuple[Any, pa.ChunkedArray]], list[str]]:
    """Feature and values of every column, and lines on those that only some sources have."""
    names = dict.fromkeys([*FEATURES, *(n for p in pieces for n in p.data.column_names)])
    columns: dict[str, tuple[Any, pa.ChunkedArray]] = {}
    lines = []
    for name in names:
        kinds = [p.data.features[name] for p in pieces if name in p.data.column_names]
        if len(kinds) < len(pieces):
            lines.append(f"column {name!r} is in {len(kinds)} of {len(pieces)} sources, else null")
        if all(kind == kinds[0] for kind in kinds):
            chunks = [chunk for piece in pieces for chunk in _stored(piece, name, kinds[0])]
            columns[name] = (kinds[0], pa.chunked_array(chunks))
        else:  # a number here, a text there
            values = [value for piece in pieces for value in _values(piece, name)]
            feature, array = column_of(values)
            columns[name] = (feature, pa.chunked_array([array]))
    return columns, lines


def _stored(piece: Piece, name: str, feature: Any) -> list[pa.Array]:
    if name in piece.data.column_names:
        return list(piece.data.data.column(name).chunks)
    kind = datasets.Features({name: feature}).arrow_schema.field(name).type
    return [pa.nulls(len(piece.data), kind)]


def _values(piece: Piece, name: str) -> list[Any]:
    if name not in piece.data.column_names:
        return [None] * len(piece.data)
    return list(piece.data[name])


def _require_ids(ids: Sequence[str], where: Callable[[int], str]) -> None:
    first: dict[str, int] = {}
    for index, name in enumerate(ids):
        other = first.setdefault(name, index)
        if other != index:
            raise UserError(f"{where(index)}: id {name!r} is also that of {where(other)}")
