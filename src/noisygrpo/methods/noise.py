"""Noise on images: what a rollout sees instead of the clean picture.

Formula (forward diffusion; NoisyGRPO, arXiv 2510.21122, and NoisyRollout, arXiv 2504.13055, share
the schedule):

    beta_t      = 1e-5 + (5e-3 - 1e-5) * sigmoid(u_t),   u = linspace(-6, 6, 1000),   t = 0..999
    alpha_bar_t = prod_{s <= t} (1 - beta_s)
    x_t         = sqrt(alpha_bar_t) * x_0 + sqrt(1 - alpha_bar_t) * eps
    eps ~ N(0, 1) per pixel and channel

``x_0`` is RGB in [0, 1]: the picture as it is given, before any processor. Which picture that is
decides how much of the noise a model sees, for its processor averages the noise of a picture that
it makes smaller and spreads that of one that it enlarges. NoisyGRPO's release adds noise to the
file's pixels; NoisyRollout's first brings the picture into the model's pixel limits, which
``fit_pixels`` does: there a level means the same for pictures of all sizes.

A level ``n`` in [0, 1] stands for ``t = min(round(1000 n), 999)``. Other kinds: ``random_mask`` and
``patch_mask`` (NoisyGRPO), ``rotation`` and ``crop_fill`` (NoisyRollout), ``mixup`` and
``distractor`` (``second_picture``), ``black_patches`` (PAPO, arXiv 2507.06448, and VPPO,
2510.09285), and everyday ``corruptions``. Training and evaluation have the same kinds.

Shapes: a picture is ``pixels: float32 [height, width, 3]`` in [0, 1] inside, a ``PIL.Image``
outside.

Randomness is addressed, not consumed: ``noise_seed`` turns (seed, step, example id, rollout, image)
into a seed, and the noise is a pure function of it. No global generator is read or written. NumPy
keeps the streams of ``PCG64`` the same across versions; it does not promise that for the normal
transform, so compare noise within one NumPy version.

Deliberate deviations from the released code (ids of the defects in docs/papers.md):
- B1: the result is clamped to [0, 1] and rounded. ``wrap=True`` reproduces the wrap modulo 256, for
  parity runs only.
- B2, R11: level 0, and any level that rounds to t = 0, returns the very object that came in; the
  released codes add noise of std .0047 there, as ``zero=True`` does.
- B4: the index is rounded (``truncate=True`` cuts it), and n = 1 is t = 999, not an error.
- R14: the released codes draw from the process-wide generator.
- ``patch_mask`` covers the right and bottom remainder too (the released cells leave up to 7 pixels
  unmasked); counts of masked pixels and cells are rounded, not truncated.
- ``rotation`` spans +-180 degrees at level 1 and ``crop_fill`` the whole side; the released codes
  take the maximum as a further knob, which the level already is.
"""

import functools
import hashlib
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from .corruptions import blur, brightness, contrast, jpeg, occlusion, pixelate
from .declared import declare
from .rgb import to_rgb
from .second_picture import distractor, mixup

T = 1000
"""Number of diffusion steps."""

SHARED = -1
"""Rollout index that addresses noise which all rollouts of a prompt share (NoisyRollout)."""

MAX_ANGLE = 180.0
"""Largest rotation in degrees, at level 1."""

BLACK_PATCH = 14
"""Side in pixels of the squares of ``black_patches``."""

PATCH_GRID = 8
"""``patch_mask`` cuts the picture into ``PATCH_GRID`` x ``PATCH_GRID`` cells."""

Seed = int | Sequence[int] | np.random.SeedSequence


@functools.cache
def alpha_bar() -> np.ndarray:
    """Return the share of signal power left at each step, ``float64 [1000]``, read-only."""
    u = np.linspace(-6.0, 6.0, T)
    beta = 1e-5 + (5e-3 - 1e-5) / (1.0 + np.exp(-u))
    result = np.cumprod(1.0 - beta)
    result.setflags(write=False)
    return result


def _number(level: Any) -> float:
    return math.nan if isinstance(level, str) else float(level)  # NumPy's and torch's too


def noise_index(level: float, truncate: bool = False) -> int:
    """Return the diffusion step in 0..999 of a level in [0, 1]; ``ValueError`` outside.

    ``truncate``: cut as the releases do (B4), instead of rounding.
    """
    try:
        level = _number(level)
    except (TypeError, ValueError):
        raise ValueError(f"noise level {level!r:.80} is no number in [0, 1]") from None
    if not 0.0 <= level <= 1.0:
        raise ValueError(f"noise level {level!r} is outside [0, 1]")
    return min(int(level * T) if truncate else round(level * T), T - 1)


