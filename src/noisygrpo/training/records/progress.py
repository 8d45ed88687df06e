"""Progress for people: a live table with the remaining time on a terminal, else a line per log.

Transformers prints its whole dictionary of some fifty numbers every logging step. All of them are
in ``metrics.jsonl``; here is what one looks at while waiting.
"""

import atexit
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from transformers import PrinterCallback, ProgressCallback, TrainerCallback, TrainerState

from noisygrpo.terminal import Loudness, colored, loudness, note

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

ROWS = 12
"""Logs that the table shows."""


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
            left = time_left(self.started, self.first_step, state)
            note(step_line(kwargs["logs"], state.global_step, state.max_steps, left))


class StepTable(TrainerCallback):
    """On a terminal: the last logs as a table that grows, under it a bar with the remaining time.

    What is printed meanwhile stands above the table.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._logs: deque[tuple[int, dict[str, Any]]] = deque(maxlen=ROWS)
        self._live: Live | None = None
        self._bar = Progress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[left]} left"),
            expand=True,
        )
        self._task = self._bar.add_task("", total=None, left="?")
        self._started, self._first_step = 0.0, 0

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Show the table."""
        if not state.is_world_process_zero:
            return
        self._started, self._first_step = time.monotonic(), state.global_step
        console = self._console or Console(no_color=not colored(sys.stdout), highlight=False)
        self._live = Live(self._shown(), console=console, refresh_per_second=2)
        self._bar.update(self._task, completed=state.global_step, total=state.max_steps)
        self._live.start()
        atexit.register(self._live.stop)  # an error leaves the cursor as it was

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if self._live is not None:
            seconds = time_left(self._started, self._first_step, state)
            left = "?" if seconds is None else str(timedelta(seconds=round(seconds)))
            self._bar.update(self._task, completed=state.global_step, left=left)
            self._live.update(self._shown())

    def on_log(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Add a row."""
        if self._live is not None and "train_runtime" not in kwargs["logs"]:
            self._logs.append((state.global_step, kwargs["logs"]))
            self._live.update(self._shown())

    def on_train_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Leave the table as it is."""
        if self._live is not None:
            self._live.update(self._shown())
            self._live.stop()
            atexit.unregister(self._live.stop)
            self._live = None

    def _shown(self) -> Group:
        names = [key for key in SHOWN if any(key in logs for _, logs in self._logs)]
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for name in ("step", *(SHOWN[key] for key in names)):
            table.add_column(name, justify="right", no_wrap=True)
        for step, logs in self._logs:
            table.add_row(str(step), *(_number(logs.get(key)) for key in names))
        return Group(table, self._bar) if self._logs else Group(self._bar)


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) else ""


def time_left(started: float, first_step: int, state: TrainerState) -> float | None:
    """Seconds of the rest, as the mean step so far has it; None before a step is done."""
    done, to_do = state.global_step - first_step, state.max_steps - state.global_step
    return (time.monotonic() - started) / done * max(to_do, 0) if done > 0 else None


def install(add: Callable[[Any], None], pop: Callable[[Any], Any]) -> None:
    """Put these callbacks in the place of Transformers'; a notebook's table is left as it is.

    ``add``, ``pop``: the trainer's ``add_callback`` and ``pop_callback``.
    """
    replaced = [pop(kind) for kind in (ProgressCallback, PrinterCallback)]
    terminal = sys.stderr.isatty() and sys.stdout.isatty() and loudness() > Loudness.QUIET
    if replaced[0] is not None and terminal:
        add(StepTable())
    elif any(replaced):
        add(StepLines())
