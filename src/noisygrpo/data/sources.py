"""From a recipe's ``data`` section to a data set in the example format.

``load(DataSpec(...))`` reads rows (``readers``), converts each by its layout (``formats``) or by an
adapter, and checks every row and image before anything is trained: one message names the file, the
row and what is wrong. What was detected, and what differs from the file, is in its report.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from textwrap import shorten

import datasets
import numpy as np
import pyarrow as pa

from noisygrpo.data import pictures
from noisygrpo.data.adapters import make_adapter
from noisygrpo.data.assemble import data_set
from noisygrpo.data.checks import Seen, check_all_images, report_lines
from noisygrpo.data.convert import Draft, digest, draft, share
from noisygrpo.data.formats import choose_format
from noisygrpo.data.parts import ALL, Part, chosen_rows, parts_of, prefixes
from noisygrpo.data.picture_columns import (
    PictureColumns,
    aside_lines,
    picture_columns,
    require_pictures,
)
from noisygrpo.data.prompts import DEFAULT, resolve_prompt
from noisygrpo.data.raw import RawRows
from noisygrpo.data.readers import Settings, has_splits, read_rows
from noisygrpo.data.rows import Adapter, RowProblem
from noisygrpo.data.several import Piece, drawn, joined
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


class NothingLeft(UserError):
    """All examples of a source are on the other side of ``holdout``."""


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
    parts = parts_of(spec.source, settings.source)
    if parts is None:
        whole = replace(spec, source=str(spec.source))
        piece = _piece(whole, Part(str(spec.source)), settings, held_out=held_out)
    else:
        piece = _joined(spec, parts, settings, held_out=held_out)
    data, where = piece.data, piece.where
    seen = check_all_images(data, where) if check_images else None
    counts = pictures.lengths(data.data.column("images"))
    lines = piece.lines + report_lines(data, counts, where, seen) + piece.further
    return Loaded(data, lines, where, seen)


def _piece(
    spec: DataSpec, part: Part, settings: Settings, *, held_out: bool, prefix: str = ""
) -> Piece:
    """The examples of one source; ``prefix`` tells its name from that of another."""
    source = part.source
    require(
        has_splits(source) or spec.split == TRAIN,
        f"{settings.split}: {spec.split!r}, but {source} has no splits; leave it out",
    )
    raw = read_rows(source, spec.split, spec.config, spec.image_root, settings)
    require(len(raw) > 0, f"{raw.label}: the data set has no rows")
    raw = replace(raw, name=prefix.replace("/", "-") + raw.name)
    adapter, lines = _adapter(spec, raw)
    named = spec.columns.get("image", "")
    listed = named if isinstance(named, list) else []
    places = picture_columns(adapter, raw, listed, detect=not spec.adapter and named == "")
    columns = places.names
    order = chosen_rows(part, len(raw), spec.seed)
    drafts = _drafts(spec, raw, adapter, columns, held_out, order)
    if not columns and not spec.adapter and "image" not in spec.columns:
        require_pictures(raw, drafts)
    rows = [made.row for made in drafts]
    images = _images(spec, raw, drafts, places)
    data, further = data_set(spec, raw, adapter, drafts, images, columns)
    logger.info("%s: %d examples from %d rows", raw.label, len(data), len(raw))
    if raw.root.moved:
        lines.append(
            f"{len(raw.root.moved):,} image paths are absolute and lead elsewhere; these pictures "
            f"were found in {raw.root.folder} by their last folders"
        )
    lines += [said for said in (raw.aside, places.said) if said]
    if not spec.adapter and named is not None:
        lines += aside_lines(raw, columns)
    lines += _prompt_lines(spec, adapter, drafts)
    return Piece(data, lambda index: raw.where(rows[index]), lines, further)


def _joined(spec: DataSpec, parts: Sequence[Part], settings: Settings, *, held_out: bool) -> Piece:
    """The examples of several sources; ``limit`` and ``shuffle`` are over all of them."""
    pieces = []
    for part, prefix in zip(parts, prefixes(parts), strict=True):
        root = part.image_root or spec.image_root
        own = replace(spec, source=part.source, image_root=root, limit=None, shuffle=False)
        try:
            piece = _piece(own, part, settings, held_out=held_out, prefix=prefix)
        except NothingLeft as error:
            other = error
            continue
        except UserError as error:
            known = part.named in str(error) or not prefix
            raise UserError(str(error) if known else f"{prefix}{error}") from error
        label, taken = prefix + Path(part.source).name, "" if part.rows == ALL else part.rows
        head = f"{label}: {len(piece.data):,} examples" + (f" ({taken})" if taken else "")
        lines = [head, *(f"{label}: {line}" for line in piece.lines)]
        pieces.append(replace(piece, where=_prefixed(piece.where, prefix), lines=lines))
    if not pieces:
        raise other
    count = sum(len(piece.data) for piece in pieces)
    return joined(pieces, drawn(count, spec.seed, spec.limit, shuffle=spec.shuffle))


def _prefixed(where: Callable[[int], str], prefix: str) -> Callable[[int], str]:
    return lambda index: prefix + where(index)


def _images(
    spec: DataSpec, raw: RawRows, drafts: Sequence[Draft], places: PictureColumns
) -> pa.ChunkedArray:
    """The images of every example, ``list<struct<bytes, path>>``."""
    rows = [made.row for made in drafts]
    own = [made.images for made in drafts]
    stored = raw.images(places.names, rows, together=places.together)
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
            f"in {tagged:,} rows the answer is the end of a worked solution (<answer>, \\boxed or "
            "####): the target is what stands there, the rest is the reasoning"
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
    # Of a list of image columns the layouts need to know only that there is one.
    names = {key: name[0] if isinstance(name, list) else name for key, name in spec.columns.items()}
    layout, adapter = choose_format(raw, spec.format, names)
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


def _drafts(
    spec: DataSpec,
    raw: RawRows,
    adapter: Adapter,
    images: Sequence[str],
    held_out: bool,
    order: Sequence[int],
) -> list[Draft]:
    """Convert rows, those of the wanted side of ``holdout``, until ``limit`` is reached."""
    count = len(order)
    if spec.shuffle:
        order = [order[n] for n in np.random.default_rng(spec.seed).permutation(count)]
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
    if not drafts and other_side:
        raise NothingLeft(
            f"data.holdout: {spec.holdout} leaves nothing to "
            f"{'measure' if held_out else 'train'} of {other_side} examples of {raw.label}"
        )
    require(bool(drafts), f"{raw.label}: the adapter {spec.adapter!r} kept none of {count} rows")
    return drafts


def _address(spec: DataSpec, raw: RawRows, made: Draft, images: Sequence[str]) -> bytes:
    """What decides on which side of ``holdout`` an example is.

    Its cluster, its pair, its id, or else its content: so equal rows are on one side, and a row
    stays on its side whatever is added to the file.
    """
    fields = made.fields
    if spec.cluster_pattern and (match := re.search(spec.cluster_pattern, str(fields.get("id")))):
        return digest(match.group(1) if match.re.groups else match.group(0))
    named = fields.get("cluster") or fields.get("pair") or fields.get("id")
    if named:
        return digest(named)
    cells = [raw.cell(made.row, column) for column in images]
    asked = [turn["content"] for turn in made.turns]
    return digest(asked, fields["answer"], made.images or [], cells)
