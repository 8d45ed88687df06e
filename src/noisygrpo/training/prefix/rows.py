"""Taking rows out of TRL's scored batch, and scoring batches in which some rows have no image.

In TRL's batch tokens are laid out by row, but pixels end to end over the images of all rows, so a
row is more than an index. A chunk of rows without a single image must not reach the vision tower,
not even with 0 patches: Qwen's fails on them.

Shapes: B rollouts, T completion tokens.
"""

from collections.abc import Callable, Sequence
from typing import Any

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

SCORING_KEYS = (*IMAGE_KEYS, "token_type_ids", "mm_token_type_ids")
"""What TRL's batch holds besides tokens and their masks."""

Scores = tuple[Float[Tensor, "B T"], Float[Tensor, "B T"] | None, Tensor | None]
"""Log-probs, entropies and the load-balancing loss of a mixture of experts, as TRL returns them."""


def select_rows(batch: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """Return some rows of a batch with their pixels and grids; what is None is left out."""
    present = {key: value for key, value in batch.items() if value is not None}
    split = split_pixel_values_by_grid(present)
    picked = {
        key: value[list(rows)] if isinstance(value, Tensor) else [value[row] for row in rows]
        for key, value in split.items()
    }
    return unsplit_pixel_values_by_grid(picked)


def blind_chunks(num_images: Sequence[int] | None, rows: int, size: int) -> bool:
    """Tell whether a chunk of ``size`` rows has no image although the batch has some."""
    if not num_images:
        return False
    return any(not any(num_images[start : start + size]) for start in range(0, rows, size))


def score_chunks(score: Callable[..., Scores], batch: dict[str, Any], size: int) -> Scores:
    """Score a batch ``size`` rows at a time, images only where there are some.

    Args:
        score: TRL's function but for the rows: it takes ``batch``'s entries by name.
        batch: ``input_ids``, ``attention_mask`` and ``SCORING_KEYS``.
        size: rows per forward.
    """
    results = []
    for start in range(0, len(batch["input_ids"]), size):
        end = min(start + size, len(batch["input_ids"]))
        part = select_rows(batch, range(start, end))
        if not any(part["num_images"]):
            part = {key: value for key, value in part.items() if key not in IMAGE_KEYS}
        results.append(score(**part))
    log_probs, entropies, aux = zip(*results, strict=True)
    return (
        torch.cat(log_probs),
        None if entropies[0] is None else torch.cat(entropies),
        None if aux[0] is None else torch.stack(aux).mean(),
    )


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
