"""How hard a picture is noised, by its size: what a model sees of the same noise level.

    python benchmarks/noise_by_size.py

A grey picture of each size gets Gaussian noise of index 500 (level 0.5, NoisyRollout's on
Geometry3K) and goes through Qwen2.5-VL's image processor with the pixel limits of that recipe. The
numbers are the standard deviation of the means of 14 x 14 patches (values in [0, 1], each channel
alone): what is left of the noise after a patch is averaged. ``file``: noise on the picture's own
pixels, as NoisyGRPO's release has it; ``model``: on the picture within the limits, as
NoisyRollout's.
"""

import numpy as np
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from noisygrpo.methods.noise import fit_pixels, perturb

LIMITS = 262_144, 1_000_000
SIZES = [(150, 110), (300, 250), (450, 350), (560, 470), (1000, 1000), (1600, 1200), (3000, 2000)]
LEVEL = 0.5
PATCH = 14


def spread(image: Image.Image) -> float:
    """Standard deviation of the patch means that the processor makes of a picture."""
    low, high = LIMITS
    processor = Qwen2VLImageProcessorPil(
        min_pixels=low, max_pixels=high, image_mean=[0.0] * 3, image_std=[1.0] * 3
    )
    # [patches, channels x 2 equal frames x 14 x 14]
    patches = processor([image], return_tensors="np")["pixel_values"]
    means = patches.reshape(len(patches), 3, 2, PATCH * PATCH).mean(axis=(2, 3))
    return float(np.std(means))


def row(size: tuple[int, int]) -> tuple[float, float]:
    """The spread with noise at the model's and at the file's pixels."""
    grey = Image.new("RGB", size, (128, 128, 128))
    return spread(perturb(fit_pixels(grey, *LIMITS), LEVEL, 0)), spread(perturb(grey, LEVEL, 0))


def table() -> str:
    """The table of docs/papers.md."""
    lines = ["| picture | `noise_at: model` | `noise_at: file` |", "|---|---|---|"]
    for size in SIZES:
        model, file = row(size)
        lines.append(f"| {size[0]:,} x {size[1]:,} | {model:.4f} | {file:.4f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
