"""Attention over a prefix and its continuations is that of a dense mask."""

import pytest
import torch

from noisygrpo.training.prefix.attention import shared_prefix_attention


@pytest.mark.parametrize("heads", [2, 4])
@pytest.mark.parametrize("counts", [(5,), (5, 3)])
def test_attention_is_that_of_a_dense_mask(heads, counts):
    """Against softmax over the (P + G S)^2 mask that the segments stand for."""
    torch.manual_seed(0)
    prefix, group, length, channels = max(counts), 3, 4, 8
    tokens = prefix + group * length
    g = len(counts)
    inside = torch.arange(prefix) < torch.tensor(counts)[:, None]
    own = torch.ones(length, length).tril().bool()
    visible = torch.cat((inside[:, None].expand(-1, length, -1), own.expand(g, -1, -1)), -1)
    small = torch.zeros(g, 1, length, prefix + length)
    small.masked_fill_(~visible[:, None], torch.finfo(torch.float32).min)

    dense = torch.zeros(g, tokens, tokens, dtype=torch.bool)
    dense[:, :prefix, :prefix] = torch.ones(prefix, prefix).tril()
    for i in range(group):
        rows = slice(prefix + i * length, prefix + (i + 1) * length)
        dense[:, rows, :prefix] = inside[:, None]
        dense[:, rows, rows] = own

    query = torch.randn(g, heads, tokens, channels, requires_grad=True)
    key, value = (torch.randn(g, 2, tokens, channels, requires_grad=True) for _ in range(2))
    module = torch.nn.Module()
    out, _ = shared_prefix_attention(
        module, query, key, value, small.expand(g, group, -1, -1), scaling=0.3
    )
    keys, values = (x.repeat_interleave(heads // 2, 1) for x in (key, value))
    scores = (query @ keys.transpose(-1, -2) * 0.3).masked_fill(~dense[:, None], -torch.inf)
    expected = (scores.softmax(-1) @ values).transpose(1, 2)
    # What a padded place of the prefix computes is used nowhere.
    used = torch.cat((inside, torch.ones(g, group * length, dtype=torch.bool)), 1)
    assert (out - expected)[used].abs().max() < 1e-6
    weights = torch.randn_like(out) * used[..., None, None]
    got = torch.autograd.grad((out * weights).sum(), (query, key, value))
    wanted = torch.autograd.grad((expected * weights).sum(), (query, key, value))
    for one, two in zip(got, wanted, strict=True):
        assert (one - two).abs().max() < 2e-6


def test_a_mask_that_does_not_fit_the_tokens_is_refused():
    x = torch.zeros(1, 2, 10, 4)
    with pytest.raises(RuntimeError, match="10 tokens"):
        shared_prefix_attention(torch.nn.Module(), x, x, x, torch.zeros(1, 2, 3, 8))
