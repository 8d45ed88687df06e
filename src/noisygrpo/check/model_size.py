"""What a model's memory depends on, read off a model without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from noisygrpo.check.activations import Blocks, text_blocks, tower_blocks
from noisygrpo.errors import UserError
from noisygrpo.models.loading import load_config, without_weights
from noisygrpo.models.vision import freeze_vision_tower
from noisygrpo.runs.prepare import Prepared
from noisygrpo.runs.trained import require_targets
from noisygrpo.terminal import one_line
from noisygrpo.training.model import core_model

NF4_BITS = 4.127
"""Bits of a weight in nf4 with double quantisation (arXiv 2305.14314, section 3)."""


@dataclass(frozen=True)
class ModelSize:
    """What a model's memory depends on."""

    parameters: int
    """N."""
    trained: int
    """N_t."""
    weights: float
    """W, bytes of all weights as they are loaded."""
    width: int
    """w, bytes of a trained weight."""
    outside: int
    """Parameters outside the blocks: embeddings, head, projections."""
    block: int
    """Parameters of the largest block."""
    text: Blocks
    """Of the language model."""
    tower: Blocks
    """Of the vision tower, where it is trained."""
    kv: int
    """Numbers that a token leaves in the keys of one layer of the language model."""


def meta_model(prepared: Prepared, dtype: torch.dtype | None) -> Any:
    """The model as it will be trained, frozen parts and adapters included, without its weights.

    ``dtype``: of the weights; None is the one that they are stored in.
    """
    spec, config = prepared.recipe.model, load_config(prepared.recipe.model)
    model = without_weights(spec, config, dtype or config.dtype or torch.float32)
    with torch.device("meta"):
        if prepared.config.freeze_vision_tower:
            freeze_vision_tower(model)
        if prepared.lora is not None:
            from peft import get_peft_model

            require_targets(model, spec.lora)

            try:
                model = get_peft_model(model, prepared.lora)
            except (ValueError, TypeError, NotImplementedError) as error:
                raise UserError(f"model.lora: {one_line(str(error))}") from error
    return model


def model_size(model: nn.Module, text: Any, *, quantization: str | None = None) -> ModelSize:
    """Read the numbers off a model, which may be on the meta device.

    Args:
        model: with adapters and frozen parts as they will be trained.
        text: config of its language model.
        quantization: "4bit", "8bit" or None; of the linear layers but the head.
    """
    bits = {"4bit": NF4_BITS, "8bit": 8.0}.get(quantization or "")
    packed = _packed(model) if bits else set()
    everything = list(model.named_parameters())
    weights = sum(
        item.numel() * (float(bits or 0) / 8 if name in packed else item.element_size())
        for name, item in everything
    )
    trained = [item for _, item in everything if item.requires_grad]
    blocks = [_size(block) for block in _blocks(model)]
    total = sum(item.numel() for _, item in everything)
    return ModelSize(
        parameters=total,
        trained=sum(item.numel() for item in trained),
        weights=weights,
        width=trained[0].element_size() if trained else 4,
        outside=total - sum(blocks),
        block=max(blocks, default=0),
        text=text_blocks(model, text, adapters=any("lora_" in name for name, _ in everything)),
        tower=tower_blocks(core_model(model)),
        kv=kv_width(text),
    )


def _size(module: nn.Module) -> int:
    return sum(item.numel() for item in module.parameters())


def _blocks(model: nn.Module) -> list[nn.Module]:
    """Return the members of the outermost lists of modules: the layers of text and vision."""
    found: list[nn.Module] = []
    within: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(top) for top in within):
            within.append(name + ".")
            found += list(module)
    return found


def _packed(model: nn.Module) -> set[str]:
    """Return the names of the weights that bitsandbytes packs: of linear layers but the head."""
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and "lm_head" not in name and "lora_" not in name
    }


def kv_width(text: Any) -> int:
    """Numbers that a token leaves in the keys of one layer."""
    values = text.to_dict()
    heads = values["num_attention_heads"]
    size = values.get("head_dim") or text.hidden_size // heads
    return int(size * (values.get("num_key_value_heads") or heads))
