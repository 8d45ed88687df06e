"""Noise that is a second picture: mixed into the first, or put beside it.

After Vision-Matters (arXiv 2506.09736), on a level n in [0, 1]::

    mixup       (1 - n) * picture + n * other; published n is .1 to .3
    distractor  the other picture beside the first, on any of its four sides, n times as wide and
                as high; published n is 1

The other picture is a file of ``folder`` that ``rng`` chooses, or without one a drawing of coloured
shapes on a coloured ground.

Deliberate deviation: published pictures were made once, before training, and trained on; here they
are a view like any other, drawn anew, and what is scored is the clean picture.
"""

import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .declared import declare

SHAPES = 12
"""Shapes in a drawing."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def mixup(
    image: Image.Image, level: float, rng: np.random.Generator, *, folder: str | None = None
) -> Image.Image:
    """Mix ``level`` parts of another picture, scaled to the size of this one, into it."""
    return Image.blend(image, other_picture(image.size, rng, folder), level)


@declare(changes_size=True)
def distractor(
    image: Image.Image, level: float, rng: np.random.Generator, *, folder: str | None = None
) -> Image.Image:
    """Put another picture of ``level`` times the width and height beside it, on white."""
    width, height = (max(1, round(side * level)) for side in image.size)
    other = other_picture((width, height), rng, folder)
    across, first = bool(rng.integers(2)), bool(rng.integers(2))
    size = (image.width + width, image.height) if across else (image.width, image.height + height)
    result = Image.new("RGB", size, "white")
    shift = (width, 0) if across else (0, height)
    behind = (image.width, 0) if across else (0, image.height)
    result.paste(image, shift if first else (0, 0))
    result.paste(other, (0, 0) if first else behind)
    return result


def other_picture(
    size: tuple[int, int], rng: np.random.Generator, folder: str | None = None
) -> Image.Image:
    """Return an RGB picture of this size, a pure function of ``rng`` and of the folder's files.

    Raises:
        ValueError: ``folder`` holds no picture.
    """
    if folder is None:
        return _drawing(size, rng)
    names = pictures_in(folder)
    if not names:
        raise ValueError(f"folder {folder!r} holds no picture ({', '.join(SUFFIXES)})")
    with Image.open(names[int(rng.integers(len(names)))]) as picture:
        return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)


@functools.cache
def pictures_in(folder: str) -> tuple[str, ...]:
    """Return the picture files of a folder by name, listed once."""
    found = (path for path in Path(folder).expanduser().glob("*"))
    return tuple(sorted(str(path) for path in found if path.suffix.lower() in SUFFIXES))


def _drawing(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Return ellipses and rectangles of random place, size and colour."""
    colours = rng.integers(0, 256, (SHAPES + 1, 3))
    result = Image.new("RGB", size, _colour(colours[-1]))
    draw = ImageDraw.Draw(result)
    for number in range(SHAPES):
        ends = np.sort(rng.random((2, 2)), axis=0) * size
        box = [float(end) for end in ends.reshape(-1)]
        shape = draw.ellipse if number % 2 else draw.rectangle
        shape(box, fill=_colour(colours[number]))
    return result


def _colour(numbers: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(number) for number in numbers)
    return red, green, blue
