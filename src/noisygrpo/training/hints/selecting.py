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
from typing import Any

from jaxtyping import Float
from torch import Tensor

from noisygrpo.errors import require

Calculate = Callable[[list[Any], list[Any], list[Any], Any], Float[Tensor, "R functions"]]
"""TRL's ``_calculate_rewards``: of inputs, prompts, completions and their tokens."""


class SelectingReward:
    """One of the run's reward functions, by name."""

    def __init__(
        self,
        name: str | None,
        functions: list[Any],
        processors: list[Any],
        names: list[str],
        pending: Sequence[MutableMapping[str, Any]],
    ) -> None:
        """Take the trainer's lists.

        Args:
            name: ``hint_reward``; None is the first.
            functions, processors, names: what TRL calls, in its own lists.
            pending: where TRL keeps what functions log until the batch is done.

        Raises:
            UserError: there is no such function.
        """
        require(
            name is None or name in names,
            f"hint_reward: {name!r} is not one of the rewards {', '.join(names)}",
        )
        self.place = 0 if name is None else names.index(name)
        self._lists = (functions, processors, names)
        self._pending = pending
        self._logs = False

    def ask(self, calculate: Calculate, *arguments: Any) -> Float[Tensor, " R"]:
        """Return what this function alone says, of the completions of all processes."""
        with self._alone():
            return calculate(*arguments)[:, 0].cpu()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Leave only this function in TRL's lists, and drop what it logs."""
        kept = [list(values) for values in self._lists]
        for values in self._lists:
            values[:] = [values[self.place]]
        try:
            yield
        finally:
            for values, all_of_them in zip(self._lists, kept, strict=True):
                values[:] = all_of_them
            self._logs |= any(self._pending)
            for logged in self._pending:
                logged.clear()

    def repeat(
        self, said: list[float], calculate: Calculate, *arguments: Any
    ) -> Float[Tensor, "R functions"]:
        """Return what all functions say, this one what it said before; ``said``: of own rows."""
        if self._logs:
            return calculate(*arguments)
        functions = self._lists[0]
        own = functions[self.place]
        functions[self.place] = lambda **columns: said
        try:
            return calculate(*arguments)
        finally:
            functions[self.place] = own
