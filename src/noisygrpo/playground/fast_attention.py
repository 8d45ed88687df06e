"""Attention of the language model in float32, for the warm start under bfloat16 autocast.

On a CPU the backward pass of scaled-dot-product attention is several times slower in bfloat16 than
in float32 (``noisygrpo.playground.fast_vision`` does the same for the tower).
"""

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, Qwen2_5_VLForConditionalGeneration
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "sdpa_float32"


def _attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    kind = query.dtype
    with torch.autocast(query.device.type, enabled=False):
        out, _ = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **kwargs
        )
    return out.to(kind), None


def attend_in_float32(model: Qwen2_5_VLForConditionalGeneration) -> None:
    """Let the language model's layers attend in float32 whatever autocast says."""
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.model.language_model.config._attn_implementation = NAME
