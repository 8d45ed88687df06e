"""From a recipe's ``data`` section to a data set in the example format.

``load_examples(DataSpec(...))`` reads rows (``readers``), converts each by a column map or by a
named adapter (``adapters``), and checks every row and image before anything is trained: one message
names the file, the row and what is wrong.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import asdict, dataclass, field
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

from noisygrpo.data.adapters import ADAPTERS, make_adapter
from noisygrpo.data.checks import check_all_images
from noisygrpo.data.example import FEATURES, check_prompt, make_prompt
from noisygrpo.data.prompts import resolve_prompt, resolve_system
from noisygrpo.data.readers import RawRows, read_rows
from noisygrpo.data.rows import Adapter, RowProblem, finish, from_columns
from noisygrpo.errors import UserError, require

logger = logging.getLogger(__name__)

PLAYGROUND = "playground"
PLAYGROUND_HAS_NO = (
    "adapter",
    "columns",
    "cluster_pattern",
    "image_root",
    "options",
    "prompt",
    "system",
)
"""Fields that mean nothing for the playground, which has its own prompt."""
PLAYGROUND_ROWS = 2000
"""Rows of a playground split where ``limit`` does not say."""


@dataclass(frozen=True)
class DataSpec:
    """The ``data`` section of a recipe."""

    source: str
    """``playground``, a hub id, a folder, or a .parquet, .json or .jsonl file."""
    split: str = "train"
    """Split of a hub data set, a folder or the playground; single files have none."""
    config: str = ""
    """Configuration name of a hub data set."""
    adapter: str = ""
    """Name in ``ADAPTERS`` for data sets that it knows; "" uses ``columns``."""
    columns: dict[str, str | None] = field(default_factory=dict)
    """Column map: question, image, answer, reasoning, id, cluster, kind -> the source's name."""
    cluster_pattern: str = ""
    """Regular expression on the id; its first group (or the match) names the cluster."""
    prompt: str = ""
    """Name in ``PROMPTS`` or a text with ``{question}``; "" is ``think_answer``."""
    system: str = ""
    """Name in ``SYSTEMS``, a text, or "" for no system turn."""
    limit: int | None = None
    """At most so many examples; all if null."""
    shuffle: bool = False
    """Draw the examples in an order given by ``seed`` instead of the order of the file."""
    seed: int = 0
    """Seed of ``shuffle`` and of the playground."""
    image_root: str = ""
    """Folder that image paths are relative to; the folder of the file if ""."""
    options: dict[str, Any] = field(default_factory=dict)
    """Knobs of the adapter."""

    def __post_init__(self) -> None:
        require(bool(self.source), "data.source is empty")
        require(
            self.limit is None or self.limit > 0,
            f"data.limit: {self.limit} is not a positive number of rows",
        )
        require(
            not self.adapter or self.adapter in ADAPTERS,
            f"data.adapter: {self.adapter!r} is not one of {sorted(ADAPTERS)}",
        )
        require(
            not (self.adapter and self.columns),
            f"data.columns: the adapter {self.adapter!r} knows its columns; leave them out",
        )
        try:
            re.compile(self.cluster_pattern)
        except re.error as error:
            message = f"data.cluster_pattern: {self.cluster_pattern!r} is no pattern: {error}"
            raise UserError(message) from error


def load_examples(spec: DataSpec, check_images: bool = True) -> datasets.Dataset:
    """Load, convert and check the rows of ``spec``.

    Returns a data set with ``FEATURES`` whose images decode on access, in RGB. Raises ``UserError``
    for the first problem, naming file and row. ``check_images=False`` skips reading the images.
    """
    if spec.source == PLAYGROUND:
        return _playground(spec)
    raw = read_rows(spec.source, spec.split, spec.config, spec.image_root)
    require(len(raw) > 0, f"{raw.label}: the data set has no rows")
    adapter = _adapter(spec)
    image_column = _image_column(adapter, raw)
    examples, rows = _convert(spec, raw, adapter, image_column)
    require(
        len(rows) > 0, f"{raw.label}: the adapter {spec.adapter!r} kept none of {len(raw)} rows"
    )
    columns = {key: [example[key] for example in examples] for key in FEATURES if key != "images"}
    columns["images"] = raw.images(image_column, rows)
    table = pa.table({key: columns[key] for key in FEATURES}, schema=FEATURES.arrow_schema)
    info = datasets.DatasetInfo(features=FEATURES)
    data = datasets.Dataset(table, info=info, fingerprint=_fingerprint(spec, raw))
    logger.info("%s: %d examples from %d rows", raw.label, len(examples), len(raw))
    if check_images:
        check_all_images(data, lambda index: raw.where(rows[index]))
    return data


def _adapter(spec: DataSpec) -> Adapter:
    if spec.adapter:
        return make_adapter(spec.adapter, spec.options)
    require(not spec.options, "data.options: only named adapters (data.adapter) have options")
    return from_columns(spec.columns)


def _playground(spec: DataSpec) -> datasets.Dataset:
    """Make a split of the built-in world."""
    given = [name for name in PLAYGROUND_HAS_NO if getattr(spec, name)]
    require(not given, f"data: the playground takes no {', '.join(given)}")
    from noisygrpo.playground import make_split

    return make_split(spec.split, spec.limit or PLAYGROUND_ROWS, seed=spec.seed)


def _image_column(adapter: Adapter, raw: RawRows) -> str | None:
    """Check that the adapter's columns are there; return the one that holds images, if any."""
    has = f"; it has {list(raw.columns)}"
    for column in adapter.columns:
        require(column in raw.columns, f"{raw.label}: no column {column!r} (data.columns){has}")
    found = next((column for column in adapter.image if column in raw.columns), None)
    require(
        found is not None or not adapter.image_required,
        f"{raw.label}: no image column {' or '.join(map(repr, adapter.image))} (data.columns){has}",
    )
    return found


def _convert(
    spec: DataSpec, raw: RawRows, adapter: Adapter, image_column: str | None
) -> tuple[list[dict[str, Any]], list[int]]:
    """Convert rows until ``limit`` is reached; returns examples without images, and their rows."""
    count = len(raw)
    order = np.random.default_rng(spec.seed).permutation(count) if spec.shuffle else range(count)
    template, system = resolve_prompt(spec.prompt), resolve_system(spec.system)
    examples: list[dict[str, Any]] = []
    rows: list[int] = []
    first_with_id: dict[str, int] = {}
    skip = None if adapter.image_in_row else image_column
    for row, values in raw.iterate([int(index) for index in order], skip=skip):
        try:
            for number, fields in enumerate(adapter.convert(values)):
                default = f"{raw.name}-{row}" + (f"-{number}" if number else "")
                example = finish(fields, default, spec.cluster_pattern)
                example["prompt"] = make_prompt(example["question"], template, system)
                check_prompt(example["prompt"], raw.where(row))
                other = first_with_id.get(example["example_id"])
                if other is not None:
                    problem = f"id {example['example_id']!r} is also that of {raw.where(other)}"
                    raise RowProblem(problem)
                first_with_id[example["example_id"]] = row
                examples.append(example)
                rows.append(row)
                if len(rows) == spec.limit:
                    return examples, rows
        except RowProblem as problem:
            raise UserError(f"{raw.where(row)}: {problem}") from problem
    return examples, rows


def _fingerprint(spec: DataSpec, raw: RawRows) -> str:
    """A stable name of the result, so that ``datasets`` need not hash every image."""
    text = repr((sorted(asdict(spec).items()), raw.name, len(raw), raw.columns))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
