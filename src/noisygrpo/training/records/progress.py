"""Progress for people: a bar with the remaining time on a terminal, else one clear line per log.

Transformers prints its whole dictionary of some fifty numbers every logging step. All of them are
in ``metrics.jsonl``; here is what one looks at while waiting.
"""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from transformers import (
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from noisygrpo.terminal import say

SHOWN = {
    "reward": "reward",
    "advantage/gain": "gain",
    "loss": "loss",
    "kl": "kl",
    "entropy": "entropy",
    "completions/mean_length": "tokens",
    "completions/clipped_ratio": "cut off",
    "step_time": "s/step",
}
"""Metric to its name in the line."""


def step_line(logs: dict[str, Any], step: int, total: int, seconds_left: float | None) -> str:
    """Return the line for one log of the trainer: training, evaluation, or the closing summary."""
    if "train_runtime" in logs:
        spent = timedelta(seconds=round(float(logs["train_runtime"])))
        return f"step {step}/{total}  trained in {spent}"
    prefix = "eval_" if any(key.startswith("eval_") for key in logs) else ""
    parts = [f"step {step}/{total}" + ("  evaluation" if prefix else "")]
    for key, name in SHOWN.items():
        value = logs.get(prefix + key)
        if isinstance(value, (int, float)):
            parts.append(f"{name} {value:.3g}")
    if seconds_left is not None and not prefix:
        parts.append(f"left {timedelta(seconds=round(seconds_left))}")
    return "  ".join(parts)


class StepLines(TrainerCallback):
    """Prints ``step_line`` at every log of the main process."""

    def __init__(self) -> None:
        """Start the clock when training begins."""
        self.started: float | None = None
        self.first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Remember when and where training began, for the remaining time."""
        self.started, self.first_step = time.monotonic(), state.global_step

    def seconds_left(self, state: TrainerState) -> float | None:
        """Return the expected rest of the run, from the mean step so far."""
        done = state.global_step - self.first_step
        if self.started is None or done <= 0:
            return None
        return (time.monotonic() - self.started) / done * (state.max_steps - state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Print the line."""
        if state.is_world_process_zero:
            left = self.seconds_left(state)
            say(step_line(kwargs["logs"], state.global_step, state.max_steps, left))


class StepBar(ProgressCallback):
    """Transformers' bar, which knows the remaining time, with ``step_line`` above it."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print the line above the bar."""
        if state.is_world_process_zero and self.training_bar is not None:
            self.training_bar.write(step_line(logs or {}, state.global_step, state.max_steps, None))


def install(add: Callable[[Any], None], pop: Callable[[Any], Any]) -> None:
    """Put these callbacks in the place of Transformers'; a notebook's table is left as it is.

    ``add``, ``pop``: the trainer's ``add_callback`` and ``pop_callback``.
    """
    replaced = [pop(kind) for kind in (ProgressCallback, PrinterCallback)]
    if replaced[0] is not None and sys.stderr.isatty() and sys.stdout.isatty():
        add(StepBar())
    elif any(replaced):
        add(StepLines())
