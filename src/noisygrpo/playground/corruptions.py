"""What can befall a picture of the playground: corruptions that no training shows, and noise."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from noisygrpo.methods.noise import perturb
from noisygrpo.playground.scene import HEIGHT, WIDTH

Corruptor = Callable[[Image.Image, np.random.Generator], Image.Image]


def _blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(1.0, 2.0))))


def _jpeg(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=int(rng.integers(5, 16)))
    return Image.open(buffer).convert("RGB")


def _occlude(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    image = image.copy()
    x, y = int(rng.integers(0, WIDTH - 30)), int(rng.integers(0, HEIGHT - 30))
    ImageDraw.Draw(image).rectangle((x, y, x + 29, y + 29), fill=(160, 160, 160))
    return image


def _fade(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(float(rng.uniform(0.25, 0.5)))


CORRUPTORS: dict[str, Corruptor] = {
    "blur": _blur,
    "jpeg": _jpeg,
    "occlusion": _occlude,
    "contrast": _fade,
}


def corrupted(image: Image.Image, index: int, rng: np.random.Generator) -> Image.Image:
    """One of the four corruptions, in turn by the row's index."""
    names = tuple(CORRUPTORS)
    return CORRUPTORS[names[index % len(names)]](image, rng)


NOISE = (0.1, 0.22)
"""Levels of the split ``noisy``: felt, and not yet hopeless."""


def with_noise(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Gaussian diffusion noise at a level drawn from ``NOISE``, as rollouts see it."""
    return perturb(
        image, float(rng.uniform(*NOISE)), tuple(int(n) for n in rng.integers(2**31, size=4))
    )
