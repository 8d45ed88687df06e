"""An adapter of PEFT's, added to the weights of its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import safe_open

from noisygrpo.errors import UserError, require
from noisygrpo.models.versions import remedy


def merged(model: Any, folder: str) -> Any:
    """The base model with the adapter of a folder added to its weights: W + scale * B A."""
    try:
        from peft import PeftModel
    except ImportError:
        raise UserError(f"{folder} holds an adapter: {remedy('peft')}") from None
    try:
        adapted = PeftModel.from_pretrained(model, folder)
    except (RuntimeError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{folder}: the adapter does not fit its base model: {type(error).__name__}: {reason}"
        ) from error
    require_adapter(adapted, Path(folder))
    return adapted.merge_and_unload()


def require_adapter(model: Any, folder: Path) -> None:
    """See that an adapter's file has the names of the model's; PEFT passes over what is missing.

    Raises:
        UserError: naming some that one has and the other lacks.
    """
    from peft import get_peft_model_state_dict
    from peft.utils import SAFETENSORS_WEIGHTS_NAME

    path = folder / SAFETENSORS_WEIGHTS_NAME
    if path.is_file():
        with safe_open(path, framework="pt") as file:
            other = sorted(get_peft_model_state_dict(model).keys() ^ set(file.keys()))
        require(not other, f"{folder}: {path.name} is of another adapter or model: {other[:3]}")
