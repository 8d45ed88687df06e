"""What of a model is trained: something, and all that the recipe names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from noisygrpo.errors import require
from noisygrpo.schema import nearest


def require_targets(model: nn.Module, lora: Mapping[str, Any] | None) -> None:
    """See that every module named for an adapter is there; PEFT is content with one of them.

    Args:
        model: without its adapter; it may be on the meta device.
        lora: ``model.lora`` of the recipe.

    Raises:
        UserError: naming the field and the nearest module.
    """
    targets = (lora or {}).get("target_modules")
    if not isinstance(targets, (list, tuple)):
        return
    paths = [name for name, _ in model.named_modules()]
    linear = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    for target in targets:
        there = any(path == target or path.endswith(f".{target}") for path in paths)
        known = nearest(str(target), linear)
        require(there, f"model.lora.target_modules: no module is named {target!r}{known}")


def require_trained(model: nn.Module, lora: Mapping[str, Any] | None) -> None:
    """See that some parameter is trained.

    Args:
        model: with its adapter and frozen parts; it may be on the meta device.
        lora: ``model.lora`` of the recipe.

    Raises:
        UserError: naming the fields that leave nothing.
    """
    trained = sum(item.numel() for item in model.parameters() if item.requires_grad)
    what = "training.freeze_vision_tower"
    if lora is not None:
        what += f" and model.lora.target_modules {lora.get('target_modules')}"
    require(trained > 0, f"{what} leave no parameter to train")
