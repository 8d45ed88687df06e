"""The reward that selects a hint level, asked alone, and not twice for the same completion.

Hints are chosen by ``hint_reward`` before TRL asks all reward functions about the trained
completions. What it said of these is kept and not asked again, unless it logs columns or metrics
of its own, which belong to the trained completions.

TRL calls the functions in three lists of its trainer; here these lists are changed in place, for
one call.

Shapes: R rollouts over all processes.
"""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from noisygrpo.errors import require

Calculate = Callable[[list[Any], list[Any], list[Any], Any], Float[Tensor, "R functions"]]
"""TRL's ``_calculate_rewards``: of inputs, prompts, completions and their tokens."""


@dataclass
class SelectingReward:
    """One of the run's reward functions, by name; ``UserError`` where there is none of the name."""

    name: str | None  # ``hint_reward``; None is the first
    functions: list[Any]  # what TRL calls, in the trainer's own lists
    processors: list[Any]
    names: list[str]
    pending: Sequence[MutableMapping[str, Any]]  # what functions log, until the batch is done
    logs: bool = False  # whether this function has logged anything

    def __post_init__(self) -> None:
        """Find the function."""
        name, names = self.name, self.names
        require(
            name is None or name in names,
            f"hint_reward: {name!r} is not one of the rewards {', '.join(names)}",
        )
        self.place = 0 if name is None else names.index(name)

    def ask(self, calculate: Calculate, *arguments: Any) -> Float[Tensor, " R"]:
        """Return what this function alone says, of the completions of all processes."""
        with self._alone():
            return calculate(*arguments)[:, 0].cpu()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Leave only this function in TRL's lists, and drop what it logs."""
        lists = (self.functions, self.processors, self.names)
        kept = [list(values) for values in lists]
        for values in lists:
            values[:] = [values[self.place]]
        try:
            yield
        finally:
            for values, every in zip(lists, kept, strict=True):
                values[:] = every
            self.logs |= any(self.pending)
            for logged in self.pending:
                logged.clear()

    def repeat(
        self, said: list[float], calculate: Calculate, *arguments: Any
    ) -> Float[Tensor, "R functions"]:
        """Return what all functions say, this one what it said before; ``said``: of own rows."""
        if self.logs:
            return calculate(*arguments)
        own = self.functions[self.place]
        self.functions[self.place] = lambda **columns: said
        try:
            return calculate(*arguments)
        finally:
            self.functions[self.place] = own
