"""The very picture that a rollout saw, drawn again from its line in ``rollouts.jsonl``.

    record = json.loads(line)                      # a line of runs/demo/rollouts.jsonl
    view = redraw(record, row["images"][0])        # the same bytes that were sampled on

Noise is addressed, not consumed (``methods.noise``), so the line has all that is needed but the
clean image: level, kind and its knobs, and for each image a seed and the size it was drawn in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from noisygrpo.errors import UserError, require
from noisygrpo.methods.noise import perturb
from noisygrpo.own.resolve import resolve
from noisygrpo.training.rollout import as_drawn
from noisygrpo.user_code import is_user_function

Record = Mapping[str, Any]


def redraw(
    record: Record,
    image: Image.Image,
    number: int = 0,
    *,
    kind: str | None = None,
    own_code: bool = False,
) -> Image.Image:
    """Return ``image`` as the rollout of a record saw it, to the byte; the same object if clean.

    Args:
        record: a line of ``rollouts.jsonl`` (or a row of the parquet files) as a mapping.
        image: the row's clean image, any size and mode.
        number: which of the row's images it is, from 0.
        kind: a noise kind, for records that do not name theirs (``noise_kind``); then
            ``gaussian``.
        own_code: whether a record may name a function of the user's (``path.py:function``), which
            is then run.

    Raises:
        UserError: the record has no seed for that image, or its level, seed or kind is none.
    """
    level = record.get("noise_level") or 0.0
    if not level and not _seeds(record):
        return image
    seed, function = seed_of(record, number), _noise_of(record, kind, own_code)
    how = as_drawn(record.get("released") or (), not level)
    try:
        return perturb(_fitted(record, image, number), float(level), seed, function, **how)
    except (TypeError, ValueError) as error:
        raise UserError(f"noise_level of {_named(record)}: {error}") from error


def _noise_of(record: Record, kind: str | None, own_code: bool) -> Any:
    """The function that drew a record's view, with its knobs."""
    name = record.get("noise_kind") or kind or "gaussian"
    own = isinstance(name, str) and is_user_function(name)
    require(
        own_code or not own,
        f"noise_kind of {_named(record)}: {name!r} is code, which is run only where that is "
        "allowed (own_code=True; report --recipe)",
    )
    try:
        return resolve("noise_kind", name, record.get("noise_knobs"))
    except UserError as error:
        raise UserError(f"{error} ({_named(record)})") from error


def _fitted(record: Record, image: Image.Image, number: int) -> Image.Image:
    """The image in the size in which noise was drawn on it, where that is not its own."""
    sizes = record.get("noise_size")
    if sizes is None or len(sizes) <= number or tuple(sizes[number]) == image.size:
        return image
    width, height = sizes[number]
    return image.resize((int(width), int(height)))  # bicubic, as where it was sampled


def _named(record: Record) -> str:
    return f"{record.get('example_id')}, step {record.get('step')}"


def redraw_all(
    record: Record, images: Sequence[Image.Image], *, own_code: bool = False
) -> list[Image.Image]:
    """Return each of a row's images as the rollout of a record saw it; see `redraw`."""
    return [redraw(record, image, number, own_code=own_code) for number, image in enumerate(images)]


def _seeds(record: Record) -> list[Any]:
    found = record.get("noise_seed")
    return [] if found is None else list(found)


def seed_of(record: Record, number: int = 0) -> np.random.SeedSequence:
    """Return the seed of the noise on image ``number``, which the record has in hexadecimal.

    Raises:
        UserError: it has none for that image, or something else.
    """
    seeds = _seeds(record)
    where = _named(record)
    require(
        0 <= number < len(seeds), f"noise_seed of {where}: {len(seeds)}, asked is image {number}"
    )
    try:
        return np.random.SeedSequence(int(seeds[number], 16))
    except (TypeError, ValueError) as error:
        raise UserError(f"noise_seed of {where}: {seeds[number]!r} is not hexadecimal") from error
