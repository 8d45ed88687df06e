"""Stopping before a loss or gradient that is not a number spoils the model."""

import math
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor
from transformers import TrainerState, TrainingArguments

from noisygrpo.errors import RunStopped


class NonFiniteError(RunStopped):
    """The loss or a gradient is NaN or infinite; raised before the optimizer step."""


def require_finite(value: Any, what: str, state: TrainerState, args: TrainingArguments) -> None:
    """Raise ``NonFiniteError`` unless ``value``, of the step after ``state``'s, is a finite number.

    ``what`` names it in the message, and ``args`` the folder with the rollouts of the step.
    """
    if not math.isfinite(float(value)):
        step = state.global_step
        raise NonFiniteError(
            f"step {step + 1}: the {what} is {float(value)}; stopped before the optimizer step, so "
            f"the parameters are still those of step {step}. A lower learning_rate or a higher "
            f"precision may help; the step's rollouts are in {args.output_dir}"
        )


def finite_norm(norm: Any, trainer: Any) -> Any:
    """Return the gradient's norm, which may be None; ``NonFiniteError`` where it is no number."""
    # With fp16 the gradient scaler meets overflows on purpose and skips the step itself.
    if norm is not None and trainer.accelerator.scaler is None:
        require_finite(norm, "gradient norm", trainer.state, trainer.args)
    return norm


def require_finite_weights(model: nn.Module, state: TrainerState) -> None:
    """Raise ``NonFiniteError`` rather than call weights a checkpoint that are not numbers."""
    if (name := not_finite(model)) is not None:
        raise NonFiniteError(
            f"step {state.global_step}: {name} is not finite any more, so nothing is saved; "
            "go on from an earlier checkpoint with a lower learning_rate"
        )


def not_finite(model: nn.Module) -> str | None:
    """Return the first trained parameter that holds NaN or infinity, as far as it is here."""
    for name, value in model.named_parameters():
        here = value.to_local() if isinstance(value, DTensor) else value
        if value.requires_grad and not bool(torch.isfinite(here).all()):
            return name
    return None
