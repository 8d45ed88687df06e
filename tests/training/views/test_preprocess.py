"""Every distinct image goes through the processor once, with the same result."""

import numpy as np
import torch

from noisygrpo.training.views.preprocess import OncePerImage, once_per_image
from tiny import tiny_image, tiny_qwen25vl, tiny_tokenizer


def test_images_are_processed_once_and_exactly_alike():
    _, processor = tiny_qwen25vl()
    images = [tiny_image(0), tiny_image(1, 84, 56), tiny_image(0)]
    order = [images[0], images[1], images[0], images[2], images[1]]
    text = "<|vision_start|><|image_pad|><|vision_end|>"
    arguments = {"text": [text] * 5, "images": [[image] for image in order], "padding": True}
    expected = processor(**arguments, return_tensors="pt")
    calls = []
    inner = processor.image_processor
    with once_per_image(processor):
        stand_in = processor.image_processor
        assert isinstance(stand_in, OncePerImage) and stand_in.merge_size == inner.merge_size
        stand_in._processor = lambda new, **kwargs: calls.append(len(new)) or inner(new, **kwargs)
        stand_in._processor.__dict__.update(vars(inner))
        direct = stand_in([[image] for image in order], return_tensors="pt")
        again = stand_in([images[1], images[0]])
    assert processor.image_processor is inner
    assert calls == [3]
    for key in ("pixel_values", "image_grid_thw"):
        assert torch.equal(direct[key], expected[key])
        assert isinstance(again[key], np.ndarray)
    with once_per_image(processor):
        through = processor(**arguments, return_tensors="pt")
    assert through.keys() == expected.keys()
    assert all(torch.equal(through[key], expected[key]) for key in expected)


def test_patches_are_counted_where_tiles_are_asked_for():
    """TRL takes patches of four dimensions for tiles."""
    _, processor = tiny_qwen25vl()
    with once_per_image(processor):
        asked = {"crop_to_patches": True, "return_tensors": "pt"}
        made = processor.image_processor([[tiny_image(0)], [tiny_image(1, 84, 56)]], **asked)
    assert made["num_patches"].tolist() == made["image_grid_thw"].prod(-1).tolist()


def test_other_processors_are_left_alone():
    with once_per_image(tiny_tokenizer()):
        pass
