"""The very picture that a rollout saw, drawn again from its line in ``rollouts.jsonl``.

    record = json.loads(line)                      # a line of runs/demo/rollouts.jsonl
    view = redraw(record, row["images"][0])        # the same bytes that were sampled on

Noise is addressed, not consumed (``methods.noise``), so the line has all that is needed but the
clean image: level, kind, and one seed for each image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from noisygrpo.errors import UserError, require
from noisygrpo.methods.noise import NOISE_KINDS, perturb


def redraw(
    record: Mapping[str, Any],
    image: Image.Image,
    number: int = 0,
    *,
    kind: str | None = None,
) -> Image.Image:
    """Return ``image`` as the rollout of a record saw it, to the byte; the same object if clean.

    Args:
        record: a line of ``rollouts.jsonl`` (or a row of the parquet files) as a mapping.
        image: the row's clean image, any size and mode.
        number: which of the row's images it is, from 0.
        kind: a noise kind, for records that do not name theirs (``noise_kind``); then
            ``gaussian``.

    Raises:
        UserError: the record has no seed for that image, or its level, seed or kind is none.
    """
    level = record.get("noise_level") or 0.0
    if not level:
        return image
    seed = seed_of(record, number)
    named = record.get("noise_kind") or kind or "gaussian"
    where = f"{record.get('example_id')}, step {record.get('step')}"
    require(named in NOISE_KINDS, f"noise_kind: {named!r} of {where} is not one of the kinds")
    try:
        return perturb(image, float(level), seed, named)
    except ValueError as error:
        raise UserError(f"noise_level of {where}: {error}") from error


def redraw_all(
    record: Mapping[str, Any], images: Sequence[Image.Image], *, kind: str | None = None
) -> list[Image.Image]:
    """Return each of a row's images as the rollout of a record saw it; see `redraw`."""
    return [redraw(record, image, number, kind=kind) for number, image in enumerate(images)]


def seed_of(record: Mapping[str, Any], number: int = 0) -> np.random.SeedSequence:
    """Return the seed of the noise on image ``number``, which the record has in hexadecimal.

    Raises:
        UserError: it has none for that image, or something else.
    """
    seeds = list(record.get("noise_seed") if record.get("noise_seed") is not None else [])
    where = f"{record.get('example_id')}, step {record.get('step')}"
    require(
        0 <= number < len(seeds), f"noise_seed of {where}: {len(seeds)}, asked is image {number}"
    )
    try:
        return np.random.SeedSequence(int(seeds[number], 16))
    except (TypeError, ValueError) as error:
        raise UserError(f"noise_seed of {where}: {seeds[number]!r} is not hexadecimal") from error
