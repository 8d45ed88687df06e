"""Stopping before a loss or gradient that is not a number spoils the model."""

import math


class NonFiniteError(RuntimeError):
    """The loss or a gradient is NaN or infinite; raised before the optimizer step."""


def require_finite(value: float, what: str, step: int, output_dir: str | None) -> None:
    """Raise unless ``value`` is a finite number.

    Args:
        value: what was computed for step ``step + 1``.
        what: its name in the message.
        step: optimizer steps done so far.
        output_dir: the run's folder, where the rollouts of the step are.

    Raises:
        NonFiniteError: if it is not.
    """
    if not math.isfinite(value):
        raise NonFiniteError(
            f"step {step + 1}: the {what} is {value}; stopped before the optimizer step, so the "
            f"parameters are still those of step {step}. A lower learning_rate or a higher "
            f"precision may help; the step's rollouts are in {output_dir}"
        )
