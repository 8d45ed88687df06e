"""How far the pixels of a model differ by what scales the image: Pillow or torchvision.

    python benchmarks/pixels.py        # in an environment with a torchvision that imports

In levels of 256 of the stock image processor of Qwen2-VL and Qwen2.5-VL, on pictures drawn here.
"""

import io

import matplotlib
import numpy as np
import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

matplotlib.use("Agg")
from matplotlib import pyplot

STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])
LIMITS = {"min_pixels": 3136, "max_pixels": 2359296}
SIZES = ((640, 480), (1000, 700), (2600, 1900), (400, 100))


def noise(width: int, height: int) -> Image.Image:
    """What a view at noise level 1 looks like."""
    return Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )


def chart(width: int, height: int) -> Image.Image:
    figure = pyplot.figure(figsize=(width / 100, height / 100), dpi=100)
    axes = figure.add_subplot()
    axes.plot(np.sin(np.arange(200) / 9))
    axes.set_title("How many?")
    axes.grid()
    buffer = io.BytesIO()
    figure.savefig(buffer)
    pyplot.close(figure)
    return Image.open(buffer).convert("RGB")


def smooth(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    waves = 127 + 100 * np.sin(x / 37) + 20 * np.cos(y / 11), 127 + 90 * np.cos((x + y) / 53)
    return Image.fromarray(
        np.clip(np.stack([*waves, x * 255 / width], -1), 0, 255).astype(np.uint8)
    )


def difference(image: Image.Image) -> torch.Tensor:
    """Of all pixels, in levels; the grids of patches are the same."""
    one, other = (
        kind(**LIMITS)(images=[image], return_tensors="pt")
        for kind in (Qwen2VLImageProcessorPil, Qwen2VLImageProcessor)
    )
    assert torch.equal(torch.as_tensor(one["image_grid_thw"]), other["image_grid_thw"])
    apart = (one["pixel_values"] - other["pixel_values"]).abs().reshape(-1, 3, 2 * 14 * 14)
    return apart * STD[None, :, None] * 255


def main() -> None:
    print("| picture | " + " | ".join(f"{width} x {height}" for width, height in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for draw in (chart, smooth, noise):
        found = [difference(draw(*size)) for size in SIZES]
        cells = [f"{apart.mean():.3f}, {apart.max():.0f}" for apart in found]
        print(f"| {draw.__name__} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
