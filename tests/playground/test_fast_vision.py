"""Windows of the vision tower in one call."""

import torch
from PIL import Image
from tests.playground.small_processor import chat, small_processor, stock_and_changed

from noisygrpo.playground import (
    batch_vision_windows,
)
from noisygrpo.playground.lessons import converse
from noisygrpo.playground.model import build_model


def test_windows_in_one_call_give_the_same_logits_and_gradients():
    processor = small_processor()
    batch = converse(processor, 0, "look", 0, 2)

    def change(model):
        assert batch_vision_windows(model) == 4

    results = stock_and_changed(processor, batch, change, "model.visual.patch_embed.proj.weight")
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-4, atol=1e-7)


def test_pictures_of_different_sizes_take_the_original_path():
    processor = small_processor()
    images = [[Image.new("RGB", (400, 100), "grey")], [Image.new("RGB", (120, 60), "white")]]
    text = [chat(processor, "hi")] * 2
    inputs = processor(text=text, images=images, return_tensors="pt", padding=True)
    stock, fast = (build_model(processor.tokenizer, seed=1).eval() for _ in range(2))
    batch_vision_windows(fast)
    with torch.no_grad():
        one, two = stock(**inputs).logits, fast(**inputs).logits
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)
