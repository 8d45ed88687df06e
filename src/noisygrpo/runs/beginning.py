"""What goes wrong up to the end of the first step is of what was put together, not of the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from noisygrpo.errors import RunStopped, UserError
from noisygrpo.runs.trouble import trouble
from noisygrpo.terminal import one_line


class Begun(TrainerCallback):
    """Knows whether a step was made: model, processor, settings and data do go together."""

    def __init__(self) -> None:
        """None was."""
        self.yes = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """From here on an error is of the work, not of what was put together."""
        self.yes = True


@contextmanager
def setting_up(begun: Begun) -> Iterator[None]:
    """What the libraries refuse up to the first step's end is what they were given: one line.

    A model whose own forward does not take what its processor makes of a row fails there.
    """
    try:
        yield
    except (UserError, RunStopped, RecursionError):  # the last is no library's refusal
        raise
    except (
        ValueError,
        TypeError,
        KeyError,
        ImportError,
        IndexError,
        AttributeError,
        RuntimeError,
        OSError,
    ) as error:
        if begun.yes or trouble(error, Path()) is not None:
            raise
        said = f"{type(error).__name__}: {one_line(str(error))[:400]}"
        raise UserError(
            f"training does not start with these settings: {said} (--verbose shows where)"
        ) from error
