"""The vision tower in fewer calls: attention once per layer, patches by one product; the same sums.

Without flash attention, Transformers' Qwen2.5-VL vision tower attends window by window in a Python
loop. On a CPU the calls cost more than the arithmetic. Where all windows of a layer have one
length, which holds for pictures of one size, they are stacked along the batch axis and attended at
once. Windows of unequal length take the original path. The patches do not overlap, so that their
three-dimensional convolution is one matrix product, which a CPU does several times faster.
"""

from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionPatchEmbed,
    Qwen2_5_VLVisionAttention,
    apply_rotary_pos_emb_vision,
)


def _forward(
    self: Qwen2_5_VLVisionAttention,
    hidden_states: torch.Tensor,
    cu_seqlens: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor] | None = None,
    **kwargs: Any,
) -> torch.Tensor:
    """Attention over patches ``[N, D]`` whose windows end at ``cu_seqlens`` int32 ``[W + 1]``."""
    lengths = cu_seqlens[1:] - cu_seqlens[:-1]
    window = int(lengths[0])
    if position_embeddings is None or not bool((lengths == window).all()):
        return type(self).forward(
            self,
            hidden_states,
            cu_seqlens=cu_seqlens,
            position_embeddings=position_embeddings,
            **kwargs,
        )
    count = hidden_states.shape[0]
    query, key, value = self.qkv(hidden_states).reshape(count, 3, self.num_heads, -1).unbind(1)
    query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
    # [N, heads, head_dim] -> [windows, heads, window, head_dim]
    query, key, value = (
        x.reshape(count // window, window, self.num_heads, -1).transpose(1, 2)
        for x in (query, key, value)
    )
    kind = query.dtype
    if query.device.type == "cpu" and kind == torch.bfloat16:
        # on a CPU the backward pass of this call is several times slower in bfloat16
        query, key, value = query.float(), key.float(), value.float()
    with torch.autocast(query.device.type, enabled=False):
        out = F.scaled_dot_product_attention(query, key, value, scale=self.scaling)
    return self.proj(out.to(kind).transpose(1, 2).reshape(count, -1))


def _embed(self: Qwen2_5_VisionPatchEmbed, hidden_states: torch.Tensor) -> torch.Tensor:
    """Patches ``[N, C * T * P * P]`` to ``[N, D]``: the convolution as one matrix product."""
    weight = self.proj.weight
    return F.linear(hidden_states.to(weight.dtype), weight.view(len(weight), -1))


def batch_vision_windows(model: PreTrainedModel) -> int:
    """Replace the attention of every Qwen2.5-VL vision layer, and the product over its patches.

    Returns:
        How many layers were changed; 0 for a model without such a vision tower.
    """
    for module in model.modules():
        if isinstance(module, Qwen2_5_VisionPatchEmbed):
            module.forward = MethodType(_embed, module)
    layers = [m for m in model.modules() if isinstance(m, Qwen2_5_VLVisionAttention)]
    for layer in layers:
        layer.forward = MethodType(_forward, layer)
    return len(layers)
