"""Attention of groups by FlexAttention: one call with a block mask, for GPUs.

What is computed is ``attention``'s: with P prefix tokens and segments of S tokens,
token q sees token k if

    k <= q                                      q in the prefix
    k < P, unless it is padding                 q in a segment, k in the prefix
    k <= q and (k - P) // S == (q - P) // S     both in segments

SDPA takes each segment as a row of its own and so keeps G copies of the prefix's keys and values
for the backward pass. FlexAttention reads them once, and skips the blocks of 128 x 128 scores in
which nothing is seen. Transformers compiles and calls it. On a CPU it has no backward pass, which
``check_device`` says; scores without gradient work there, uncompiled.

Shapes: g sequences, H heads, H_k key-value heads, L = P + G S tokens, d channels.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from transformers.integrations.flex_attention import flex_attention_forward

from noisygrpo.errors import require


def check_device(device: torch.device) -> None:
    """Raise ``UserError`` where FlexAttention cannot be trained with."""
    require(
        device.type != "cpu",
        "shared_prefix_kernel: 'flex' needs a GPU, as FlexAttention has no backward pass on a CPU; "
        "'sdpa' works anywhere",
    )


def block_mask(visible: Bool[Tensor, "g G S keys"]) -> BlockMask:
    """Return the mask of ``Layout.visible`` for FlexAttention, over sequences of L tokens."""
    groups, group, length, keys = visible.shape
    prefix = keys - length
    inside = visible[:, 0, 0, :prefix]

    def sees(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        of_prefix = inside[b, k.clamp(max=prefix - 1)] & (k < prefix)
        own = (k >= prefix) & (k <= q) & ((k - prefix) // length == (q - prefix) // length)
        return torch.where(q < prefix, k <= q, of_prefix | own)

    total = prefix + group * length
    return create_block_mask(sees, groups, None, total, total, device=str(visible.device))


def attend(
    module: torch.nn.Module,
    query: Float[Tensor, "g H L d"],
    key: Float[Tensor, "g H_k L d"],
    value: Float[Tensor, "g H_k L d"],
    mask: BlockMask,
    scaling: float | None,
    dropout: float,
) -> Float[Tensor, "g L H d"]:
    """Return the attention's output; compiled on a GPU."""
    if query.device.type == "cpu":
        out = flex_attention(query, key, value, block_mask=mask, scale=scaling, enable_gqa=True)
        assert isinstance(out, Tensor)
        return out.transpose(1, 2)
    options: dict[str, Any] = {"scaling": scaling, "dropout": dropout}
    return flex_attention_forward(module, query, key, value, mask, **options)[0]
