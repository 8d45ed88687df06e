"""Whether engine and learner agree where they must: on rollouts that saw the clean picture.

Per clean rollout, with log-probs of its T sampled tokens at the sampling temperature:

    m = 1/T sum_t | log pi_engine(o_t | picture) - log pi_theta(o_t | picture) |

Both are of one policy on one input, so m is rounding, unless the engine has seen another picture,
another prompt, or other weights. A noisy rollout's two sides differ by design, and are left out
(its pictures are compared by hash).

vLLM gives its log-probs with every completion. ``generate`` gives none; there, every ``EVERY``
steps, one clean rollout is scored once more, row by row and without gradient, on the very patches
that were sampled from, past all that shares prefixes or keeps features.

``LIMITS`` are far above what was measured where nothing was wrong, and below what a wrong picture
gives (docs/performance.md): by row, and of all clean rows of a step together.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import xxhash
from torch import Tensor

from noisygrpo.training.pictures.links import KEPT, LostPicture
from noisygrpo.training.views.score import on_own_view

EVERY = 50
"""Steps between two checks of ``generate``; the first step is checked."""

LIMITS = {"float32": 0.02, "half": 0.2}
"""Largest m of a row, by the lower precision of the two sides."""


@dataclass
class Mismatch:
    """Compares log-probs of clean rollouts in the loss, before the optimizer step."""

    limit: float  # infinite where the two cannot be compared
    device: torch.device  # of what is gathered
    names: dict[int, str] = field(default_factory=dict)  # row of each number in ``clean_row``
    values: list[float] = field(default_factory=list)  # m of each clean row of the step

    def numbers(self, rows: Sequence[str]) -> list[int]:
        """Return each row's number for ``clean_row``, made of its name, which is remembered."""
        found = [
            xxhash.xxh3_64_intdigest(name.encode(errors="surrogatepass")) >> 1 for name in rows
        ]
        both = [*self.names.items(), *zip(found, rows, strict=True)]
        self.names = dict(both[-KEPT:])
        return found

    def add(self, inputs: dict[str, Any], current: Tensor, step: int) -> None:
        """Compare a micro-batch; ``current`` are the loss's log-probs, on all views that it is of.

        Raises:
            LostPicture: a row's m is above the limit; it names row and step.
        """
        theirs = inputs.get("sampling_per_token_logps", inputs.get("engine_log_probs"))
        if theirs is None or "clean_row" not in inputs or math.isinf(self.limit):
            return
        ours = on_own_view(inputs, inputs.get("old_per_token_logps", current)).detach()
        mask = inputs["completion_mask"].bool() & ~theirs.isnan()
        if inputs.get("tool_mask") is not None:
            mask &= inputs["tool_mask"].bool()
        tokens = mask.sum(1)
        means = ((theirs - ours).abs().masked_fill(~mask, 0).sum(1) / tokens.clamp(min=1)).tolist()
        rows = inputs["clean_row"].tolist()
        for row, many, mean in zip(rows, tokens.tolist(), means, strict=True):
            if row >= 0 and many:
                self.values.append(mean)
                self._require(mean, row, step)

    def _require(self, mean: float, row: int, step: int) -> None:
        if not mean <= self.limit:
            name = self.names.get(row)
            raise LostPicture(
                f"step {step}: row {name!r}: the engine's log-probs of a rollout on the "
                f"clean picture are {mean:.3g} a token away from the learner's (limit "
                f"{self.limit:g}): it saw another picture, prompt or weights; stopped before the "
                "optimizer step"
            )

    def flush(self, gather: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the step's metrics over all processes, which take part, and start anew."""
        values, self.values = self.values, []
        own = [sum(values), float(len(values)), max(values, default=0.0)]
        sums, counts, most = gather(torch.tensor([own], device=self.device)).unbind(1)
        if not counts.sum():
            return {}
        mean = sums.sum() / counts.sum()
        return {"mismatch/mean": mean.item(), "mismatch/max": most.max().item()}
