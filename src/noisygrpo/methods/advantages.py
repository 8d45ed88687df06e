"""Advantages: what turns the rewards of a group into the weights of its completions.

Formulas, per prompt over its scorable rollouts i = 1..n (std with ddof 1 throughout):

    gn(x)_i      = (x_i - mean(x)) / (std(x) + eps)
    grpo         A = gn(r)                                    DeepSeekMath, arXiv 2402.03300, 4.1.2
    dr_grpo      A_i = r_i - mean(r)                          Dr. GRPO, arXiv 2503.20783
    rloo         A_i = r_i - mean of the other rewards        RLOO, arXiv 2402.14740
    reinforce++  d_i = r_i - mean(r),  A_i = d_i / (std of d over all prompts + eps)
                                                              arXiv 2501.03262, with group baseline
    bayesian     z^s = gn(r),  z^n = gn(sqrt(.11) * zscore(1 - level))
                 P = alpha / (var(r) + alpha),   K = clip(P / (R + P), 0, 1)
                 A = gn(z^s + K (z^n - z^s))                  NoisyGRPO, arXiv 2510.21122
    level_baseline, slope_prior                               ours, ``methods.level_forms``

In ``bayesian`` the level is the prior on a rollout's quality, the reward the observation, and K the
weight of the *prior*: it is large (.91 with the published alpha = .01, R = .1) where all rewards
are equal, so such a group is not dead as under GRPO but pushed towards its cleanest rollout, even
if all are wrong. ``constant_groups`` chooses.

Shapes: ``rewards``, ``levels``, advantages ``[prompts, group]``; gain ``[prompts]``. Computed in
float64, returned in the dtype of ``rewards``. A NaN reward marks an unscorable completion: it is
left out of the statistics and gets advantage 0. A group whose rewards are all equal, or with one
scorable rollout, gets exactly 0 (``bayesian``: see ``constant_groups``).

Deliberate deviations from the released NoisyGRPO:
- B13: the released prior's mean .55 is left out, as it cancels; its variance .11 is kept as a
  constant, not a knob, because it cancels only up to eps and shows in the fifth digit.
- B11: groups are rows of the tensor, never inferred from equal prompt texts.
- B14: the gain is returned for a metric of its own; the fused score is not called a reward.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .declared import declare
from .group_stats import center, check_eps, constant, normalize, scorable, variance
from .level_forms import level_baseline, slope_prior
from .level_means import LevelMeans

PRIOR_STD = math.sqrt(0.11)
"""Spread that the released code gives the prior before normalising it."""

CONSTANT_GROUPS = ("prior", "zero", "prior_if_correct")


class AdvantageResult(NamedTuple):
    """What an estimator gives back."""

    advantages: Float[Tensor, "prompts group"]
    """Weight of each completion; 0 for unscorable ones."""

    gain: Float[Tensor, " prompts"] | None = None
    """Weight K of the prior, where there is one; 0 in groups where the prior had no say."""


def _prior(levels: Tensor, mask: Tensor) -> Tensor:
    """Return the prior quality 1 - level with mean 0 and variance .11 (ddof 0) over the mask."""
    deviation = center(1.0 - levels, mask)
    count = mask.sum(1, keepdim=True).clamp(min=1)
    std = (deviation.square().sum(1, keepdim=True) / count).sqrt()
    return torch.where(deviation == 0, deviation, deviation / std) * PRIOR_STD


def group_normalize(
    rewards: Float[Tensor, "prompts group"], eps: float = 1e-4, scale: bool = True
) -> Float[Tensor, "prompts group"]:
    """Return (r - mean) / (std + eps) per group, or r - mean where not ``scale`` (Dr. GRPO).

    eps: 1e-4 in TRL and NoisyGRPO, 1e-6 in NoisyRollout.
    """
    r, mask = scorable(rewards)
    advantages = normalize(r, mask, eps) if scale else center(r, mask)
    return advantages.to(rewards.dtype)


def leave_one_out(rewards: Float[Tensor, "prompts group"]) -> Float[Tensor, "prompts group"]:
    """Return r_i minus the mean of its group's other scorable rewards.

    Computed as n / (n - 1) * (r_i - mean), which is the same.
    """
    r, mask = scorable(rewards)
    count = mask.sum(1, keepdim=True)
    return (center(r, mask) * count / (count - 1).clamp(min=1)).to(rewards.dtype)


def batch_normalize(
    rewards: Float[Tensor, "prompts group"], eps: float = 1e-4
) -> Float[Tensor, "prompts group"]:
    """Return (r - group mean) / (std of these deviations over all groups + eps).

    This is REINFORCE++ with the group mean as its baseline. The result depends on which prompts
    share the batch: give it the rewards of all processes. The deviations have mean 0 by
    construction, so the published second centering does nothing and is left out.
    """
    check_eps(eps)
    r, mask = scorable(rewards)
    deviation = center(r, mask)
    std = variance(deviation.reshape(1, -1), mask.reshape(1, -1)).sqrt()
    return torch.where(deviation == 0, deviation, deviation / (std + eps)).to(rewards.dtype)


def bayesian_posterior(
    rewards: Float[Tensor, "prompts group"],
    levels: Float[Tensor, "prompts group"],
    alpha: float = 0.01,
    r: float = 0.1,
    eps: float = 1e-4,
    constant_groups: str = "prior",
    correct: Bool[Tensor, "prompts group"] | None = None,
) -> AdvantageResult:
    """Return the advantages and the gain K of NoisyGRPO's fusion of reward and noise level.

    Args:
        rewards: sum of the reward functions (published: correctness + format, in [0, 2]).
        levels: noise level of each rollout, in [0, 1].
        alpha: scale of the prior's variance; published .01.
        r: variance of the observation; published .1. Large r: GRPO (twice normalised). r = 0: the
            prior alone.
        eps: added to each standard deviation.
        constant_groups: what a group with equal rewards gets. ``prior``: the prior, as published.
            ``zero``: 0, as under GRPO. ``prior_if_correct``: the prior if any of its rollouts is
            correct, else 0.
        correct: for ``prior_if_correct`` which completions are right; without it, those with a
            reward above 0.

    Raises:
        TypeError: rewards, levels or ``correct`` are no tensors.
        ValueError: unknown ``constant_groups``, alpha or r out of range, levels of another shape or
            outside [0, 1].
    """
    _check_bayesian(rewards, levels, alpha, r, constant_groups, correct)
    reward, mask = scorable(rewards)
    z_reward = normalize(reward, mask, eps)
    z_prior = normalize(_prior(levels.to(reward), mask), mask, eps)
    prior_weight = alpha / (variance(center(reward, mask), mask) + alpha)
    gain = (prior_weight / (r + prior_weight)).clamp(0.0, 1.0)
    fused = z_reward + gain * (z_prior - z_reward)
    advantages = normalize(fused, mask, eps)

    silent = _without_prior(reward, mask, constant_groups, correct)
    advantages = advantages.masked_fill(silent[:, None], 0.0).to(rewards.dtype)
    alike = constant(levels.to(reward), mask)  # one level ranks nobody
    return AdvantageResult(
        advantages, gain[:, 0].masked_fill(silent | alike, 0.0).to(rewards.dtype)
    )


def _without_prior(
    reward: Tensor, mask: Tensor, constant_groups: str, correct: Tensor | None
) -> Bool[Tensor, " prompts"]:
    """Tell the groups that get 0: too small to compare, or constant and without a prior."""
    single = mask.sum(1) < 2
    if constant_groups == "prior":
        return single
    if constant_groups == "zero":
        return single | constant(reward, mask)
    right = (reward > 0) if correct is None else correct.to(mask)
    return single | (constant(reward, mask) & ~(right & mask).any(1))


def _check_bayesian(
    rewards: Tensor,
    levels: Tensor,
    alpha: float,
    r: float,
    constant_groups: str,
    correct: Tensor | None,
) -> None:
    if constant_groups not in CONSTANT_GROUPS:
        allowed = ", ".join(CONSTANT_GROUPS)
        raise ValueError(f"constant_groups {constant_groups!r} is not one of {allowed}")
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha {alpha!r} must be above 0 and finite")
    if not r >= 0:
        raise ValueError(f"r {r!r} must be at least 0")
    for name, value in (("levels", levels), ("correct", correct)):
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"{name} are a {type(value).__name__}; expected a tensor")
        if value is not None and value.shape != rewards.shape:
            shapes = f"{tuple(value.shape)}, rewards {tuple(rewards.shape)}"
            raise ValueError(f"{name} have shape {shapes}")
    if not ((levels >= 0) & (levels <= 1)).all():
        raise ValueError(f"levels {levels.tolist()!s:.80} are not all in [0, 1]")


def _grpo(rewards: Tensor, levels: Tensor | None = None, *, eps: float = 1e-4) -> AdvantageResult:
    return AdvantageResult(group_normalize(rewards, eps))


def _dr_grpo(rewards: Tensor, levels: Tensor | None = None) -> AdvantageResult:
    return AdvantageResult(group_normalize(rewards, scale=False))


def _rloo(rewards: Tensor, levels: Tensor | None = None) -> AdvantageResult:
    return AdvantageResult(leave_one_out(rewards))


@declare(across_groups=True)
def _reinforce(
    rewards: Tensor, levels: Tensor | None = None, *, eps: float = 1e-4
) -> AdvantageResult:
    return AdvantageResult(batch_normalize(rewards, eps))


def _bayesian(
    rewards: Tensor,
    levels: Tensor | None = None,
    *,
    alpha: float = 0.01,
    r: float = 0.1,
    eps: float = 1e-4,
    constant_groups: str = "prior",
    correct: Tensor | None = None,
) -> AdvantageResult:
    known = _known(levels, "bayesian")
    return bayesian_posterior(rewards, known, alpha, r, eps, constant_groups, correct)


def _level_baseline(
    rewards: Tensor,
    levels: Tensor | None = None,
    *,
    means: LevelMeans | None = None,
    eps: float = 1e-4,
) -> AdvantageResult:
    return AdvantageResult(level_baseline(rewards, _known(levels, "level_baseline"), means, eps))


def _slope_prior(
    rewards: Tensor,
    levels: Tensor | None = None,
    *,
    means: LevelMeans | None = None,
    strength: float = 1.0,
    sides: str = "right",
    eps: float = 1e-4,
) -> AdvantageResult:
    known = _known(levels, "slope_prior")
    return AdvantageResult(slope_prior(rewards, known, means, strength, sides, eps))


def _known(levels: Tensor | None, name: str) -> Tensor:
    if levels is None:
        raise ValueError(f"the {name} advantage needs levels, the noise level of each rollout")
    return levels


ADVANTAGES: dict[str, Callable[..., AdvantageResult]] = {
    "grpo": _grpo,
    "dr_grpo": _dr_grpo,
    "rloo": _rloo,
    "reinforce++": _reinforce,
    "bayesian": _bayesian,
    "level_baseline": _level_baseline,
    "slope_prior": _slope_prior,
}
"""Name to ``f(rewards, levels=None, **knobs) -> AdvantageResult``; the knobs are each function's
keywords. ``means``, where one is named, is what earlier batches say of levels."""
