"""Preprocess every distinct image once per generation batch.

TRL sends each repetition of a prompt through the image processor, once to generate and once to
score: 2 G times per prompt. Within this module's context an image object that was processed before
is not processed again, so a group costs one clean image and its noisy views.

It applies to processors of Qwen's layout, whose patches are laid end to end (``pixel_values
[patches, features]`` with ``image_grid_thw [images, 3]``): there the images of a batch do not touch
each other, so the result is the same number by number. Every other processor is left alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature
from transformers.image_utils import make_flat_list_of_images

LAYOUT = {"pixel_values", "image_grid_thw"}
"""What a processor must give, and nothing else, for its images to be independent."""


class OncePerImage:
    """An image processor's stand-in that remembers, by identity, the images it has processed."""

    def __init__(self, processor: Any) -> None:
        """Wrap ``processor``; keeps every image and its patches until it is dropped."""
        self._processor = processor
        self._known: dict[int, tuple[Any, Any, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        """Give everything but the call from the processor itself."""
        return self.__dict__["_processor"].__getattribute__(name)

    def patches(self, image: Any) -> torch.Tensor:
        """Return what the processor makes of one image, ``float [patches, features]``."""
        if id(image) not in self._known:
            self([image])
        return self._known[id(image)][1]

    def __call__(
        self,
        images: Any,
        *args: Any,
        return_tensors: Any = None,
        crop_to_patches: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return what the processor would for these images, in order.

        ``crop_to_patches``: TRL takes patches of four dimensions (PaddleOCR-VL's) for tiles and
        asks how many there are (``num_patches``); it goes by the grid all the same.
        """
        flat = make_flat_list_of_images(images)
        new = list({id(image): image for image in flat if id(image) not in self._known}.values())
        if new:
            done = self._processor(new, *args, return_tensors="pt", **kwargs)
            patches = torch.split(done["pixel_values"], done["image_grid_thw"].prod(-1).tolist())
            for image, pixels, grid in zip(new, patches, done["image_grid_thw"], strict=True):
                self._known[id(image)] = (image, pixels, grid)
        known = [self._known[id(image)] for image in flat]
        data: dict[str, Any] = {
            "pixel_values": torch.cat([pixels for _, pixels, _ in known]),
            "image_grid_thw": torch.stack([grid for _, _, grid in known]),
        }
        if crop_to_patches:
            data["num_patches"] = data["image_grid_thw"].prod(-1)
        if return_tensors != "pt":  # without an order the PIL processors give arrays
            data = {key: np.asarray(value) for key, value in data.items()}
        return BatchFeature(data)


@contextmanager
def once_per_image(processor: Any) -> Iterator[None]:
    """Let ``processor`` (of a vision-language model, or a tokenizer) process no image twice."""
    attributes = vars(processor)
    original = attributes.get("image_processor")
    if original is None or set(original.model_input_names) != LAYOUT:
        yield
        return
    attributes["image_processor"] = OncePerImage(original)
    try:
        yield
    finally:
        attributes["image_processor"] = original
