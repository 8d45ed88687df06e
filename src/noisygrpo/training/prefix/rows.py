"""Taking rows out of TRL's scored batch.

In TRL's batch tokens are laid out by row, but pixels end to end over the images of all rows, so a
row is more than an index. A chunk of rows without a single image must not reach the vision tower,
not even with 0 patches: Qwen's fails on them.

Shapes: B rollouts, T completion tokens.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from trl.models.utils import disable_gradient_checkpointing
from trl.trainer.utils import split_pixel_values_by_grid, unsplit_pixel_values_by_grid

IMAGE_KEYS = (
    "pixel_values",
    "image_grid_thw",
    "num_images",
    "pixel_attention_mask",
    "spatial_shapes",
    "num_tiles",
    "image_sizes",
    "image_position_ids",
)
"""What TRL's batch holds of images, under the names that its scoring function takes."""

BY_IMAGE = ("image_grid_thw", "image_position_ids", "spatial_shapes", "num_tiles")
"""Of these, what says that pixels lie image by image."""

SCORING_KEYS = (*IMAGE_KEYS, "token_type_ids", "mm_token_type_ids")
"""What TRL's batch holds besides tokens and their masks."""

Scores = tuple[Float[Tensor, "B T"], Float[Tensor, "B T"] | None, Tensor | None]
"""Log-probs, entropies and the load-balancing loss of a mixture of experts, as TRL returns them."""


def present(batch: dict[str, Any]) -> dict[str, Any]:
    """Return what a batch holds: nothing of images where no row has one, and no None."""
    blind = not any(batch.get("num_images") or [])
    return {
        key: value
        for key, value in batch.items()
        if value is not None and not (blind and key in IMAGE_KEYS)
    }


def take(value: Any, rows: Sequence[int]) -> Any:
    """Return some rows of a value with one entry a row; a number is left as it is."""
    if isinstance(value, Tensor):
        return value[list(rows)] if value.ndim else value
    return [value[row] for row in rows]


def one_tensor(pixels: Any) -> Tensor:
    """Return what a processor gave as pixels; TRL makes no tensor of a list by picture."""
    return pixels if isinstance(pixels, Tensor) else torch.as_tensor(np.array(pixels))


def split_images(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch whose pixels are a list with one entry a row, or tensors with one row each.

    That is TRL's function, but for pixels that are padded to one row a sample (Idefics): TRL takes
    them for one row an image where a batch has as many images as rows.
    """
    padded = batch.get("pixel_attention_mask") is not None
    if padded and all(batch.get(key) is None for key in BY_IMAGE):
        return batch
    split: dict[str, Any] = split_pixel_values_by_grid(batch)
    return split


def select_rows(batch: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """Return some rows of a batch with their pixels and grids, as ``present`` has it."""
    split = split_images(present(batch))
    picked = {key: take(value, rows) for key, value in split.items()}
    return present(unsplit_pixel_values_by_grid(picked))


def chunks(batch: dict[str, Any], size: int) -> Iterator[dict[str, Any]]:
    """Return a batch with ``input_ids`` in parts of ``size`` rows, as ``present`` has them."""
    count = len(batch["input_ids"])
    if size >= count:
        yield present(batch)
        return
    for start in range(0, count, size):
        yield select_rows(batch, range(start, min(start + size, count)))


@torch.no_grad()
def score_batch(trainer: Any, batch: dict[str, Any]) -> Float[Tensor, "B T"]:
    """Return the log-probs of TRL's scored batch, or of some of its rows, by its own trainer."""
    ids = torch.cat((batch["prompt_ids"], batch["completion_ids"]), 1)
    mask = torch.cat((batch["prompt_mask"], batch["completion_mask"]), 1)
    with disable_gradient_checkpointing(trainer.model, trainer.args.gradient_checkpointing_kwargs):
        log_probs: Tensor = trainer._get_per_token_logps_and_entropies(
            trainer.model,
            ids,
            mask,
            batch["completion_ids"].size(1),
            batch_size=trainer.args.per_device_train_batch_size,
            **{key: batch[key] for key in SCORING_KEYS if key in batch},
        )[0]
    return log_probs
