"""Advantages that know what a noise level costs, and what else is made of that.

The published Bayesian advantage holds a fixed belief: cleaner is better. Here what is believed is
measured, from the rewards of earlier batches (``level_means``: p(n) the reward that a level leaves,
o(n) its offset beside its group, phi in [0, 1] how sure it is that noise costs reward). With z =
gn(r) of ``advantages``, u = (r - min) / (max - min) within the group, and c, w, v as below:

    level_baseline   A_i = (u_i - b_i) / (std(u) + eps / (max r - min r))
                     b_i = sigmoid(a + o(n_i)), a such that sum_i b_i = sum_i u_i
    slope_prior      A_i = max(0, z_i + c_i) where z_i > 0, else z_i
                     c_i = strength phi clip((p(n_i) - mean_j p(n_j)) / (std(r) + eps), -1, 1)
                     sides both: A_i = min(0, z_i + c_i) where z_i < 0
    shown_weights    w_i = 1 - phi (1 - clip((p(n_i) - blind) / (p(0) - blind), 0, 1))
    luck_weights     v_q = 1 - phi (1 - least) (1 - clip(((m d + e) / (m + 1)) / e, 0, 1))
                     d = mean r of the group's cleanest rollouts - mean r of its noisiest,
                     m the fewer of the two counts, e = p(cleanest) - p(noisiest)
    spare_off_view   A_i -> 0 (zero) or max(A_i, -limit) (clip) where A_i < 0 and n_i > 0

``level_baseline``: b is the share of right answers that a question this easy gives at this level; a
wrong answer under heavy noise is then not the completion's fault, and where a level leaves nothing
it costs nothing. b lies in (0, 1): the group's best answer never has a negative advantage, its
worst never a positive one. Once the offsets fit, the mean advantage of every level is 0.

``slope_prior``: among right answers those on pictures that show more count more; no sign changes,
|A| <= |z| + strength, and it falls silent where noise costs nothing.

``shown_weights``: what is right though nothing was to be seen was luck and teaches little.

``luck_weights``: a group whose noisiest rollouts are right as often as its cleanest is answered
without looking, and teaches less. d is drawn towards e by one pair of rollouts.

Without means of earlier batches, with levels that are all equal within the group, and in a first
batch the first two are GRPO's advantage and the weights 1. Groups of equal rewards get exactly 0
from the first two. A NaN reward is unscorable: outside all statistics, advantage 0, weight 1.

Shapes: ``rewards``, ``levels``, advantages, weights ``[prompts, group]``; group weights
``[prompts]``. Computed in float64, returned in the dtype of ``rewards``.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .group_stats import center, constant, normalize, scorable, variance
from .level_means import LevelMeans, expected_share, shares

SIDES = ("right", "both")

OFF_VIEW_NEGATIVES = ("keep", "zero", "clip")


def level_baseline(
    rewards: Float[Tensor, "prompts group"],
    levels: Float[Tensor, "prompts group"],
    means: LevelMeans | None = None,
    eps: float = 1e-4,
) -> Float[Tensor, "prompts group"]:
    """Return GRPO's advantage with a baseline for each level (see the module).

    Raises:
        ValueError: levels of another shape than the rewards.
    """
    _same_shape(rewards, levels)
    r, mask = scorable(rewards)
    advantages = normalize(r, mask, eps)
    n = levels.double()
    rows = ~(constant(r, mask) | constant(n, mask))
    if means is None or not rows.any():
        return advantages.to(rewards.dtype)
    r, mask, n = r[rows], mask[rows], n[rows]
    u = shares(r, mask)
    b = expected_share(u, means.offset(n), mask)
    spread = _spread(r, mask)
    std = variance(center(u, mask), mask).sqrt() + eps / spread
    advantages[rows] = ((u - b) / std).masked_fill(~mask, 0.0)
    return advantages.to(rewards.dtype)


def slope_prior(
    rewards: Float[Tensor, "prompts group"],
    levels: Float[Tensor, "prompts group"],
    means: LevelMeans | None = None,
    strength: float = 1.0,
    sides: str = "right",
    eps: float = 1e-4,
) -> Float[Tensor, "prompts group"]:
    """Return GRPO's advantage moved by what levels were seen to cost (see the module).

    Args:
        rewards, levels: of the groups.
        means: of earlier batches.
        strength: largest move, in standard deviations of the group's rewards; at least 0.
        sides: ``right`` moves advantages above 0 alone, ``both`` the others too (as published:
            wrong answers on noisier pictures are pushed down harder).
        eps: added to each standard deviation.

    Raises:
        ValueError: another shape of levels, another name of sides, a negative strength.
    """
    _same_shape(rewards, levels)
    if sides not in SIDES:
        raise ValueError(f"sides {sides!r} is not one of {', '.join(SIDES)}")
    if not 0 <= strength < math.inf:
        raise ValueError(f"strength {strength!r} must be at least 0 and finite")
    r, mask = scorable(rewards)
    z = normalize(r, mask, eps)
    if means is None:
        return z.to(rewards.dtype)
    expected = center(means.curve(levels).nan_to_num(0.0), mask)
    std = variance(center(r, mask), mask).sqrt() + eps
    moved = z + strength * means.certainty() * (expected / std).clamp(-1.0, 1.0)
    wrong = moved.clamp(max=0.0) if sides == "both" else z
    advantages = torch.where(z > 0, moved.clamp(min=0.0), torch.where(z < 0, wrong, z))
    return advantages.to(rewards.dtype)


def shown_weights(
    levels: Float[Tensor, "prompts group"], means: LevelMeans, blind: float | None = None
) -> Float[Tensor, "prompts group"]:
    """Return w in [0, 1]: what a level still shows, of the way from ``blind`` to the clean picture.

    Args:
        levels: of the rollouts.
        means: of earlier batches.
        blind: reward without a picture; ``None`` is p at the noisiest level, which then weighs 0.
    """
    clean, least = means.ends()
    least = least if blind is None else blind
    certainty = means.certainty()
    if not clean > least or certainty == 0:
        return torch.ones_like(levels, dtype=torch.float64)
    left = ((means.curve(levels) - least) / (clean - least)).clamp(0.0, 1.0)
    return 1.0 - certainty * (1.0 - left)


def luck_weights(
    rewards: Float[Tensor, "prompts group"],
    levels: Float[Tensor, "prompts group"],
    means: LevelMeans,
    least: float = 0.0,
) -> Float[Tensor, " prompts"]:
    """Return v in [least, 1]: how much of its group's reward hangs on the picture.

    Raises:
        ValueError: levels of another shape, ``least`` outside [0, 1].
    """
    _same_shape(rewards, levels)
    if not 0 <= least <= 1:
        raise ValueError(f"least {least!r} must be in [0, 1]")
    r, mask = scorable(rewards)
    n = levels.double()
    low = n.masked_fill(~mask, torch.inf).amin(1, keepdim=True)
    high = n.masked_fill(~mask, -torch.inf).amax(1, keepdim=True)
    clean, noisy = mask & (n == low), mask & (n == high)
    expected = (means.curve(low.clamp(0, 1)) - means.curve(high.clamp(0, 1)))[:, 0]
    certainty = means.certainty()
    pairs = torch.minimum(clean.sum(1), noisy.sum(1)).double()
    gap = _mean(r, clean) - _mean(r, noisy)
    told = (low < high)[:, 0] & (expected > 0)
    share = ((pairs * gap + expected) / (pairs + 1.0) / expected).clamp(0.0, 1.0)
    lost = certainty * (1.0 - least) * (1.0 - share)
    return 1.0 - lost.masked_fill(~told, 0.0)


def spare_off_view(
    advantages: Float[Tensor, "prompts group"],
    levels: Float[Tensor, "prompts group"],
    how: str = "zero",
    limit: float = 0.25,
) -> Float[Tensor, "prompts group"]:
    """Return the advantages with those below 0 of noisy rollouts left out, or bounded.

    Args:
        advantages: of any estimator.
        levels: of the rollouts; 0 is the clean picture.
        how: ``keep``, ``zero``, or ``clip`` at ``-limit``.
        limit: at least 0.

    Raises:
        ValueError: another name, a negative limit.
    """
    if how not in OFF_VIEW_NEGATIVES:
        raise ValueError(f"how {how!r} is not one of {', '.join(OFF_VIEW_NEGATIVES)}")
    if not limit >= 0:
        raise ValueError(f"limit {limit!r} must be at least 0")
    if how == "keep":
        return advantages
    least = 0.0 if how == "zero" else -limit
    return torch.where((levels > 0).to(advantages.device), advantages.clamp(min=least), advantages)


def _spread(r: Tensor, mask: Tensor) -> Float[Tensor, "prompts 1"]:
    high = r.masked_fill(~mask, -torch.inf).amax(1, keepdim=True)
    return high - r.masked_fill(~mask, torch.inf).amin(1, keepdim=True)


def _mean(r: Tensor, mask: Tensor) -> Float[Tensor, " prompts"]:
    return r.masked_fill(~mask, 0.0).sum(1) / mask.sum(1).clamp(min=1)


def _same_shape(rewards: Tensor, levels: Tensor) -> None:
    if levels.shape != rewards.shape:
        raise ValueError(f"levels have shape {tuple(levels.shape)}, rewards {tuple(rewards.shape)}")
