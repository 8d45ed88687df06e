"""What a model weighs, read off it."""

import pytest
import torch
from torch import nn

from noisygrpo.check.model_size import (
    NF4_BITS,
    model_size,
)


class Config:
    num_hidden_layers, hidden_size, num_attention_heads = 2, 8, 2

    def to_dict(self):
        return {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4}


def test_a_models_shape_is_read_off_it():
    model = nn.Module()
    model.embed = nn.Embedding(10, 8)
    model.layers = nn.ModuleList(nn.Linear(8, 8, bias=False) for _ in range(2))
    model.lm_head = nn.Linear(8, 10, bias=False)
    model.embed.requires_grad_(False)
    size = model_size(model, Config())
    assert (size.parameters, size.trained) == (80 + 2 * 64 + 80, 2 * 64 + 80)
    assert (size.weights, size.width) == (4 * 288, 4)
    assert (size.outside, size.block, size.kv) == (160, 64, 4)
    packed = model_size(model.to(torch.bfloat16), Config(), quantization="4bit")
    assert packed.weights == pytest.approx(2 * 160 + 128 * NF4_BITS / 8)
