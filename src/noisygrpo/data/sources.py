"""From a recipe's ``data`` section to a data set in the example format.

``load(DataSpec(...))`` reads rows (``readers``), converts each by its layout (``formats``) or by an
adapter, and checks every row and image before anything is trained: one message names the file, the
row and what is wrong. What was detected, and what differs from the file, is in its report.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from textwrap import shorten
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

from noisygrpo.data import pictures
from noisygrpo.data.adapters import make_adapter
from noisygrpo.data.checks import Seen, check_all_images, report_lines
from noisygrpo.data.convert import Draft, digest, draft, finish, share
from noisygrpo.data.example import FEATURES, KEYS, as_stored, check_prompt
from noisygrpo.data.formats import choose_format
from noisygrpo.data.further import further_columns
from noisygrpo.data.prompts import DEFAULT, resolve_prompt, resolve_system
from noisygrpo.data.readers import RawRows, Settings, has_splits, read_rows
from noisygrpo.data.rows import Adapter, RowProblem
from noisygrpo.data.spec import TRAIN, DataSpec
from noisygrpo.data.user_adapter import user_adapter
from noisygrpo.errors import UserError, require

logger = logging.getLogger(__name__)

PLAYGROUND = "playground"
PLAYGROUND_TAKES = ("source", "split", "limit", "shuffle", "seed", "max_prompt_tokens")
"""Fields that mean something for the playground, which has its own rows and prompt."""
PLAYGROUND_ROWS = 2000
"""Rows of a playground split where ``limit`` does not say."""


@dataclass(frozen=True)
class Loaded:
    """Examples, and what is to be said of them."""

    data: datasets.Dataset
    """Rows with ``FEATURES`` and the source's further columns; images decode on access, in RGB."""
    report: list[str]
    """What was detected and what differs from the source, in lines."""
    where: Callable[[int], str]
    """Names the source of an example, such as ``train.jsonl line 7``."""
    seen: list[Seen] | None
    """What was seen of each example and its images; None where these were not read."""


def load_examples(spec: DataSpec, check_images: bool = True) -> datasets.Dataset:
    """Load, convert and check the rows of ``spec``; see ``load``."""
    return load(spec, check_images=check_images).data


def load(
    spec: DataSpec,
    *,
    held_out: bool = False,
    check_images: bool = True,
    settings: Settings = Settings(),  # noqa: B008
) -> Loaded:
    """Load, convert and check the rows of ``spec``.

    Args:
        spec: the ``data`` section.
        held_out: take the examples that ``spec.holdout`` keeps from training, instead of the rest.
        check_images: read every image.
        settings: what messages call the settings of source and split.

    Raises:
        UserError: for the first problem, naming file and row.
    """
    if spec.source == PLAYGROUND:
        return _playground(spec, settings)
    require(
        has_splits(spec.source) or spec.split == TRAIN,
        f"{settings.split}: {spec.split!r}, but {spec.source} has no splits; leave it out",
    )
    raw = read_rows(spec.source, spec.split, spec.config, spec.image_root, settings)
    require(len(raw) > 0, f"{raw.label}: the data set has no rows")
    adapter, lines = _adapter(spec, raw)
    columns = _image_columns(adapter, raw)
    drafts = _drafts(spec, raw, adapter, columns, held_out)
    rows = [made.row for made in drafts]
    images = _images(spec, raw, drafts, columns)
    data, further = _data_set(spec, raw, adapter, drafts, images, columns)
    logger.info("%s: %d examples from %d rows", raw.label, len(data), len(raw))

    def where(index: int) -> str:
        return raw.where(rows[index])

    seen = check_all_images(data, where) if check_images else None
    lines += _prompt_lines(spec, adapter, drafts)
    lines += report_lines(data, pictures.lengths(images), where, seen) + further
    return Loaded(data, lines, where, seen)


def _images(
    spec: DataSpec, raw: RawRows, drafts: Sequence[Draft], columns: Sequence[str]
) -> pa.ChunkedArray:
    """The images of every example, ``list<struct<bytes, path>>``."""
    rows = [made.row for made in drafts]
    own = [made.images for made in drafts]
    stored = raw.images(columns, rows)
    # What a user's function returns stands for what the row has.
    return pictures.with_own(stored, own, rows, raw.root, raw.where, replace=bool(spec.adapter))


