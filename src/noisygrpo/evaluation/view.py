"""What the model is shown in an evaluation: the clean images, disturbed ones, or none.

Disturbances are the noise kinds of training (`noisygrpo.methods.noise`) and everyday corruptions,
all by a level in [0, 1] where 0 is the image itself. Their randomness is addressed by (seed,
example id, image), so a disturbed image is the same in every run, batch and comparison.

Corruptions (after Hendrycks & Dietterich, 2019, arXiv 1903.12261, on a continuous scale of our
own)::

    blur        Gaussian, radius 6 % of the shorter side at level 1
    jpeg        quality 95 down to 2
    contrast    pulled to the mean grey, 5 % of the contrast left at level 1
    brightness  blended with white, 90 % at level 1
    pixelate    reduced to 1/16 of the size and enlarged again at level 1
    occlusion   a grey rectangle over half of the width and height at level 1, anywhere
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from noisygrpo.errors import require
from noisygrpo.methods.noise import NOISE_KINDS, address, fit_pixels, perturb

_OCCLUDER = (128, 128, 128)

Corruption = Callable[[Image.Image, float, np.random.Generator], Image.Image]


def _blur(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(0.06 * level * min(image.size)))


def _jpeg(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=round(95 - 93 * level))
    return Image.open(buffer).convert("RGB")


def _contrast(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(1 - 0.95 * level)


def _brightness(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    return Image.blend(image, Image.new("RGB", image.size, "white"), 0.9 * level)


def _pixelate(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    factor = 1 + 15 * level
    small = [max(1, round(side / factor)) for side in image.size]
    return image.resize((small[0], small[1]), Image.Resampling.BOX).resize(
        image.size, Image.Resampling.NEAREST
    )


def _occlusion(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    width, height = (max(1, round(side * level / 2)) for side in image.size)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    result = image.copy()
    result.paste(_OCCLUDER, (left, top, left + width, top + height))
    return result


CORRUPTIONS: dict[str, Corruption] = {
    "blur": _blur,
    "jpeg": _jpeg,
    "contrast": _contrast,
    "brightness": _brightness,
    "pixelate": _pixelate,
    "occlusion": _occlusion,
}
KINDS = (*NOISE_KINDS, *CORRUPTIONS)


@dataclass(frozen=True)
class EvaluationView:
    """What the model sees of a row's images; by default all of it."""

    kind: str = "gaussian"
    """A noise kind of training or a corruption."""
    level: float = 0.0
    """Its strength in [0, 1]; 0 is the clean image."""
    text_only: bool = False
    """Leave the images out: what the model knows without looking."""
    seed: int = 0
    limits: tuple[int, int] | None = None
    """How few and how many pixels an image is brought to before it is disturbed: the model's, so
    that a level means the same for all sizes. None disturbs the file's own."""

    def __post_init__(self) -> None:
        require(self.kind in KINDS, f"noise kind: {self.kind!r}, allowed are {', '.join(KINDS)}")
        require(0 <= self.level <= 1, f"noise level: {self.level}, allowed is 0 to 1")

    def apply(self, image: Image.Image, example_id: str, position: int = 0) -> Image.Image:
        """The view of an RGB image; the same object at level 0."""
        if self.level == 0:
            return image
        image = image if self.limits is None else fit_pixels(image, *self.limits)
        seed = address("evaluation view", self.seed, 0, example_id, position)
        if self.kind in NOISE_KINDS:
            return perturb(image, self.level, seed, self.kind)
        return CORRUPTIONS[self.kind](image, self.level, np.random.default_rng(seed))
