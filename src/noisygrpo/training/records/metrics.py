"""Metrics of a step as pure functions of gathered tensors; the trainer only calls them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from noisygrpo.training.batch import Weighed

PRIOR_DRIVEN = 0.5
"""Gain above which the prior decides the direction of a group's update more than its rewards do."""


def total_rewards(
    rewards: Float[Tensor, "rollouts functions"], weights: Float[Tensor, " functions"]
) -> Float[Tensor, " rollouts"]:
    """Return the weighted sum of the scores given; NaN where no function gave one (as in TRL)."""
    total = (rewards * weights.to(rewards.device)).nansum(1)
    return total.masked_fill(rewards.isnan().all(1), torch.nan)


def advantage_metrics(weighed: Weighed) -> dict[str, float]:
    """Return the shares of dead groups, of unscorable rollouts and of those to which no reward
    function applied, and how much the prior decided.

    The gain is of the groups that have a prior: their rollouts differ in level. The prior's mass is
    the share of sum |A| in groups of equal rewards, where the prior alone speaks.
    """
    nothing = weighed.rewards.isnan().flatten()
    metrics = {
        "advantage/zero_groups": (weighed.advantages == 0).all(1).float().mean().item(),
        "advantage/unscorable": weighed.lost.float().mean().item(),
        "advantage/no_reward": (nothing & ~weighed.lost.cpu()).float().mean().item(),
    }
    ranked = ~is_constant(weighed.levels)
    if weighed.gain is not None and ranked.any():
        gain = weighed.gain[ranked]
        metrics["advantage/gain"] = gain.mean().item()
        metrics["advantage/prior_driven"] = (gain > PRIOR_DRIVEN).float().mean().item()
        mass = weighed.advantages.abs().double()
        alone = mass[is_constant(weighed.rewards)].sum()
        metrics["advantage/prior_mass"] = (alone / mass.sum().clamp(min=1e-12)).item()
    return metrics


def is_constant(values: Float[Tensor, "prompts group"]) -> Tensor:
    """Tell the groups whose numbers are all equal, NaN left out; ``bool [prompts]``."""
    low, high = values.nan_to_num(nan=torch.inf), values.nan_to_num(nan=-torch.inf)
    return low.amin(1) >= high.amax(1)


class Clock:
    """Seconds and tokens of one optimizer step, by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.tokens = 0

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the seconds within this context to one kind of work."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def flush(self) -> dict[str, float]:
        """Return the step's metrics and start anew.

        ``score`` and ``update`` are what is left of the surrounding work: ``score`` is preparing
        inputs and the old and reference log-probs, ``update`` the forward and backward of the loss.
        """
        inner = ["noise", "generate", "reward", "view_ratio"]
        inner += ["second_view"] * ("second_view" in self.seconds)
        spent = {name: self.seconds.get(name, 0.0) for name in inner}
        rollout, step = self.seconds.get("rollout", 0.0), self.seconds.get("step", 0.0)
        metrics = {f"time/{name}": value for name, value in spent.items()}
        metrics["time/score"] = max(rollout - sum(spent.values()), 0.0)
        metrics["time/update"] = max(step - rollout, 0.0)
        if self.tokens and step > 0:
            metrics["tokens_per_second"] = self.tokens / step
        if torch.cuda.is_available() and (peak := torch.cuda.max_memory_allocated()):
            metrics["memory/peak_gb"] = peak / 2**30
        self.seconds, self.tokens = {}, 0
        return metrics
