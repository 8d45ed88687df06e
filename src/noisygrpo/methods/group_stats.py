"""Means and spreads within groups, with a mask of what counts.

Shapes: ``[prompts, group]``, in float64. A group whose entries are all equal has deviations of
exactly 0.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def scorable(
    rewards: Float[Tensor, "prompts group"],
) -> tuple[Float[Tensor, "prompts group"], Bool[Tensor, "prompts group"]]:
    """Return the rewards in float64 and the mask of scorable ones.

    Raises:
        TypeError: they are no tensor.
        ValueError: another shape than [prompts, group], a group of none, no floats, infinity.
    """
    if not isinstance(rewards, Tensor):
        raise TypeError(f"rewards are a {type(rewards).__name__}; expected a tensor")
    if rewards.ndim != 2 or rewards.shape[1] == 0:
        raise ValueError(f"rewards have shape {tuple(rewards.shape)}; expected [prompts, group]")
    if not rewards.is_floating_point():
        raise ValueError(f"rewards have dtype {rewards.dtype}; expected a floating-point one")
    if torch.isinf(rewards).any():
        raise ValueError("rewards contain infinity; they must be finite, or NaN where unscorable")
    return rewards.double(), ~torch.isnan(rewards)


def center(x: Tensor, mask: Tensor) -> Float[Tensor, "prompts group"]:
    """Return x - mean over the mask; exactly 0 in constant groups and outside the mask."""
    count = mask.sum(1, keepdim=True).clamp(min=1)
    deviation = x - x.masked_fill(~mask, 0.0).sum(1, keepdim=True) / count
    # The mean of equal numbers need not equal them in floating point, and dividing by eps would
    # blow the rest up.
    return deviation.masked_fill(~mask | constant(x, mask)[:, None], 0.0)


def constant(x: Tensor, mask: Tensor) -> Bool[Tensor, " prompts"]:
    """Tell the groups whose entries under the mask are all equal (also: one entry, none)."""
    low, high = x.masked_fill(~mask, torch.inf).amin(1), x.masked_fill(~mask, -torch.inf).amax(1)
    return low >= high


def variance(deviation: Tensor, mask: Tensor) -> Float[Tensor, "prompts 1"]:
    """Return the variance with ddof 1 of centered values; 0 for a group of one."""
    return deviation.square().sum(1, keepdim=True) / (mask.sum(1, keepdim=True) - 1).clamp(min=1)


def check_eps(eps: float) -> None:
    """Raise ``ValueError`` for an eps that is negative or not finite."""
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps {eps!r} must be at least 0 and finite")


def normalize(x: Tensor, mask: Tensor, eps: float) -> Float[Tensor, "prompts group"]:
    """Return the deviations over their group's standard deviation plus eps.

    Raises:
        ValueError: eps is negative or not finite.
    """
    check_eps(eps)
    deviation = center(x, mask)
    # Where, because eps = 0 is allowed and a constant group would be 0 / 0.
    return torch.where(
        deviation == 0, deviation, deviation / (variance(deviation, mask).sqrt() + eps)
    )
