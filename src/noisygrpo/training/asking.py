"""Asking the reward functions of a batch, on all processes alike.

A function that fails on one process must not leave the others waiting for its rewards, nor take the
batch's rollouts with it. So its rewards are ``UNSCORABLE`` at first, the batch comes to its end and
is written down, and then all processes stop with the line that says what failed.

A batch in which nothing earned a reward teaches nothing. One is named; `SILENT` in a row stop the
run, which would otherwise go through its steps to the end as if it were learning.

Shapes: R rollouts over all processes.
"""

import functools
import logging
import math
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate.utils import gather_object
from jaxtyping import Float
from torch import Tensor, nn

from accelerate import Accelerator
from noisygrpo.contained import WATCH, Due, OutOfTime
from noisygrpo.rewards.guard import Guard, RewardError, is_async
from noisygrpo.rewards.outcome import UNSCORABLE
from noisygrpo.training.batch import Batch

logger = logging.getLogger(__name__)

SILENT = 5
"""Batches in a row without any reward, after which a run stops."""

GRACE = 10.0
"""Seconds after an async function's limit, by which its loop would have said so if it could."""


TRLS = logging.getLogger("trl.trainer.grpo_trainer")


@dataclass
class Asking:
    """The functions' guards, and what failed in this batch."""

    accelerator: Accelerator
    names: list[str]  # of the functions, in TRL's own list
    limit: float | None  # seconds for a function and a batch
    folder: Any  # of the run
    extra: MutableMapping[str, list[Any]] = field(default_factory=dict)
    """Columns that functions logged for TRL's table, until the batch is done."""
    failures: list[str] = field(default_factory=list)  # of this process and batch
    silent: int = 0  # batches in a row without any reward
    _loop: Due | None = None  # interrupts the wait for the loop of async functions
    _running: int = 0  # of these

    def __post_init__(self) -> None:
        """Leave out TRL's warning with the whole row, pictures included: here it is counted."""
        TRLS.addFilter(_counted_here)

    def guarded(self, function: Any, name: str) -> Any:
        """Return what TRL calls in the place of a function; a reward model stays as it is."""
        if isinstance(function, nn.Module):
            return function
        guard = getattr(function, "guard", None) or Guard(function, name)

        def reward(**given: Any) -> list[float | None]:
            if self.failures:  # the batch is lost already
                return [UNSCORABLE] * len(given["completions"])
            try:
                return guard.ask(given, self.limit)
            except RewardError as error:
                return self._fail(given, error)

        async def async_reward(**given: Any) -> list[float | None]:
            self._wait(+1)
            try:
                return await guard.ask_async(given, self.limit)
            except RewardError as error:
                return self._fail(given, error)
            finally:
                self._wait(-1)

        chosen: Callable[..., Any] = async_reward if is_async(guard.function) else reward
        return functools.update_wrapper(chosen, function, updated=())

    def _fail(self, given: dict[str, Any], error: RewardError) -> list[float | None]:
        self.failures.append(str(error))
        return [UNSCORABLE] * len(given["completions"])

    def _wait(self, change: int) -> None:
        """An async function that blocks its loop cannot be ended there, but the wait for it can."""
        self._running += change
        if self.limit is not None and self._loop is not None:
            WATCH.move(self._loop, self.limit + GRACE if self._running else math.inf)

    def ask(
        self, calculate: Callable[..., Any], inputs: Any, prompts: Any, completions: Any, ids: Any
    ) -> Float[Tensor, "R functions"]:
        """Return the rewards of all processes, as TRL's ``_calculate_rewards`` does."""
        self._loop, self._running = WATCH.add(math.inf), 0
        try:
            rewards = self._finite(calculate(inputs, prompts, completions, ids))
            for values in self.extra.values():  # of a column that two functions log, the second's
                del values[: -len(prompts)]
            return rewards
        except OutOfTime:
            self.failures.append(
                f"reward {' or '.join(map(repr, self.names))}: an async function blocks its loop "
                f"and is not done after reward_time_limit {self.limit:g} s"
            )
            lost = torch.tensor([[UNSCORABLE] * len(self.names)] * len(prompts))
            gathered: Tensor = self.accelerator.gather(lost.to(self.accelerator.device))
            return gathered
        finally:
            WATCH.remove(self._loop)
            self._loop = None

    def _finite(self, rewards: Tensor) -> Tensor:
        """A reward model's infinity; those of functions are counted one by one."""
        for name, column in zip(self.names, rewards.T, strict=True):
            if torch.isinf(column).any():
                self.failures.append(f"reward {name!r}: the model returned infinity")
        return rewards

    def settle(self, batch: Batch, step: int) -> None:
        """Stop all processes where a function failed on one, or nothing earned a reward for long.

        Args:
            batch: written down.
            step: that it is for, from 1.

        Raises:
            RewardError: naming function, step and row.
        """
        failures = gather_object(self.failures)
        self.failures = []
        if failures:
            where = f"; the batch's rollouts are in {self.folder}" if batch.training else ""
            raise RewardError(failures[0] + where)
        if not batch.training:
            return
        self.silent = self.silent + 1 if bool(batch.rewards.isnan().all()) else 0
        if self.silent in (1, SILENT):
            self._nothing(batch, step)

    def _nothing(self, batch: Batch, step: int) -> None:
        gave = "could not be found out" if bool(batch.lost.all()) else "was None"
        said = f"what {', '.join(map(repr, self.names))} gave every completion {gave}"
        if self.silent == SILENT:
            raise RewardError(
                f"step {step}: {said}, in {SILENT} batches in a row, so nothing is learned; the "
                f"rollouts are in {self.folder}"
            )
        first = batch.rollouts[0].example_id
        logger.warning("step %d, from row %r on: %s: the batch teaches nothing", step, first, said)


def _counted_here(record: logging.LogRecord) -> bool:
    return "All reward functions returned None" not in str(record.msg)