def address(
    purpose: str, seed: int, step: int, example_id: str, *indices: int
) -> np.random.SeedSequence:
    """Return the seed at an address; equal addresses, and only those, give equal streams.

    The address is hashed with BLAKE2b, so any text serves as ``example_id`` and no two addresses
    run together.

    Raises:
        TypeError: a number that is none, an ``example_id`` that is no text.
    """
    whole = all(isinstance(each, (int, np.integer)) for each in (seed, step, *indices))
    if not whole or not isinstance(example_id, str):
        given = seed, step, example_id, *indices
        raise TypeError(f"address {given}: whole numbers and a text as example_id are needed")
    numbers = struct.pack(f"<{2 + len(indices)}q", seed, step, *indices)
    digest = hashlib.blake2b(
        numbers + example_id.encode(errors="surrogatepass"),
        digest_size=16,
        person=purpose.encode()[:16],
    )
    return np.random.SeedSequence(int.from_bytes(digest.digest(), "little"))


def noise_seed(
    seed: int, step: int, example_id: str, rollout: int, image: int = 0
) -> np.random.SeedSequence:
    """Return the seed of the noise on picture ``image`` of one rollout at one step.

    ``rollout=SHARED`` addresses the noise that all rollouts of the prompt share at that step.
    """
    return address("noise", seed, step, example_id, rollout, image)


def diffuse(pixels: np.ndarray, index: int, rng: np.random.Generator) -> np.ndarray:
    """Return x_t of the formula, not clamped; ``pixels: float32 [height, width, 3]`` in [0, 1]."""
    signal_power = float(alpha_bar()[index])
    noisy = rng.standard_normal(pixels.shape, dtype=np.float32)
    noisy *= np.float32(math.sqrt(1.0 - signal_power))
    noisy += np.float32(math.sqrt(signal_power)) * pixels
    return noisy


def fit_pixels(image: Image.Image, low: int, high: int) -> Image.Image:
    """Return the picture with at least ``low`` and at most ``high`` pixels, its proportions kept.

    Bicubic, sides cut to whole pixels: byte for byte what NoisyRollout's release makes of an RGB
    picture before it adds noise. A picture within the limits is returned as it is, the same object.
    """
    if image.width * image.height > high:
        image = _resized(image, high)
    if image.width * image.height < low:
        image = _resized(image, low)
    return image


def _resized(image: Image.Image, pixels: int) -> Image.Image:
    factor = math.sqrt(pixels / (image.width * image.height))
    return image.resize((max(1, int(image.width * factor)), max(1, int(image.height * factor))))


def to_bytes(pixels: np.ndarray, wrap: bool = False) -> np.ndarray:
    """Return ``uint8 [height, width, 3]``, clamped and rounded.

    With ``wrap`` as the released NoisyGRPO does it: cut towards zero and taken modulo 256 (B1).
    """
    if wrap:
        return (np.trunc(pixels * np.float32(255)).astype(np.int32) & 255).astype(np.uint8)
    return np.rint(np.clip(pixels, 0.0, 1.0) * np.float32(255)).astype(np.uint8)


def _gaussian(
    image: Image.Image, level: float, rng: np.random.Generator, *, wrap: bool = False
) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    return Image.fromarray(to_bytes(diffuse(pixels, noise_index(level), rng), wrap))


def _mean_colour(pixels: np.ndarray) -> np.ndarray:
    return np.rint(pixels.mean(axis=(0, 1), dtype=np.float64)).astype(np.uint8)


