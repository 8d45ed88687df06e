"""What a model's blocks keep for the backward pass, read off its modules.

Numbers that autograd keeps of a block for one token (of a vision tower: one patch)::

    kept = sum over its linear layers of (inputs + outputs)
           + I         with a gated MLP of width I: the product that goes into its last layer
           + 2 out     of projections to queries and keys, where these are normed
           + 2 in, in  for queries, keys and values in one layer, for gate and value in one
           + 3 H       for each norm of width H after the second
           + 4 H       with adapters: each keeps a copy of its input, which the layers of a trained
                       block share, and RMSNorms keep theirs in float32

Fused attention stores no matrix of scores. Of a mixture of experts those count that a token goes
through. On an H100, of Qwen2.5-VL-3B's shapes with ``trl.GRPOTrainer`` (no checkpointing), peaks
are within 3 % of it: 71.6 GB where it says 73.5 (all trained but the tower), 54.0 where it says
53.8 (LoRA); a trained tower was measured under a shared prefix alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import nn

from noisygrpo.models.vision import image_tower


@dataclass(frozen=True)
class Blocks:
    """Blocks of one kind that a token goes through one after the other."""

    layers: int
    hidden: int
    """H, which is all that gradient checkpointing keeps of a block."""
    kept: int
    """Numbers kept of a block for one token."""


NONE = Blocks(0, 0, 0)


def text_blocks(model: nn.Module, text: Any, *, adapters: bool) -> Blocks:
    """The language model's; ``text`` is its config."""
    block = _block(model, text.num_hidden_layers)
    kept = 0 if block is None else kept_of(block, text)
    return Blocks(text.num_hidden_layers, text.hidden_size, kept + 4 * text.hidden_size * adapters)


def tower_blocks(model: Any) -> Blocks:
    """Those of the module that encodes images; ``NONE`` where nothing in it is trained."""
    tower = image_tower(model)
    if tower is None or not any(value.requires_grad for value in tower.parameters()):
        return NONE
    layers = max((len(one) for one in tower.modules() if isinstance(one, nn.ModuleList)), default=0)
    block = _block(tower, layers)
    if block is None:
        return NONE
    widths = [one.in_features for one in block.modules() if isinstance(one, nn.Linear)]
    return Blocks(layers, min(widths, default=0), kept_of(block, getattr(tower, "config", None)))


def _block(model: nn.Module, layers: int) -> nn.Module | None:
    """The block with the most parameters in a list of so many."""
    lists = [one for one in model.modules() if isinstance(one, nn.ModuleList)]
    found = [block for one in lists if len(one) == layers > 0 for block in one]
    return max(
        found, key=lambda one: sum(value.numel() for value in one.parameters()), default=None
    )


def kept_of(block: nn.Module, config: Any) -> int:
    """Numbers that a block keeps for one token; see the module's formula."""
    numbers, experts = 0.0, _experts(config)
    normed = any(name.endswith("q_norm") for name, _ in block.named_modules())
    for name, module in block.named_modules():
        if "lora_" in name:
            continue
        if isinstance(module, nn.Linear):
            share = experts["share"] if ".experts." in f".{name}." else 1.0
            numbers += share * _linear(name, module.in_features, module.out_features)
            if normed and re.search(r"\.[qk]_proj(\.base_layer)?$", name):
                numbers += 2 * module.out_features
        for own, value in module.named_parameters(recurse=False):
            if value.ndim == 3 and "proj" in own:  # the experts' weights in one
                a, b = value.shape[1:]
                hidden = int(getattr(config, "hidden_size", min(a, b)))
                numbers += experts["chosen"] * _linear(own, hidden, int(a + b - hidden))
    return round(numbers) + 3 * sum(_norms(block)[2:])


def _norms(block: nn.Module) -> list[int]:
    """Widths of the norms of a block that are as wide as its widest."""
    norms = [one for one in block.modules() if type(one).__name__.endswith("Norm")]
    widths = [max((value.numel() for value in one.parameters()), default=0) for one in norms]
    widest = max(widths, default=0)
    return [width for width in widths if width == widest]


def _linear(name: str, inputs: int, outputs: int) -> int:
    """Inputs and outputs of a layer, a gate's product, and what a joint layer would have apart."""
    last = name.removesuffix(".base_layer").rpartition(".")[2]  # PEFT's name inside an adapter
    more = {
        "gate_proj": outputs,
        "gate_up_proj": outputs // 2 + inputs,
        "qkv_proj": 2 * inputs,
        "qkv": 2 * inputs,
    }
    return inputs + outputs + more.get(last, 0)


def _experts(config: Any) -> dict[str, float]:
    """How many experts a token goes through, and the share of all that this is."""
    values: Mapping[str, Any] = config.to_dict() if hasattr(config, "to_dict") else {}
    chosen = values.get("num_experts_per_tok") or 1
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    every = next((values[name] for name in names if values.get(name)), chosen)
    return {"chosen": float(chosen), "share": chosen / every}


def patches(inputs: Mapping[str, Any], config: Any) -> int:
    """How many patches the pictures of a prompt have in the tower, from what a processor gave."""
    if "image_grid_thw" in inputs:
        return int(inputs["image_grid_thw"].prod(-1).sum())
    pixels = inputs.get("pixel_values")
    side = getattr(getattr(config, "vision_config", None), "patch_size", None)
    if isinstance(pixels, (list, tuple)):  # pictures of several sizes
        return sum(patches({"pixel_values": one[None]}, config) for one in pixels)
    if pixels is None:
        return 0
    if pixels.ndim < 4 or not side:  # patches that lie flat
        return prod(pixels.shape[:-1])
    side = side if isinstance(side, int) else side[0]
    *many, height, width = pixels.shape
    return prod(many[:-1]) * (height // side) * (width // side)
