"""``log_metric`` and ``log_extra``, by which a reward function shows more than its rewards.

TRL puts whatever it is given aside and looks at it when the batch is done, where a text among the
metrics or a column of another length ends the run in a traceback, and where ``log_metric("loss",
…)`` takes the place of the loss. Here both look at what they are given while the function runs, so
that a mistake is the function's own, with its line:

- a metric is one finite number, of Python, NumPy or torch; None and NaN log nothing, as in a reward
- a column of the table of completions has one value for each completion, in any kind of list; a
  function that gives it twice means the second
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from noisygrpo.rewards.returned import GREATEST, as_number, listed
from noisygrpo.terminal import printable

Log = Callable[..., None]

METRIC, EXTRA = "log_metric", "log_extra"

OF_THE_TRAINER = frozenset({
    "aux_loss", "cispo_clip_ratio", "entropy", "entropy_coef", "epoch", "frac_reward_zero_std",
    "grad_norm", "kl", "learning_rate", "loss", "num_input_tokens_seen", "num_tokens",
    "policy_loss", "reward", "reward_std", "step", "step_time", "tokens_per_second", "total_flos",
    "train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second",
})  # fmt: skip
"""What a step's line of metrics holds already: of a second value under the name one would be lost,
or the mean of both logged."""

GROUPS_OF_THE_TRAINER = frozenset({
    "advantage", "clip_ratio", "completions", "evaluation", "groups", "hint", "level", "memory",
    "mismatch", "noise", "reward", "rewards", "sampling", "second_view", "time", "tools", "vespo",
    "view_ratio",
})  # fmt: skip
"""What stands before the first slash of the trainer's other metrics."""

COLUMNS_OF_THE_TABLE = frozenset({
    "step", "prompt", "completion", "advantage", "example_id", "noise_level", "hint_level",
    "image", "images",
})  # fmt: skip


def nothing(*values: Any, **named: Any) -> None:
    """In the place of both where nothing is to be logged."""


def checked(given: Mapping[str, Any], count: int) -> dict[str, Log]:
    """Return those of the two that a function is given, looking at what they are called with.

    Args:
        given: what it is given.
        count: how many completions.
    """
    made: dict[str, Log] = {}
    if METRIC in given:
        made[METRIC] = _metric(given[METRIC])
    if EXTRA in given:
        made[EXTRA] = _extra(given[EXTRA], count)
    return made


def _metric(log: Log) -> Log:
    def log_metric(name: str, value: Any) -> None:
        """Log a number; TRL averages those of a step."""
        _check_name(METRIC, name)
        if name in OF_THE_TRAINER or name.partition("/")[0] in GROUPS_OF_THE_TRAINER - {name}:
            raise ValueError(f"log_metric: {name!r} is a metric of the trainer's; use another name")
        number = as_number(_alone(value))
        if isinstance(number, str):
            raise TypeError(f"log_metric({name!r}): {number} is not a number")
        if number is not None and abs(number) <= GREATEST:  # NaN is not, either
            log(name, number)

    return log_metric


def _extra(log: Log, count: int) -> Log:
    def log_extra(column: str, values: Any) -> None:
        """Log a value for each completion, as a column of the table of completions."""
        _check_name(EXTRA, column)
        if column in COLUMNS_OF_THE_TABLE:
            raise ValueError(
                f"log_extra: {column!r} is a column of the table already; use another name"
            )
        found = listed(values)
        what = f"a {type(values).__name__}" if found is None else f"{len(found)} values"
        if found is None or len(found) != count:
            raise ValueError(f"log_extra({column!r}): {what} for {count} completions")
        log(column, cells(found))

    return log_extra


def _alone(value: Any) -> Any:
    """The number of an array or a tensor of one."""
    if not hasattr(value, "tolist"):
        return value
    found = value.tolist()
    while isinstance(found, list) and len(found) == 1:
        found = found[0]
    return found


def _check_name(function: str, name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        raise TypeError(f"{function}: the name {name!r:.80} is not a text")


def cells(values: Sequence[Any]) -> list[Any]:
    """Return a column's values as numbers, or as truth values, or as texts; None stays.

    What is neither is its text, and so is every value of a column in which kinds are mixed: a table
    on disk has one kind in a column.
    """
    plain = [_plain(value) for value in values]
    kinds = {_kind(value) for value in plain if value is not None}
    if len(kinds) <= 1:
        return plain
    return [None if value is None else str(value) for value in plain]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, float)):
        return value
    if getattr(value, "ndim", None) == 0 and callable(getattr(value, "item", None)):
        return _plain(value.item())  # of NumPy or torch
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    # Halves of characters, which models write and UTF-8 has not, as in a run's other files.
    return printable(str(value).encode("utf-8", "backslashreplace").decode())


def _kind(value: Any) -> str:
    return "truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
