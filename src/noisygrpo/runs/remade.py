"""A run's folder that is removed or moved while the run goes on.

Training needs nothing of it, and days of work may be in memory alone: so it goes on, and the folder
is made again with what says whose it is, before the next checkpoint is written there. What it held
(logs and checkpoints of earlier steps, numbers before training) is gone, which is said once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from noisygrpo.runs.folder import is_run
from noisygrpo.terminal import say


class Remade(TrainerCallback):
    """Writes again what a run's folder begins with, where it is gone."""

    def __init__(self, folder: Path, write: Callable[[], None]) -> None:
        """``write``: makes the folder and writes what says which run it is of."""
        self._folder, self.write = folder, write

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look before what the step logs and saves is written."""
        if state.is_world_process_zero:
            self.look(state.global_step)

    def look(self, step: int) -> None:
        """Make the folder again if it is gone; ``step``: that is done."""
        if is_run(self._folder):
            return
        say(
            f"{self._folder} was removed or moved while training: it is made again, without what "
            f"it held of the steps before {step}",
            error=True,
        )
        self.write()
