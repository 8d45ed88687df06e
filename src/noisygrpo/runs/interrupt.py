"""SIGTERM and Ctrl-C: the step is finished and saved, and the run says that it is not done.

A scheduler that takes a machine back sends SIGTERM some time before it kills. The first signal lets
the step end, writes a checkpoint and stops; the command's exit code is then ``NOT_FINISHED``, which
a scheduler can requeue on. The second signal leaves at once. All processes stop at the same step,
whichever of them got the signal.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from accelerate import Accelerator
from noisygrpo.terminal import say

NOT_FINISHED = 75
"""Exit code of a run that was asked to stop and can go on: EX_TEMPFAIL of sysexits.h."""

AT_ONCE = 130
"""Exit code after the second signal."""


class Interrupt(TrainerCallback):
    """Stops training at the end of a step once a signal has come, with a checkpoint."""

    def __init__(self, anywhere: Callable[[bool], bool]) -> None:
        """Nothing has come yet.

        ``anywhere``: tells whether something holds on any of the processes, all of which ask.
        """
        self.asked = False
        """Whether a signal has come to this process."""
        self.stopped = False
        """Whether training was stopped for one."""
        self._anywhere = anywhere

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within this context the two signals are this run's; on any but the main thread nothing
        changes, as Python allows no handlers there."""
        kept: dict[signal.Signals, Any] = {}
        with suppress(ValueError):  # not the main thread
            for one in (signal.SIGTERM, signal.SIGINT):
                kept[one] = signal.signal(one, self._hear)
        try:
            yield
        finally:
            for one, handler in kept.items():
                signal.signal(one, handler)

    def _hear(self, number: int, frame: Any) -> None:
        if self.asked:
            os._exit(AT_ONCE)
        self.asked = True
        name = signal.Signals(number).name
        say(f"{name}: the step is finished and saved; once more leaves at once", error=True)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Save and stop, on all processes alike; a run that is done anyway is not interrupted."""
        if self._anywhere(self.asked) and state.global_step < state.max_steps:
            args.save_only_model = False  # it is to go on, whatever other checkpoints lack
            control.should_save = control.should_training_stop = self.stopped = True


class NotFinished(BaseException):
    """A signal asked the run to stop; what is done is saved, and ``--resume`` goes on.

    No ``Exception``: while a model is loaded, libraries try one thing after another.
    """


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """Within this context, where no step is under way, SIGTERM ends the run: nothing is lost that
    is not made again, and what is written is whole.

    Raises:
        NotFinished: it came.
    """

    def hear(number: int, frame: Any) -> None:
        raise NotFinished("SIGTERM: stopped outside of training; the same command goes on")

    kept: Any = None
    with suppress(ValueError):  # not the main thread
        kept = signal.signal(signal.SIGTERM, hear)
    try:
        yield
    finally:
        if kept is not None:
            signal.signal(signal.SIGTERM, kept)


@contextmanager
def saved_first() -> Iterator[None]:
    """Within this context SIGTERM waits until what is being saved is whole.

    Raises:
        NotFinished: it came.
    """
    came: list[int] = []
    kept: Any = None
    with suppress(ValueError):  # not the main thread
        kept = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        if kept is not None:
            signal.signal(signal.SIGTERM, kept)
    if came:
        raise NotFinished("SIGTERM: the model is saved; the same command goes on behind it")


@contextmanager
def interrupted(trainer: Any) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the step within this context, not the process.

    Raises:
        NotFinished: one came.
    """
    interrupt = Interrupt(partial(_anywhere, trainer.accelerator))
    trainer.add_callback(interrupt)
    with interrupt.listening():
        yield
    if interrupt.stopped:
        done, steps = trainer.state.global_step, trainer.state.max_steps
        folder = trainer.args.output_dir
        raise NotFinished(f"stopped after step {done} of {steps}; go on with --resume ({folder})")


def _anywhere(accelerator: Accelerator, here: bool) -> bool:
    return bool(accelerator.gather(torch.tensor([here], device=accelerator.device)).any())