def _prompt_lines(spec: DataSpec, adapter: Adapter, drafts: Sequence[Draft]) -> list[str]:
    """What is put around the rows' own turns."""
    lines = []
    name = spec.prompt or adapter.prompt or DEFAULT
    if resolve_prompt(name) != "{question}":
        lines.append(f"data.prompt {shorten(name, 60)!r} is put around the question")
    tagged = sum(made.unwrapped for made in drafts)
    if tagged:
        lines.append(
            f"in {tagged:,} rows the answer is in <answer> tags: the target is what they hold"
        )
    own = sum(made.turns[0]["role"] == "system" for made in drafts)
    if spec.system and own:
        lines.append(f"{own:,} rows have a system turn, which stands instead of data.system")
    return lines


def _adapter(spec: DataSpec, raw: RawRows) -> tuple[Adapter, list[str]]:
    """How the rows are read, and the lines that say so."""
    if ".py:" in spec.adapter:
        return user_adapter(spec.adapter, spec.options), [f"read by {spec.adapter}"]
    if spec.adapter:
        return make_adapter(spec.adapter, spec.options), [f"read by the adapter {spec.adapter}"]
    require(not spec.options, "data.options: only adapters (data.adapter) have options")
    layout, adapter = choose_format(raw, spec.format, spec.columns)
    said = "as data.format says" if spec.format else "detected; data.format sets it"
    notes = ", ".join(f"{name} <- {column}" for name, column in adapter.fields.items())
    return adapter, [f"layout {layout} ({said}): {notes}"]


def _playground(spec: DataSpec, settings: Settings) -> Loaded:
    """Make a split of the built-in world."""
    default = {item.name: getattr(DataSpec(PLAYGROUND), item.name) for item in fields(spec)}
    given = [
        name
        for name, value in default.items()
        if name not in PLAYGROUND_TAKES and getattr(spec, name) != value
    ]
    require(not given, f"data: the playground takes no {', '.join(given)}")
    from noisygrpo.playground import make_split

    try:
        data = make_split(spec.split, spec.limit or PLAYGROUND_ROWS, seed=spec.seed)
    except UserError as error:
        raise UserError(str(error).replace("data.split", settings.split)) from error
    return Loaded(data, [], lambda index: f"playground row {index}", None)


def _image_columns(adapter: Adapter, raw: RawRows) -> list[str]:
    """Check that the adapter's columns are there; return those that hold images."""
    has = f"; it has {list(raw.columns)}"
    for column in adapter.columns:
        require(column in raw.columns, f"{raw.label}: no column {column!r} (data.columns){has}")
    found = [column for column in adapter.image if column in raw.columns]
    require(
        bool(found) or not adapter.image_required,
        f"{raw.label}: no image column {' or '.join(map(repr, adapter.image))}{has}; "
        "data.columns.image names it, and is null for text-only rows",
    )
    return found


def _drafts(
    spec: DataSpec, raw: RawRows, adapter: Adapter, images: Sequence[str], held_out: bool
) -> list[Draft]:
    """Convert rows, those of the wanted side of ``holdout``, until ``limit`` is reached."""
    count = len(raw)
    order = np.random.default_rng(spec.seed).permutation(count) if spec.shuffle else range(count)
    skip = () if adapter.image_in_row else images
    drafts: list[Draft] = []
    other_side = 0
    for row, values in raw.iterate([int(index) for index in order], skip, name_labels=True):
        try:
            fields_of_row = adapter.convert(values)
            found = [draft(row, n, made, values) for n, made in enumerate(fields_of_row)]
        except RowProblem as problem:
            raise UserError(f"{raw.where(row)}: {problem}") from problem
        for made in found:
            if spec.holdout and held_out != (
                share(_address(spec, raw, made, images)) < spec.holdout
            ):
                other_side += 1
                continue
            drafts.append(made)
            if len(drafts) == spec.limit:
                return drafts
    require(
        bool(drafts) or not other_side,
        f"data.holdout: {spec.holdout} leaves nothing to "
        f"{'measure' if held_out else 'train'} of {other_side} examples of {raw.label}",
    )
    require(bool(drafts), f"{raw.label}: the adapter {spec.adapter!r} kept none of {count} rows")
    return drafts


def _address(spec: DataSpec, raw: RawRows, made: Draft, images: Sequence[str]) -> bytes:
    """What decides on which side of ``holdout`` an example is.

    Its cluster, its id, or else its content: so equal rows are on one side, and a row stays on its
    side whatever is added to the file.
    """
    fields = made.fields
    if spec.cluster_pattern and (match := re.search(spec.cluster_pattern, str(fields.get("id")))):
        return digest(match.group(1) if match.re.groups else match.group(0))
    named = fields.get("cluster") or fields.get("id")
    if named:
        return digest(named)
    cells = [raw.cell(made.row, column) for column in images]
    asked = [turn["content"] for turn in made.turns]
    return digest(asked, fields["answer"], made.images or [], cells)


def _data_set(
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
