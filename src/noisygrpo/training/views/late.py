"""Dependence whose scored side is the loss's own forward, so that it costs none of its own.

Where nothing is made of visual dependence before the update, it can wait: a batch is used up within
one optimizer step, so the first forward of its loss is by the policy that sampled (TRL takes the
same log-probs for the old ones). Its micro-batches, wherever shuffling put their rows, fill in

    d[b, t] = estimator(log-prob of the loss, log-prob on the second view)

and when all rows are there, before the optimizer step, the rollouts are written down.

Shapes: B rollouts of this process, b rows of a micro-batch, T completion tokens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from noisygrpo.training.finite import NonFiniteError

ROW = "rollout_row"
"""What a batch holds of the place that a row had before it was shuffled: ``[B]``."""


@dataclass
class Late:
    """Fills in the dependence of one batch after the other, and then calls what waits for it."""

    there: Callable[[Tensor, Tensor], None] | None = None  # takes d and mask, both ``[B, T]``
    write: Callable[[], None] | None = None  # writes the batch's rollouts down
    d: Float[Tensor, "B T"] = field(default_factory=lambda: torch.empty(0))
    mask: Tensor = field(default_factory=lambda: torch.empty(0))  # 1 of tokens, ``[B, T]``
    left: int = 0  # rows that are not filled in; 0 where no batch waits

    def wait(self, output: dict[str, Any], there: Callable[[Tensor, Tensor], None]) -> None:
        """Let a scored batch wait for its loss, and mark its rows; ``there`` takes the result."""
        self.mask = output["completion_mask"]
        self.there, self.left = there, len(self.mask)
        output[ROW] = torch.arange(self.left, device=self.mask.device)
        self.d = torch.zeros(self.mask.shape, device=self.mask.device)

    def then(self, write: Callable[[], None]) -> None:
        """Write the rollouts down with ``write``: now, or when their dependence is known."""
        if not self.left:
            write()
        else:
            self.write = write

    def add(self, inputs: dict[str, Any], d: Float[Tensor, "b T"]) -> None:
        """Fill in the dependence of a micro-batch, without gradient."""
        self.d = self.d.to(d.dtype).index_copy(0, inputs[ROW], d)
        self.left -= len(d)
        if not self.left and self.there is not None:
            self.there(self.d, self.mask)
            self._end()

    @contextmanager
    def not_lost(self) -> Iterator[None]:
        """Within this context a loss that is no number leaves the rollouts written down."""
        try:
            yield
        except NonFiniteError:  # which all processes raise together
            self._end()
            raise

    def _end(self) -> None:
        write, self.write, self.left = self.write, None, 0
        if write is not None:
            write()
