"""Features kept of a frozen tower are those of the very image, not of one that looks like it."""

import numpy as np
import torch
from PIL import Image

from tiny import tiny_rows
from tiny_trainer import make


def picture(dot):
    """Black, with a white dot where no corner of a patch is, and so in no small sample of it."""
    pixels = np.zeros((56, 56, 3), dtype=np.uint8)
    pixels[3:11, 3:11] = 255 * dot
    pixels[17:25, 31:39] = 255 * dot
    return Image.fromarray(pixels)


def rows():
    """Two rows alike but for the picture, and one whose two pictures are these."""
    data = tiny_rows(3)
    pictures = [[picture(0)], [picture(1)], [picture(1), picture(0)]]
    prompt = data[0]["prompt"]
    return data.map(
        lambda row, index: {"images": pictures[index], "prompt": prompt}, with_indices=True
    )


def train(folder, shared):
    batch = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 3, "max_steps": 1}
    tower = {"freeze_vision_tower": True, "shared_prefix": shared}
    trainer = make(folder, rows(), optim="sgd", learning_rate=1.0, **batch, **tower)
    trainer.train()
    return trainer


def test_images_that_begin_alike_keep_their_own_features(tmp_path):
    """Row after row goes through a model with equal prompts, so only features tell them apart."""
    by_rows, shared = (train(tmp_path / str(shared), shared) for shared in (False, True))
    assert shared.state.log_history[0]["grad_norm"] > 0.01
    for (name, one), two in zip(
        by_rows.model.named_parameters(), shared.model.parameters(), strict=True
    ):
        assert torch.allclose(one, two, atol=1e-6), name
