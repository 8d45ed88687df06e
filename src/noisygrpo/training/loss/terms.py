"""Terms that are added to TRL's loss, of the log-probs of TRL's own forward.

    loss = TRL's + c (w avg(g d) + h avg(-m) + e avg(-l))

    l, m    log-probs of the sampled tokens on the scored and on the second view
    d       their divergence, by ``second_estimator``; g is 1, or with ``second_gate: correct`` 1 of
            right completions and 0 of others
    w, h, e ``second_loss``, ``second_entropy``, ``sampled_entropy``
    c       1, or what ``second_loss_decay`` makes of it
    avg     over tokens as the run's loss type takes it

m is that of the sampling policy (``second_policy: old``), or of the policy that is trained: then a
micro-batch and its second view are rows of one forward. Which of l and m has a gradient in d says
``second_gradient``; m has one in avg(-m) only if it has one in d.

With w < 0, the gradient in l alone and m of the old policy, the term is PAPO's as released: that of
a pseudo-advantage a_t = -w (1 - exp(m_t - l_t)) by token, at most -w and clamped where d is 10.

``avg`` divides by what TRL divides by: all tokens of the optimizer step over all processes (dapo,
cispo, vespo), completions (grpo, sapo, luspo), completions times the longest length (dr_grpo). For
bnpo, which divides by the tokens of each micro-batch, it is all tokens as for dapo: the same number
for any micro-batch.

Shapes: B completions of a micro-batch, T tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from noisygrpo.methods.dependence import ESTIMATORS, mean_of
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.settings import in_the_loss

SECOND = "second_log_probs"
"""What a batch holds of the second view under the sampling policy: log-probs ``[B, T]``."""

GATE = "second_gate"
"""What a batch holds of the gate: 1 or 0 for each completion."""

DECAYS: dict[str, Callable[[float], float]] = {
    "none": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "first_half": lambda done: max(0.0, 1.0 - 2.0 * done),
}
"""Name to the factor on all weights after a share of the run's optimizer steps."""


@dataclass(frozen=True)
class Averaging:
    """What the tokens of a micro-batch are divided by, so that the step's terms add up."""

    loss_type: str
    longest: int  # ``max_completion_length``
    micro_batches: int  # of the optimizer step
    items: Tensor  # tokens of an optimizer step over all processes, by process

    def __call__(self, values: Float[Tensor, "B T"], mask: Tensor) -> Tensor:
        """Return this micro-batch's part of the average."""
        if self.loss_type in ("grpo", "sapo"):
            return mean_of(values, mask).mean() / self.micro_batches
        total = (values * mask).sum()
        if self.loss_type == "luspo":
            return total / (len(values) * self.micro_batches)
        if self.loss_type == "dr_grpo":
            return total / (len(values) * self.longest * self.micro_batches)
        return total / self.items


def loss_mask(inputs: dict[str, Any]) -> Tensor:
    """Return which tokens the loss is of, as TRL has it."""
    mask: Tensor = inputs["completion_mask"]
    return mask * inputs["tool_mask"] if "tool_mask" in inputs else mask


def averaging(trainer: Any, inputs: dict[str, Any]) -> Averaging:
    """Return how TRL's loss of this micro-batch is averaged."""
    args, parts = trainer.args, trainer.current_gradient_accumulation_steps
    items = inputs["num_items_in_batch"].clamp(min=1.0) / trainer.accelerator.num_processes
    items = items * parts / args.steps_per_generation
    return Averaging(str(args.loss_type), args.max_completion_length, parts, items)


@dataclass
class LossTerms:
    """The terms of a run, and the sums that its metric is made of."""

    config: NoisyGRPOConfig
    sums: Tensor | None = field(default=None)  # of d and of tokens, since the last ``flush``

    @property
    def compares(self) -> bool:
        """Whether a term takes log-probs of the second view."""
        return in_the_loss(vars(self.config))

    @property
    def current(self) -> bool:
        """Whether these are computed in every update."""
        return self.compares and self.config.second_policy == "current"

    @property
    def trains_second(self) -> bool:
        """Whether they have a gradient."""
        return self.current and self.config.second_gradient in ("second", "both")

    def __bool__(self) -> bool:
        return self.compares or bool(self.config.sampled_entropy)

    def __call__(
        self,
        inputs: dict[str, Any],
        log_probs: Float[Tensor, "B T"],
        second: Float[Tensor, "B T"] | None,
        average: Averaging,
        done: float,
        d: Float[Tensor, "B T"] | None = None,
    ) -> Tensor:
        """Return what is added to the loss of a micro-batch.

        Args:
            inputs: TRL's micro-batch, with what the second view added to it.
            log_probs: on the scored view, of the loss's own forward, with gradient.
            second: on the second view, where they are computed in every update.
            average: how tokens are averaged.
            done: share of the run's optimizer steps before this one.
            d: the divergence, where it is of whole distributions.
        """
        config, mask = self.config, loss_mask(inputs)
        term = log_probs.new_zeros(())
        if self.compares:
            second = inputs[SECOND] if second is None else second
            first = log_probs
            if config.second_gradient == "second":
                first = first.detach()
            if not self.trains_second:
                second = second.detach()
            d = ESTIMATORS[str(config.second_estimator)](first, second) if d is None else d
            self._count(d.detach(), mask)
            gate = inputs.get(GATE)
            d = d if gate is None else d * gate[:, None]
            term = term + float(config.second_loss or 0) * average(d, mask)
            if config.second_entropy:
                term = term - config.second_entropy * average(second, mask)
        if config.sampled_entropy:
            term = term - config.sampled_entropy * average(log_probs, mask)
        return term * DECAYS[str(config.second_loss_decay)](done)

    def _count(self, d: Float[Tensor, "B T"], mask: Tensor) -> None:
        sums = torch.stack(((d * mask).sum(), mask.sum())).double()
        self.sums = sums if self.sums is None else self.sums + sums

    def flush(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the mean divergence of a token over all processes, and start anew."""
        if self.sums is None:
            return {}
        (total, tokens), self.sums = reduce(self.sums).tolist(), None
        return {"second_view/divergence": total / tokens} if tokens else {}
