"""What of a model is trained: something, and all that the recipe names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from noisygrpo.errors import UserError, require
from noisygrpo.schema import nearest


def require_targets(model: nn.Module, lora: Mapping[str, Any] | None) -> None:
    """See that every module named for an adapter is there; PEFT is content with one of them.

    Args:
        model: without its adapter; it may be on the meta device.
        lora: ``model.lora`` of the recipe.

    Raises:
        UserError: naming the field and the nearest module.
    """
    for field in ("target_modules", "modules_to_save", "exclude_modules"):
        named = (lora or {}).get(field)
        if named is not None and named != "all-linear":
            _require_modules(model, f"model.lora.{field}", named)


def _require_modules(model: nn.Module, field: str, named: str | Sequence[str]) -> None:
    """See that a pattern, or each of several names, is that of a module."""
    paths = [path for path, _ in model.named_modules()]
    known = {
        path.rpartition(".")[2]
        for path, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.Embedding))
    }
    if isinstance(named, str):
        try:
            there = any(re.fullmatch(named, path) for path in paths)
        except re.error as error:
            raise UserError(f"{field}: {named!r} is no pattern: {error}") from None
        hint = nearest(named, {"all-linear", *known})
        require(there, f"{field}: no module matches {named!r}{hint}")
        return
    for name in named:
        there = any(path == name or path.endswith(f".{name}") for path in paths)
        require(there, f"{field}: no module is named {name!r}{nearest(str(name), known)}")


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
