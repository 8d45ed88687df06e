"""What a picture is known by: 16 hexadecimal digits of its pixels, or of what a processor made.

A picture and its patches have unrelated hashes; each is compared with its like only.

    picture   xxh3 of mode, size and all bytes
    patches   xxh3 of their shape, and of at most ``MOST`` of their values at equal distances

A sample of the values tells two views of a picture apart, as noise changes nearly all of them, and
a resized, dropped or swapped picture. Two clean pictures that differ in a few pixels of a million
may share the hash of their patches, never that of the pictures.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
import xxhash
from PIL import Image
from torch import Tensor

from noisygrpo.training.prefix.rows import one_tensor

MOST = 2**14
"""Values of an image's patches that are read: 64 KB in float32."""

Hashes = tuple[str, ...]
"""One for each image of a row, in order."""


class PictureHashes:
    """Hashes of pictures; one that was read before, the same object, is not read again."""

    def __init__(self, read: Callable[[Any], str] | None = None) -> None:
        """Know none; ``read`` hashes something else than a picture's pixels."""
        self._read = read or hash_picture
        self._known: dict[int, tuple[Any, str]] = {}

    def row(self, images: Sequence[Any] | None) -> Hashes:
        """Return the hashes of a row's pictures."""
        return tuple(self._of(image) for image in images or ())

    def _of(self, image: Any) -> str:
        if id(image) not in self._known:
            self._known[id(image)] = image, self._read(image)
        return self._known[id(image)][1]


def hash_picture(image: Image.Image) -> str:
    """Return the hash of a picture's mode, size and pixels."""
    digest = xxhash.xxh3_64(f"{image.mode} {image.size}".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def hash_patches(patches: Tensor, dtype: torch.dtype | None = None) -> str:
    """Return the hash of one image's patches, of any shape; ``dtype`` rounds them to it first."""
    values = patches.detach().flatten()
    values = values[:: max(1, -(-len(values) // MOST))].to(dtype or values.dtype)
    plain = values.contiguous().cpu().view(torch.uint8).numpy()
    digest = xxhash.xxh3_64(str(tuple(patches.shape)).encode())
    digest.update(plain.data)
    return digest.hexdigest()


def hash_rows(
    fields: Mapping[str, Any], counts: Sequence[int], dtype: torch.dtype | None = None
) -> list[Hashes] | None:
    """Return the hashes of each row's patches; None where the layout does not tell rows apart.

    Args:
        fields: ``pixel_values``, in Qwen's layout (patches end to end, with ``image_grid_thw
            [images, 3]``) or with images along the first axis; none where there is no image. Of
            rows padded to one number of images (Idefics) nothing can be told.
        counts: how many images each row is meant to have.
        dtype: patches are rounded to it first; it is that of the other side of a comparison.

    Where there are fewer or more images than ``counts`` says, rows get what is left in order.
    """
    pixels, grid = fields.get("pixel_values"), fields.get("image_grid_thw")
    if pixels is None:
        return [() for _ in counts]
    pixels = one_tensor(pixels)
    if grid is not None:
        grid = torch.as_tensor(grid)
        images = torch.split(pixels, grid.prod(-1).tolist())
    elif fields.get("pixel_attention_mask") is None and len(pixels) == sum(counts):
        images = pixels.unbind(0)
    else:
        return None
    hashes = [hash_patches(one, dtype) for one in images]
    ends = list(accumulate(counts))
    return [tuple(hashes[end - n : end]) for end, n in zip(ends, counts, strict=True)]