def _random_mask(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Give ``round(height * width * level)`` distinct pixels the mean colour."""
    pixels = np.array(image)
    height, width, _ = pixels.shape
    size = height * width
    chosen = rng.choice(size, size=round(size * level), replace=False, shuffle=False)
    pixels.reshape(-1, 3)[chosen] = _mean_colour(pixels)
    return Image.fromarray(pixels)


def _patch_mask(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Give ``round(64 * level)`` distinct cells of an 8 x 8 grid the mean colour."""
    pixels = np.array(image)
    height, width, _ = pixels.shape
    size = PATCH_GRID**2
    cells = np.zeros(size, dtype=bool)
    cells[rng.choice(size, size=round(size * level), replace=False, shuffle=False)] = True
    rows = np.arange(height) * PATCH_GRID // height
    columns = np.arange(width) * PATCH_GRID // width
    masked = cells.reshape(PATCH_GRID, PATCH_GRID)[rows[:, None], columns[None, :]]
    pixels[masked] = _mean_colour(pixels)
    return Image.fromarray(pixels)


@declare(changes_size=True)
def _rotation(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Turn by an angle uniform in +-``180 * level`` degrees; nothing is cut off."""
    angle = float(rng.uniform(-MAX_ANGLE * level, MAX_ANGLE * level))
    return image.rotate(angle, resample=Image.Resampling.BILINEAR, expand=True)


def _crop_fill(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Blacken one rectangle of ``level`` times each side, anywhere within the picture."""
    pixels = np.array(image)
    height, width, _ = pixels.shape
    h, w = round(height * level), round(width * level)
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    pixels[top : top + h, left : left + w] = 0
    return Image.fromarray(pixels)


def _black_patches(image: Image.Image, level: float, rng: np.random.Generator) -> Image.Image:
    """Blacken each square of 14 x 14 pixels with probability ``level``, on its own."""
    pixels = np.array(image)
    height, width, _ = pixels.shape
    rows, columns = np.arange(height) // BLACK_PATCH, np.arange(width) // BLACK_PATCH
    black = rng.random((int(rows[-1]) + 1, int(columns[-1]) + 1)) < level
    pixels[black[rows[:, None], columns[None, :]]] = 0
    return Image.fromarray(pixels)


NoiseFunction = Callable[..., Image.Image]
"""``f(rgb_image, level, rng, **knobs) -> rgb_image``, called only with levels that change
something; a picture of another size is declared (``declared.changes_size``)."""

NOISE_KINDS: dict[str, NoiseFunction] = {
    "gaussian": _gaussian,
    "random_mask": _random_mask,
    "patch_mask": _patch_mask,
    "rotation": _rotation,
    "crop_fill": _crop_fill,
    "black_patches": _black_patches,
    "blur": blur,
    "jpeg": jpeg,
    "contrast": contrast,
    "brightness": brightness,
    "pixelate": pixelate,
    "occlusion": occlusion,
    "mixup": mixup,
    "distractor": distractor,
}
"""Every noise by its name; the knobs are each function's keywords."""


def perturb(
    image: Image.Image,
    level: float,
    seed: Seed,
    kind: str | NoiseFunction = "gaussian",
    wrap: bool = False,
    *,
    truncate: bool = False,
    zero: bool = False,
) -> Image.Image:
    """Return ``image`` as a rollout at noise ``level`` sees it, in RGB; at level 0 the same object.

    Args:
        image: any mode; converted to RGB where the level changes something.
        level: in [0, 1]; its meaning is the kind's (diffusion time, masked share, share of the
            largest angle or side).
        seed: from ``noise_seed``, or integers; the result is a pure function of it.
        kind: one of ``NOISE_KINDS``, or a function like those in it.
        wrap, truncate, zero: reproduce the releases' wrap modulo 256 (B1), their index (B4) and
            their noise at index 0 (B2, R11); only with ``gaussian``.

    Raises:
        ValueError: for what is no picture, a level that is no number in [0, 1], an unknown kind, a
            seed that is not of integers, a defect with another kind, and for a function that
            returns something else than a picture.
    """
    if not isinstance(image, Image.Image):
        raise ValueError(f"image is of type {type(image).__name__}; expected a PIL image")
    if kind not in NOISE_KINDS if isinstance(kind, str) else not callable(kind):
        raise ValueError(f"noise kind {kind!r} is not one of {', '.join(NOISE_KINDS)}")
    function = NOISE_KINDS[kind] if isinstance(kind, str) else kind
    for name, asked in (("wrap", wrap), ("truncate", truncate), ("zero", zero)):
        if asked and function is not _gaussian:
            raise ValueError(
                f"{name}=True reproduces a defect of 'gaussian' noise; the kind is {kind!r}"
            )
    index = noise_index(level, truncate)
    if index == 0 and not zero:
        return image
    level = index / T if truncate else float(level)
    made = function(to_rgb(image), level, _stream(seed), **({"wrap": True} if wrap else {}))
    if not isinstance(made, Image.Image):
        raise ValueError(f"noise kind {kind!r} returned {made!r:.80}; expected a picture")
    return to_rgb(made)


def _stream(seed: Any) -> np.random.Generator:
    """The random numbers of a seed; a generator, or no seed, would give others at every call."""
    try:
        if seed is None or isinstance(seed, (bool, np.random.Generator, np.random.BitGenerator)):
            raise ValueError("it does not say where the numbers begin")
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"seed {seed!r:.80}: {error}; expected integers of at least 0, or what noise_seed gives"
        ) from error
