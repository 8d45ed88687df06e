"""Other pictures for the rows of TRL's scored batch: of equal size, so that only pixels differ.

A row's pixels are kept as one entry of a list; rows with the same picture share the entry. TRL
shuffles and splits lists with the rest of a batch.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from trl.trainer.utils import unsplit_pixel_values_by_grid

from noisygrpo.training.prefix.rows import (
    IMAGE_KEYS,
    one_tensor,
    present,
    select_rows,
    split_images,
)
from noisygrpo.training.views.show import Tokenize, replace_images

Pictures = Sequence[Sequence[Image.Image]]


def with_pixels(batch: dict[str, Any], rows: Sequence[Tensor]) -> dict[str, Any]:
    """Return a batch with the pixels of each of its rows replaced; as it is without images."""
    split = split_images(present(batch))
    if "pixel_values" not in split:
        return split
    old = split["pixel_values"]
    pixels = list(rows) if isinstance(old, list) else _padded_like(old, rows)
    return unsplit_pixel_values_by_grid({**split, "pixel_values": pixels})


def _padded_like(old: Tensor, rows: Sequence[Tensor]) -> Tensor:
    """Return rows as one tensor of that shape; each may come from a batch with fewer images."""
    pixels = torch.zeros_like(old)
    for place, row in zip(pixels, rows, strict=True):
        if row.numel():
            place[tuple(slice(size) for size in row.shape)] = row
    return pixels


def pixel_rows(
    batch: dict[str, Any],
    rows: Sequence[int],
    prompts: Sequence[Any],
    pictures: Pictures,
    tokenize: Tokenize,
) -> list[Tensor]:
    """Return the pixels that stand for pictures in some rows of a batch.

    Args:
        batch: TRL's, with the clean images or any of their size.
        rows: numbers of the rows.
        prompts: of these, with images.
        pictures: what takes the places of these images, of their sizes.
        tokenize: TRL's function.

    Raises:
        RuntimeError: the pictures have other sizes.
    """
    like = select_rows({key: batch[key] for key in IMAGE_KEYS if key in batch}, list(rows))
    if "pixel_values" not in like:
        return [torch.empty(0)] * len(rows)
    shown = [replace_images(prompt, row) for prompt, row in zip(prompts, pictures, strict=True)]
    pixels = one_tensor(tokenize(shown)[2]["pixel_values"]).to(like["pixel_values"])
    if pixels.shape != like["pixel_values"].shape:
        raise RuntimeError(
            f"views have pixels of shape {tuple(pixels.shape)}, the images that are scored "
            f"{tuple(like['pixel_values'].shape)}; views that are compared need equal sizes"
        )
    return list(split_images({**like, "pixel_values": pixels})["pixel_values"])


def join(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    """Return the rows of two batches for one forward, prompts padded on the left to one width.

    None where a family keeps the images of its rows in one padded tensor and only one of the
    batches has images: those forwards are two.
    """
    width = max(len(one["input_ids"][0]), len(other["input_ids"][0]))
    first: dict[str, Any] = split_images(_padded(one, width))
    second: dict[str, Any] = split_images(_padded(other, width))
    joined: dict[str, Any] = {}
    rows = len(other["input_ids"])
    for key, value in first.items():
        if isinstance(value, list):
            nothing = [0] if key == "num_images" else [value[0][:0]]
            joined[key] = [*value, *second.get(key, nothing * rows)]
        elif not isinstance(value, Tensor):
            joined[key] = value
        elif key in second:
            joined[key] = torch.cat((value, second[key]))
        elif key in IMAGE_KEYS:
            return None
        else:  # kinds of tokens: all are text
            joined[key] = torch.cat((value, torch.zeros_like(value[:rows])))
    return unsplit_pixel_values_by_grid(joined)


def _padded(batch: dict[str, Any], width: int) -> dict[str, Any]:
    """Return what a batch holds, with what is as wide as its tokens padded with 0 on the left."""
    old = batch["input_ids"].size(1)
    pad = torch.nn.functional.pad

    def fit(key: str, value: Any) -> Any:
        wide = isinstance(value, Tensor) and value.ndim == 2 and key not in IMAGE_KEYS
        return pad(value, (width - old, 0)) if wide and value.size(1) == old else value

    return {key: fit(key, value) for key, value in present(batch).items()}


Score = Callable[[dict[str, Any]], Tensor]
"""Returns the log-probs ``[B, T]``, without gradient, of a batch as TRL has it."""
