"""The way of a picture, link by link: at each, what came out is what went in, row by row.

    drawn   view of the picture      -> what the processor made of the prompt
    handed  that, or the view        -> what the engine was handed (``engines.watch``)
    scored  the clean picture        -> what old and reference log-probs were given
    updated that                     -> what the loss was given, after TRL has shuffled the rows

Pictures are compared by hash (``hashes``), so a dropped, swapped or resized one is named before it
is trained on, with the step and the row. What is inside an engine, such as stale features of a
picture, shows in its log-probs alone (``mismatch``).

The first link and the third need a processor that makes every image's patches by itself (Qwen's
layout, ``views.preprocess``), the last one a layout that tells rows apart.
"""

from collections.abc import Sequence
from typing import Any

import torch
import xxhash

from noisygrpo.errors import RunStopped
from noisygrpo.training.pictures.hashes import Hashes, PictureHashes, hash_patches, hash_rows
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.views.preprocess import OncePerImage
from noisygrpo.training.views.show import Shown, prompt_images

KEPT = 4096
"""Rows whose names are remembered: a batch may be merged of several, before it is trained on."""


class LostPicture(RunStopped):
    """What was sampled from or scored is not what was meant to be; nothing was trained on it."""


def require_same(
    step: int,
    names: Sequence[str],
    expected: Sequence[Hashes] | None,
    found: Sequence[Hashes] | None,
    where: str,
) -> None:
    """Raise ``LostPicture`` for the first row whose pictures are not the expected ones.

    Args:
        step: optimizer step, from 1.
        names: of the rows.
        expected: hashes of each row's pictures; None where they are not known.
        found: hashes of what has arrived; None where that cannot be told by row.
        where: says what was given them.
    """
    if expected is None or found is None:
        return
    for number, (name, meant, came) in enumerate(zip(names, expected, found, strict=True)):
        if meant != came:
            raise LostPicture(
                f"step {step}: row {name!r} (rollout {number} of the batch): "
                f"{_difference(names, expected, number, came)} ({where}); nothing was trained on it"
            )


def _difference(names: Sequence[str], expected: Sequence[Hashes], row: int, came: Hashes) -> str:
    """Return in words what is wrong with the pictures of a row that has got ``came``."""
    meant = expected[row]
    if len(meant) != len(came):
        return f"its {len(meant)} picture(s) are {len(came)} there"
    place = next(n for n, pair in enumerate(zip(meant, came, strict=True)) if len({*pair}) > 1)
    owner = next((names[k] for k, one in enumerate(expected) if came[place] in one), None)
    if owner is None:
        return f"picture {place + 1} has other pixels or another size there"
    other = "that of another rollout" if owner == names[row] else f"that of row {owner!r}"
    return f"picture {place + 1} is {other} there"


class Links:
    """Compares what a batch's pictures are along their way."""

    def __init__(self) -> None:
        """Know no picture."""
        self._clean: Any = None  # patches of each row's clean pictures, where they are known
        self._counts: list[int] = []  # of each row's pictures
        self._names: dict[int, str] = {}  # row of each key that was given out

    def drawn(self, shown: Shown, rollouts: Sequence[Rollout], processor: Any) -> None:
        """Enter in the rollouts what they see and are scored on; check the prompts' fields."""
        views = [prompt_images(prompt) for prompt in shown.view_prompts]
        hashes, names = PictureHashes(), [rollout.example_id for rollout in rollouts]
        for rollout, seen, clean in zip(rollouts, views, shown.scored, strict=True):
            rollout.seen, rollout.scored = hashes.row(seen), hashes.row(clean)
        counts = [len(row) for row in views]
        self._counts, self._clean = counts, None
        images = getattr(processor, "image_processor", None)
        if isinstance(images, OncePerImage) and any(counts):
            made = PictureHashes(lambda image: hash_patches(images.patches(image)))
            meant, found = [made.row(row) for row in views], hash_rows(shown.fields, counts)
            require_same(rollouts[0].step, names, meant, found, "in the sampled prompt")
            self._clean = [[images.patches(image) for image in row] for row in shown.scored]

    def scored(self, output: dict[str, Any], rollouts: Sequence[Rollout]) -> None:
        """Check what was scored, and add each row's key to TRL's batch for ``updated``."""
        counts, pixels = self._counts, output.get("pixel_values")
        found = hash_rows(output, counts)
        if self._clean is not None:
            kind = None if pixels is None else pixels.dtype
            names = [rollout.example_id for rollout in rollouts]
            made: PictureHashes = PictureHashes(lambda patches: hash_patches(patches, kind))
            meant = [made.row(row) for row in self._clean]
            require_same(rollouts[0].step, names, meant, found, "in scoring")
        self._clean = None
        if found is not None and pixels is not None:
            keys = [_key(row) for row in found]
            new = {key: one.example_id for key, one in zip(keys, rollouts, strict=True)}
            self._names = dict([*self._names.items(), *new.items()][-KEPT:])
            output["picture_key"] = torch.tensor(keys, device=pixels.device)

    def updated(self, inputs: dict[str, Any], step: int) -> None:
        """Check what the loss of a micro-batch was given."""
        keys, counts = inputs.get("picture_key"), inputs.get("num_images")
        if keys is None or counts is None:
            return
        found = hash_rows(inputs, counts)
        for row, (key, came) in enumerate(zip(keys.tolist(), found or (), strict=bool(found))):
            if key != _key(came):
                owner = self._names.get(_key(came))
                said = "no picture of this batch" if owner is None else f"that of row {owner!r}"
                name = self._names.get(key)
                raise LostPicture(
                    f"step {step}: row {name!r} (row {row} of a micro-batch): the loss "
                    f"was given {said}; stopped before the optimizer step"
                )


def _key(row: Hashes) -> int:
    """Return a row's hashes as one number that a tensor can hold."""
    return xxhash.xxh3_64_intdigest(",".join(row).encode()) >> 1
