"""FlexAttention over a group gives what SDPA gives; its reference implementation runs on a CPU."""

import copy

import pytest
import torch
from torch.nn.attention import flex_attention
from torch.nn.attention.flex_attention import create_mask

from noisygrpo.errors import UserError
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.prefix.flex import block_mask
from noisygrpo.training.prefix.groups import FAMILIES, CompletionStates, score_groups
from prefix_scores import BATCHES, assert_same_gradients, cut, gradients, head, relative
from tiny import tiny_settings
from tiny_families import tiny_batch, tiny_family
from tiny_trainer import make


def test_block_mask_is_the_dense_mask():
    """Two groups of three segments of four tokens behind prefixes of five and three tokens."""
    prefix, group, length = 5, 3, 4
    inside = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
    causal = torch.ones(length, length).tril().bool()
    keys = [inside[:, None].expand(-1, length, -1), causal.expand(2, -1, -1)]
    visible = torch.cat(keys, -1)[:, None].expand(-1, group, -1, -1)
    mask = block_mask(visible)
    total = prefix + group * length
    dense = create_mask(mask.mask_mod, 2, None, total, total, device="cpu")[:, 0]
    wanted = torch.zeros(2, total, total, dtype=torch.bool)
    wanted[:, :prefix, :prefix] = torch.ones(prefix, prefix).tril().bool()
    for start in range(prefix, total, length):
        rows = slice(start, start + length)
        wanted[:, rows, :prefix] = inside[:, None]
        wanted[:, rows, rows] = causal
    assert torch.equal(dense, wanted)


@pytest.mark.parametrize("case", BATCHES)
@pytest.mark.parametrize("name", FAMILIES)
def test_scores_and_gradients_equal_those_of_sdpa(name, case, monkeypatch):
    # PyTorch refuses gradients on a CPU for want of a kernel; its reference has them.
    monkeypatch.setattr(flex_attention, "_validate_device", lambda *tensors: None)
    model = tiny_family(name)
    other = copy.deepcopy(model)
    head(model)
    head(other)
    batch = tiny_batch(name, *BATCHES[case])
    expected = score_groups(other, CompletionStates(other), *cut(batch), None)
    got = score_groups(model, CompletionStates(model, "flex"), *cut(batch), None)
    assert relative(got[0], expected[0]) < 1e-4
    assert relative(got[1], expected[1]) < 1e-4
    assert_same_gradients(gradients(model, got), gradients(other, expected))


def test_training_on_a_cpu_is_refused(tmp_path):
    with pytest.raises(UserError, match="'flex' needs a GPU"):
        make(tmp_path, shared_prefix=True, shared_prefix_kernel="flex")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"shared_prefix": False, "shared_prefix_kernel": "flex"},
            "has no effect with shared_prefix False",
        ),
        ({"shared_prefix": True, "shared_prefix_kernel": "eager"}, "not one of sdpa, flex"),
    ],
)
def test_settings_that_make_no_sense(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        NoisyGRPOConfig(**tiny_settings(tmp_path, **changes))
