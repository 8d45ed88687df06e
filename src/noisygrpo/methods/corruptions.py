"""Everyday corruptions of a picture, by a level in [0, 1].

After Hendrycks & Dietterich, 2019 (arXiv 1903.12261), on a continuous scale of our own::

    blur        Gaussian, radius 6 % of the shorter side at level 1
    jpeg        quality 95 down to 2
    contrast    pulled to the mean grey, 5 % of the contrast left at level 1
    brightness  blended with white, 90 % at level 1
    pixelate    reduced to 1/16 of the size and enlarged again at level 1
    occlusion   a grey rectangle over half of the width and height at level 1, anywhere

Shapes: an RGB ``PIL.Image`` in, one of the same size out. Only ``occlusion`` draws from ``rng``.
"""

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

OCCLUDER = (128, 128, 128)
"""Colour of the rectangle."""


def blur(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Blur by a Gaussian of radius ``0.06 * level`` times the shorter side."""
    return image.filter(ImageFilter.GaussianBlur(0.06 * level * min(image.size)))


JPEG_SIDE = 65_500
"""Pixels that libjpeg takes at most."""


def jpeg(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Compress as JPEG of quality 95 (level 0) to 2 (level 1); ``ValueError`` beyond its size."""
    if max(image.size) > JPEG_SIDE:
        raise ValueError(f"a picture of {image.size}: JPEG has sides of at most {JPEG_SIDE} pixels")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=round(95 - 93 * level))
    return Image.open(buffer).convert("RGB")


def contrast(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Pull every pixel to the mean grey; ``1 - 0.95 * level`` of the contrast is left."""
    return ImageEnhance.Contrast(image).enhance(1 - 0.95 * level)


def brightness(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Blend with white, ``0.9 * level`` of it."""
    return Image.blend(image, Image.new("RGB", image.size, "white"), 0.9 * level)


def pixelate(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Reduce to ``1 / (1 + 15 * level)`` of the size and enlarge again."""
    factor = 1 + 15 * level
    small = [max(1, round(side / factor)) for side in image.size]
    return image.resize((small[0], small[1]), Image.Resampling.BOX).resize(
        image.size, Image.Resampling.NEAREST
    )


def occlusion(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Cover a rectangle of ``level / 2`` times each side, anywhere within the picture."""
    width, height = (max(1, round(side * level / 2)) for side in image.size)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    result = image.copy()
    result.paste(OCCLUDER, (left, top, left + width, top + height))
    return result
