"""What of a model is trained: something, and all that the recipe names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from noisygrpo.errors import require
from noisygrpo.schema import nearest


def require_trained(model: nn.Module, lora: Mapping[str, Any] | None) -> None:
    """See that some parameter is trained and that every module named for an adapter is there.

    Args:
        model: with its adapter and frozen parts; it may be on the meta device.
        lora: ``model.lora`` of the recipe.

    Raises:
        UserError: naming the field.
    """
    if lora is not None and isinstance(lora.get("target_modules"), (list, tuple)):
        ends = {name.rpartition(".")[2] for name, _ in model.named_modules()}
        paths = [name.replace(".base_layer", "") for name, _ in model.named_modules()]
        for target in lora["target_modules"]:
            there = any(path == target or path.endswith(f".{target}") for path in paths)
            linear = sorted(end for end in ends if end.endswith(("proj", "qkv", "fc1", "fc2")))
            known = nearest(str(target), linear or sorted(ends))
            require(there, f"model.lora.target_modules: no module is named {target!r}{known}")
    trained = sum(item.numel() for item in model.parameters() if item.requires_grad)
    what = "training.freeze_vision_tower"
    if lora is not None:
        what += f" and model.lora.target_modules {lora.get('target_modules')}"
    require(trained > 0, f"{what} leave no parameter to train")
