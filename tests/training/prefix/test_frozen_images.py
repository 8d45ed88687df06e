"""Features of a frozen tower are computed once a step, and are those of the tower."""

import copy

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from tests.training.prefix.small_run import run

from noisygrpo.training.prefix.frozen_images import FrozenImages, is_frozen, same_tower
from noisygrpo.training.prefix.groups import (
    CompletionStates,
    score_groups,
)
from prefix_scores import (
    assert_same_gradients,
    by_rows,
    cut,
    gradients,
    head,
    relative,
)
from tiny import tiny_rows, tiny_saved
from tiny_families import tiny_batch, tiny_family
from tiny_trainer import make


@pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_a_frozen_towers_features_are_computed_once(name):
    model = tiny_family(name)
    model.get_encoder(modality="image").requires_grad_(False)
    rows = copy.deepcopy(model)
    head(model)
    head(rows)
    assert is_frozen(model) and not is_frozen(tiny_family(name))
    batch = tiny_batch(name, [1, 2], [[3, 5, 1], [4, 2, 6]])
    expected = by_rows(rows, batch)
    states, frozen = CompletionStates(model), FrozenImages()
    frozen.start(room=3)
    for _ in range(2):
        got = score_groups(model, states, *cut(batch), frozen)
        assert relative(got[0], expected[0]) < 1e-4
    assert_same_gradients(gradients(model, got), gradients(rows, expected))
    assert frozen.computed == 3
    frozen.start(room=1)  # full after the first image
    for _ in range(2):
        again = score_groups(model, states, *cut(batch), frozen)
        assert torch.equal(again[0], got[0])
    assert frozen.computed == 3 + 3 + 2
    other = tiny_family(name, seed=1)
    assert same_tower(model, rows) and not same_tower(model, other)


def test_an_adapted_tower_is_not_frozen():
    model = tiny_family("qwen2_5_vl")
    get_peft_model(model, LoraConfig(r=2, target_modules=["qkv", "q_proj"]))
    model.get_encoder(modality="image").requires_grad_(False)
    assert not is_frozen(model)


SPLIT = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}


def test_a_frozen_towers_images_are_encoded_once_a_step(tmp_path):
    folder, _ = tiny_saved()
    changes = {"freeze_vision_tower": True, "beta": 0.04, "num_iterations": 2, "max_steps": 2}
    trainer = run(tmp_path, folder, {**changes, **SPLIT}, shared_prefix=True)
    # two steps on one generation batch: 2 prompts with at most 2 images each, and old, reference
    # and two current passes over 4 parts
    images = sum(trainer._buffered_inputs[part]["num_images"][0] for part in range(4)) // 2
    assert trainer._scorer.shared.images.computed == images > 0


def picture(dot):
    """Black, with a white dot where no corner of a patch is, and so in no small sample of it."""
    pixels = np.zeros((56, 56, 3), dtype=np.uint8)
    pixels[3:11, 3:11] = 255 * dot
    pixels[17:25, 31:39] = 255 * dot
    return Image.fromarray(pixels)


def alike():
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
    trainer = make(folder, alike(), optim="sgd", learning_rate=1.0, **batch, **tower)
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
