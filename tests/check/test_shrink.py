"""Small models of an architecture: fewer, narrower layers that still read a row."""

from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForImageTextToText, Qwen2_5_VLConfig

from families.tiny_vlm import FAMILIES, tiny_vlm
from noisygrpo.check.shrink import _cut_layers, shrink
from noisygrpo.evaluation.generate import build_inputs
from tiny import tiny_rows


def config_of_3b():
    """The shapes of Qwen2.5-VL-3B's published config.json."""
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 11008,
            "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2,
            "max_window_layers": 70,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6,
                                "mrope_section": [16, 24, 24]},
        },
        vision_config={
            "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
            "out_hidden_size": 2048, "fullatt_block_indexes": [7, 15, 23, 31],
        },
        tie_word_embeddings=True,
    )  # fmt: skip


def parameters(config):
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    return sum(item.numel() for item in model.parameters())


def test_a_published_model_becomes_small():
    config = config_of_3b()
    small = shrink(config)
    text, tower = small.text_config, small.vision_config
    assert type(small) is type(config) and config.text_config.num_hidden_layers == 36
    assert (text.num_hidden_layers, tower.depth, tower.fullatt_block_indexes) == (2, 2, [0, 1])
    assert (text.hidden_size, text.num_attention_heads, text.num_key_value_heads) == (256, 2, 1)
    assert (tower.hidden_size, tower.num_heads, tower.out_hidden_size) == (160, 2, 256)
    assert text.vocab_size == 151936 and text.rope_parameters == config.text_config.rope_parameters
    assert parameters(small) < 50e6 < 3e9 < parameters(config)


def test_layers_alone():
    small = shrink(config_of_3b(), narrow=False)
    assert (small.text_config.num_hidden_layers, small.text_config.hidden_size) == (2, 2048)


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        (["linear", "linear", "linear", "full"], ["linear", "full"]),
        (["full"] * 4, ["full", "full"]),
    ],
)
def test_layers_of_two_kinds_stay(kinds, left):
    part = SimpleNamespace(num_hidden_layers=4, layer_types=list(kinds))
    _cut_layers(part)
    assert (part.num_hidden_layers, part.layer_types) == (2, left)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_small_model_of_every_family_reads_a_row(name):
    model, processor = tiny_vlm(name)
    inputs = build_inputs(processor, [tiny_rows(1)[0]])
    small = AutoModelForImageTextToText.from_config(shrink(model.config), dtype=torch.float32)
    with torch.no_grad():
        logits = small.eval()(**inputs).logits
    assert logits.shape[:2] == inputs["input_ids"].shape and torch.isfinite(logits).all()
    assert type(small) is type(model)
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in model.parameters())
