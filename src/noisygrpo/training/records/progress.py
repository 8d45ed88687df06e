"""Progress for people: a bar with the remaining time on a terminal, else one clear line per log.

Transformers prints its whole dictionary of some fifty numbers every logging step. All of them are
in ``metrics.jsonl``; here is what one looks at while waiting.
"""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from transformers import PrinterCallback, ProgressCallback, TrainerCallback, TrainerState

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

    started, first_step = 0.0, 0

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Remember when and where training began, for the remaining time."""
        self.started, self.first_step = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Print the line, with the rest of the run as the mean step so far has it."""
        if state.is_world_process_zero:
            done, to_do = state.global_step - self.first_step, state.max_steps - state.global_step
            spent = time.monotonic() - self.started
            left = spent / done * to_do if done > 0 else None
            say(step_line(kwargs["logs"], state.global_step, state.max_steps, left))


class StepBar(ProgressCallback):
    """Transformers' bar, which knows the remaining time, with ``step_line`` above it."""

    def on_log(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Print the line above the bar."""
        if state.is_world_process_zero and self.training_bar is not None:
            line = step_line(kwargs["logs"], state.global_step, state.max_steps, None)
            self.training_bar.write(line)


def install(add: Callable[[Any], None], pop: Callable[[Any], Any]) -> None:
    """Put these callbacks in the place of Transformers'; a notebook's table is left as it is.

    ``add``, ``pop``: the trainer's ``add_callback`` and ``pop_callback``.
    """
    replaced = [pop(kind) for kind in (ProgressCallback, PrinterCallback)]
    if replaced[0] is not None and sys.stderr.isatty() and sys.stdout.isatty():
        add(StepBar())
    elif any(replaced):
        add(StepLines())
