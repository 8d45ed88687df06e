"""Asking a reward function, whatever it does.

It is given copies (``copies``), so that what it changes in them changes no rollout, and what it
logs is looked at (``logs``). It has a time limit, may raise or want to exit (``contained``), and
what it returns is looked at: one number, None or ``UNSCORABLE`` for each completion, in a list, a
tuple, an array or a tensor. NaN, infinity and what is beyond float32 are counted as ``UNSCORABLE``,
with one line. Everything else is a `RewardError`, whose line names the function, the step and the
row.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from noisygrpo.contained import OutOfTime, UserCodeError, contained, said
from noisygrpo.errors import RunStopped
from noisygrpo.rewards.copies import copied, own
from noisygrpo.rewards.logs import checked, nothing
from noisygrpo.rewards.outcome import UNSCORABLE, is_unscorable
from noisygrpo.rewards.returned import GREATEST, as_number, listed
from noisygrpo.terminal import one_line

logger = logging.getLogger(__name__)

TIME_LIMIT = 600.0
"""Seconds that a function has for a batch: less than the half hour after which other processes that
wait for this one give up (``ddp_timeout``)."""

SEARCH = 10.0
"""Seconds for finding the row at which a function raises."""


class RewardError(RunStopped):
    """A reward function failed; the line names it, the step, and the row as far as it is known."""


@dataclass
class Guard:
    """A reward function as it is asked."""

    function: Callable[..., Any]
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)  # bound by the recipe
    skip: bool = False  # whether a failure makes the batch unscorable and the run goes on

    def __post_init__(self) -> None:
        """See what the function takes."""
        self._takes: set[str] | None = None
        try:
            parameters = inspect.signature(self.function).parameters
        except ValueError:  # one of C that does not say: it gets everything, as from TRL
            return
        every = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        self._takes = None if every else set(parameters)

    def ask(self, given: Mapping[str, Any], limit: float | None = TIME_LIMIT) -> list[float | None]:
        """Return the rewards of a batch.

        Args:
            given: ``prompts``, ``completions`` and the columns, as TRL hands them over.
            limit: seconds.

        Raises:
            RewardError: it failed, and that is not to be skipped.
        """
        try:
            with contained(limit, "reward_time_limit", hard=True):
                values = self.function(**self._own(given))
                found = listed(values)  # a generator's, which are made here
        except UserCodeError as error:
            return self._failed(given, str(error), error, self._row(given, error))
        return self._looked_at(given, values, found)

    async def ask_async(
        self, given: Mapping[str, Any], limit: float | None = TIME_LIMIT
    ) -> list[float | None]:
        """`ask` for an async function; other functions go on in the meantime."""
        with contained(None):  # its exit alone: errors and the limit are the task's
            task = asyncio.ensure_future(self._caught(given))
            done, _ = await asyncio.wait({task}, timeout=limit)
        if not done:
            task.cancel()  # which it may not heed: nobody waits for it
            return self._failed(given, said(OutOfTime(), f"reward_time_limit {limit:g} s"), None)
        values, error = task.result()
        if error is not None:
            return self._failed(given, said(error), error)
        return self._looked_at(given, values, listed(values))

    async def _caught(self, given: Mapping[str, Any]) -> tuple[Any, BaseException | None]:
        try:
            return await self.function(**self._own(given)), None
        except (Exception, SystemExit) as error:  # an exit would end the loop, and all would wait
            return None, error

    def _own(self, given: Mapping[str, Any]) -> dict[str, Any]:
        taken, knobs = (
            {k: v for k, v in values.items() if self._takes is None or k in self._takes}
            for values in (given, self.arguments)
        )
        logs = checked(taken, len(given["completions"]))
        return {**copied(taken), **logs, **{k: own(v, deep=False) for k, v in knobs.items()}}

    def _row(self, given: Mapping[str, Any], error: UserCodeError) -> int | None:
        """The row at which it raises, found by asking row by row; None where it is not one."""
        count, deadline = len(given["completions"]), time.monotonic() + SEARCH
        if isinstance(error.__cause__, OutOfTime) or count == 1:
            return 0 if count == 1 else None
        for row in range(count):
            if time.monotonic() >= deadline:
                return None
            if self._raises(given, row, deadline):
                return None if row == 0 and self._raises(given, 1, deadline) else row
        return None

    def _raises(self, given: Mapping[str, Any], row: int, deadline: float) -> bool:
        count = len(given["completions"])
        alone = {
            key: [value[row]] if isinstance(value, list) and len(value) == count else value
            for key, value in given.items()
        }
        alone |= {key: nothing for key in ("log_extra", "log_metric") if key in given}
        try:
            with contained(max(0.1, deadline - time.monotonic())):
                self.function(**self._own(alone))
        except UserCodeError as error:
            return not isinstance(error.__cause__, OutOfTime)
        return False

    def _failed(
        self,
        given: Mapping[str, Any],
        why: str,
        error: BaseException | None,
        row: int | None = None,
    ) -> list[float | None]:
        line = f"{self._where(given, row)}: {why}"
        if not self.skip:
            raise RewardError(one_line(line)) from error
        logger.warning("%s; on_error: skip, so its batch is unscorable", one_line(line))
        return [UNSCORABLE] * len(given["completions"])

    def _where(self, given: Mapping[str, Any], row: int | None) -> str:
        state = given.get("trainer_state")
        step = "" if state is None else f", step {state.global_step + 1}"
        count = len(given["completions"])
        rows = (
            [_named(given, row)] if row is not None else [_named(given, n) for n in (0, count - 1)]
        )
        return f"reward {self.name!r}{step}, row {' to '.join(dict.fromkeys(rows))}"

    def _looked_at(
        self, given: Mapping[str, Any], values: Any, found: list[Any] | None
    ) -> list[float | None]:
        count = len(given["completions"])
        if found is None or len(found) != count:
            what = f"{len(found)} values" if found is not None else f"a {type(values).__name__}"
            return self._failed(given, f"returned {what} for {count} completions", None)
        rewards: list[float | None] = []
        odd: dict[int, float] = {}
        for row, value in enumerate(found):
            number = as_number(value)
            if isinstance(number, str):
                return self._failed(given, f"returned {number}, expected a number", None, row)
            if number is not None and not abs(number) <= GREATEST:  # NaN is not, either
                if not is_unscorable(number):
                    odd[row] = number
                number = UNSCORABLE
            rewards.append(number)
        if odd:
            row, number = next(iter(odd.items()))
            logger.warning(
                "%s: returned %s for %d of %d completions, counted as unscorable",
                self._where(given, row),
                number,
                len(odd),
                count,
            )
        return rewards


def guarded(guard: Guard) -> Callable[..., Any]:
    """Return the function with TRL's signature that asks it; its attribute ``guard`` is this."""

    def reward(prompts: Any, completions: Any, **columns: Any) -> list[float | None]:
        return guard.ask({"prompts": prompts, "completions": completions, **columns})

    async def async_reward(prompts: Any, completions: Any, **columns: Any) -> list[float | None]:
        return await guard.ask_async({"prompts": prompts, "completions": completions, **columns})

    chosen: Callable[..., Any] = async_reward if is_async(guard.function) else reward
    chosen = functools.update_wrapper(chosen, guard.function, updated=())
    chosen.__name__ = guard.name
    chosen.guard = guard  # type: ignore[attr-defined]
    return chosen


def is_async(function: Any) -> bool:
    """Tell whether calling it gives a coroutine, also where it is an object or a partial."""
    while isinstance(function, functools.partial):
        function = function.func
    call = type(function).__call__ if not inspect.isroutine(function) else function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _named(given: Mapping[str, Any], row: int) -> str:
    ids: Sequence[Any] = given.get("example_id") or []
    indices: Sequence[Any] = given.get("rollout_index") or []
    name = f"{ids[row]!r}" if row < len(ids) else f"number {row} of the batch"
    return name + (f" (rollout {indices[row]})" if row < len(indices) else "")
