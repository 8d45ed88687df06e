"""Attention over one prefix and many continuations of it, without their cross products.

For a sequence of P prefix tokens and G segments of S tokens (``layout``), with scores
s = q k^T / sqrt(d):

    prefix     o = softmax(s + causal) v                         P^2 / 2 scores
    segment i  o = softmax(s_i + mask) [v_prefix; v_i]           G S (P + S) scores

which is the softmax of a dense (P + G S)^2 mask row by row, with the zeros left out. Two calls of
``scaled_dot_product_attention``; nothing but the small mask ``[S, P + S]`` is kept beside queries,
keys and values.

How it is reached: it is registered with Transformers under ``NAME`` and set on the language model.
A mask ``[g, G, S, P + S]`` goes through the model untouched, since it has four axes, and its shape
says where the segments are; so does a ``BlockMask``, which goes to FlexAttention
(``flex``). Any other mask, and none, go to Transformers' own SDPA function, so
generation and scoring row by row compute what they always did.

Shapes: g sequences, H heads, H_k key-value heads, L = P + G S tokens, d channels.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from noisygrpo.training.prefix import flex

NAME = "noisygrpo_shared_prefix"
"""Under which Transformers knows this attention."""


def shared_prefix_attention(
    module: torch.nn.Module,
    query: Float[Tensor, "g H L d"],
    key: Float[Tensor, "g H_k L d"],
    value: Float[Tensor, "g H_k L d"],
    attention_mask: Tensor | BlockMask | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Float[Tensor, "g L H d"], None]:
    """Attend as Transformers' SDPA function does, or along segments if the mask is one of ours."""
    if isinstance(attention_mask, BlockMask):
        flexed = flex.attend(module, query, key, value, attention_mask, scaling, dropout)
        return flexed, None
    tokens = query.size(2)
    if attention_mask is None or attention_mask.ndim != 4 or attention_mask.size(2) == tokens:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    group, length, keys = attention_mask.shape[1:]
    prefix = keys - length
    if tokens != prefix + group * length:
        raise RuntimeError(
            f"shared prefix: {tokens} tokens, but a mask of shape {tuple(attention_mask.shape)}"
        )
    options: dict[str, Any] = {"dropout_p": dropout, "scale": scaling}
    parts = [x.split((prefix, tokens - prefix), 2) for x in (query, key, value)]
    before = _attend(*(part[0] for part in parts), is_causal=True, **options)
    after = [
        _segments(parts, number, attention_mask[number, :1], group, options)
        for number in range(len(query))
    ]
    return torch.cat((before, torch.cat(after)), 2).transpose(1, 2), None


def _segments(
    parts: list[tuple[Tensor, ...]],
    number: int,
    mask: Float[Tensor, "1 S keys"],
    group: int,
    options: dict[str, Any],
) -> Float[Tensor, "1 H segments d"]:
    """Return the outputs of one sequence's segments: each is a row of a batch of G."""
    query, key, value = (_stack(own[number], group) for _, own in parts)
    before_key, before_value = (x[number].expand(group, -1, -1, -1) for x, _ in parts[1:])
    out = _attend(
        query,
        torch.cat((before_key, key), 2),
        torch.cat((before_value, value), 2),
        attn_mask=mask[None].to(query.dtype),
        **options,
    )
    return out.transpose(0, 1).flatten(1, 2)[None]


def _stack(x: Float[Tensor, "H segments d"], group: int) -> Float[Tensor, "G H S d"]:
    return x.unflatten(1, (group, -1)).transpose(0, 1)


def _attend(
    query: Float[Tensor, "B H Q d"],
    key: Float[Tensor, "B H_k K d"],
    value: Float[Tensor, "B H_k K d"],
    **options: Any,
) -> Float[Tensor, "B H Q d"]:
    """Return SDPA with keys and values shared by the heads of a group of queries."""
    rows, heads, _, channels = query.shape
    shared = heads // key.size(1)
    if shared == 1:
        return F.scaled_dot_product_attention(query, key, value, **options)
    if query.device.type != "cpu":
        key, value = (x.repeat_interleave(shared, 1) for x in (key, value))
        return F.scaled_dot_product_attention(query, key, value, **options)
    # The kernel takes strides, so no copy of keys and values is made or kept for the backward.
    query = query.reshape(rows * key.size(1), shared, -1, channels)
    key, value = (x.flatten(0, 1)[:, None].expand(-1, shared, -1, -1) for x in (key, value))
    out = F.scaled_dot_product_attention(query, key, value, **options)
    return out.reshape(rows, heads, -1, channels)


def register() -> None:
    """Make ``NAME`` known to Transformers, with the masks of its SDPA function."""
    AttentionInterface.register(NAME, shared_prefix_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
