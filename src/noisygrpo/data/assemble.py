"""Drafts of one source become a data set: finished examples, images and further columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import datasets
import pyarrow as pa

from noisygrpo.data import pictures
from noisygrpo.data.convert import Draft, finish
from noisygrpo.data.example import FEATURES, KEYS, as_stored, check_prompt
from noisygrpo.data.further import further_columns
from noisygrpo.data.prompts import resolve_prompt, resolve_system
from noisygrpo.data.raw import RawRows
from noisygrpo.data.rows import Adapter, RowProblem
from noisygrpo.data.spec import DataSpec
from noisygrpo.errors import UserError


def data_set(
    spec: DataSpec,
    raw: RawRows,
    adapter: Adapter,
    drafts: Sequence[Draft],
    images: pa.ChunkedArray,
    image_columns: Sequence[str],
) -> tuple[datasets.Dataset, list[str]]:
    """The examples as a data set with the source's further columns, and what was left out."""
    examples = _examples(spec, raw, adapter, drafts, pictures.lengths(images))
    stored = [as_stored(example) for example in examples]
    columns: dict[str, Any] = {key: [row[key] for row in stored] for key in KEYS if key != "images"}
    columns["images"] = images
    rows = [made.row for made in drafts]
    further, left_out = further_columns(
        raw, rows, [made.more for made in drafts], adapter.fields, image_columns
    )
    pairs = [made.fields.get("pair", "") for made in drafts]
    if any(pairs):
        further["pair"] = (datasets.Value("string"), pa.array(pairs, pa.string()))
    features = datasets.Features(
        {**FEATURES, **{name: feature for name, (feature, _) in further.items()}}
    )
    columns |= {name: values for name, (_, values) in further.items()}
    ordered = {name: columns[name] for name in features}
    table = pa.table(ordered, schema=features.arrow_schema)
    info = datasets.DatasetInfo(features=features)
    passed = [f"further columns for reward functions: {', '.join(further)}"] if further else []
    data = datasets.Dataset(table, info=info, fingerprint=_fingerprint(spec, raw, rows))
    return data, passed + left_out


def _examples(
    spec: DataSpec,
    raw: RawRows,
    adapter: Adapter,
    drafts: Sequence[Draft],
    counts: Sequence[int],
) -> list[dict[str, Any]]:
    """Finish every draft; ids are unique."""
    template = resolve_prompt(spec.prompt or adapter.prompt)
    system = resolve_system(spec.system)
    examples: list[dict[str, Any]] = []
    first_with_id: dict[str, int] = {}
    for made, count in zip(drafts, counts, strict=True):
        default = f"{raw.name}-{made.row}" + (f"-{made.number}" if made.number else "")
        where = raw.where(made.row)
        try:
            example = finish(made, count, default, template, system, spec.cluster_pattern)
        except RowProblem as problem:
            raise UserError(f"{where}: {problem}") from problem
        check_prompt(example["prompt"], where)
        other = first_with_id.get(example["example_id"])
        if other is not None:
            same = f"id {example['example_id']!r} is also that of {raw.where(other)}"
            raise UserError(f"{where}: {same}")
        first_with_id[example["example_id"]] = made.row
        examples.append(example)
    return examples


def _fingerprint(spec: DataSpec, raw: RawRows, rows: Sequence[int]) -> str:
    """A stable name of the result, so that ``datasets`` need not hash every image."""
    text = repr((sorted(asdict(spec).items()), raw.name, len(raw), raw.columns, rows))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
