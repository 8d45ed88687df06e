"""The columns of a source that are no field of an example, on their way to reward functions.

TRL passes every column of the data set to reward functions under its name, so all of them are
carried along as they are: plain types stay, mixed ones become ``Exact``. Pictures and sounds in
further columns stay undecoded (``{bytes, path}``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import datasets
import pyarrow as pa

from noisygrpo.data.features import column_of
from noisygrpo.data.pictures import pick
from noisygrpo.data.raw import RawRows
from noisygrpo.errors import UserError

TAKEN = {
    **dict.fromkeys(("prompts", "completions", "completion", "completion_ids"), "the trainer's"),
    **dict.fromkeys(("trainer_state", "log_extra", "log_metric", "environments"), "the trainer's"),
    **dict.fromkeys(("environment", "tools"), "the trainer's"),
    **dict.fromkeys(("noise_level", "rollout_index"), "the rollout's"),
    **dict.fromkeys(("hint", "hint_ratio", "hint_level"), "the rollout's"),
}
"""Names of what the trainer itself passes to reward functions or reads from rows."""

OWN = (
    "prompt",
    "images",
    "image",
    "answer",
    "reasoning",
    "example_id",
    "cluster",
    "kind",
    "pair",
    "question",
)
"""Names that the example's own columns have, and those in which the trainer looks for images."""
HIDDEN = ("prompt", "images")
"""Of these every layout is read into the field of the same name."""

Column = tuple[Any, pa.Array | pa.ChunkedArray]
"""Feature and values."""


def further_columns(
    raw: RawRows,
    rows: Sequence[int],
    more: Sequence[Mapping[str, Any]],
    fields: Mapping[str, str],
    used: Collection[str],
) -> tuple[dict[str, Column], list[str]]:
    """The columns that go along, and a line for each that cannot.

    Args:
        raw: the source.
        rows: row of each example.
        more: further values of each example that an adapter made; they stand for the source's.
        fields: which column became which field.
        used: columns of images, which go along as ``images``.
    """
    made = list(dict.fromkeys(key for item in more for key in item))
    found: dict[str, Column] = {}
    left_out = []
    for name in dict.fromkeys([*raw.columns, *made]):
        if name in used:
            continue
        if name in TAKEN:
            left_out.append(f"column {name!r} is left out: the name is {TAKEN[name]}")
        elif name in OWN:
            field = {"example_id": "id"}.get(name, name)
            if fields and name not in made and fields.get(field) != name and name not in HIDDEN:
                left_out.append(f"column {name!r} is left out: the field {name} is another column")
        elif name in made:
            found[name] = _made([item.get(name) for item in more], name)
        else:
            found[name] = _stored(raw, name, rows)
    return found, left_out


def _made(values: Sequence[Any], name: str) -> Column:
    try:
        return column_of(values)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"column {name!r}: {error}; give text, numbers, lists or mappings"
        ) from error


def _stored(raw: RawRows, name: str, rows: Sequence[int]) -> Column:
    if isinstance(raw.table, list) or name in raw.json:
        return _made([raw.cell(row, name) for row in rows], name)
    assert raw.features is not None
    feature = _undecoded(raw.features[name])
    return feature, pick(raw.table.column(name), rows)


def _undecoded(feature: Any) -> Any:
    """The feature with pictures and sounds as they are stored."""
    if isinstance(feature, (datasets.Image, datasets.Audio)):
        return {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    if isinstance(feature, (datasets.List, datasets.LargeList)):
        return type(feature)(_undecoded(feature.feature))
    if isinstance(feature, dict):
        return {key: _undecoded(inner) for key, inner in feature.items()}
    return feature
