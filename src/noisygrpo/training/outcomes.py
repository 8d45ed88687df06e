"""Rewards that say nothing, and what becomes of them: the two meanings apart.

``None``: the function does not apply, as in TRL; it is skipped in the sum. ``UNSCORABLE``: it
applies and could not be found out (``rewards.outcome``); the rollout leaves its group's statistics,
gets advantage 0 and is counted. A function that applies to some rollouts of a prompt and not to
others makes their sums mean different things: it is named once, and ``reward_missing`` says what is
done.

Shapes: R rollouts over all processes, in groups of G; the numbers of TRL's ``_calculate_rewards``.
"""

import logging
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from noisygrpo.rewards.outcome import UNSCORABLE_BITS

logger = logging.getLogger(__name__)

MISSING = ("skip", "zero", "unscorable")
"""What a reward is that a function gives for some rollouts of a prompt only."""


def settle(
    rewards: Float[Tensor, "R functions"],
    names: Sequence[str],
    group: int,
    missing: str,
    named: set[str],
) -> tuple[Float[Tensor, "R functions"], Bool[Tensor, " R"]]:
    """Return the rewards with every unscorable rollout NaN in all columns, and which these are.

    Args:
        rewards: float32; NaN is None, or ``UNSCORABLE`` by its bits.
        names: of the functions.
        group: G.
        missing: one of ``MISSING``.
        named: functions that were named already; those named now are added.
    """
    lost = (rewards.contiguous().view(torch.int32) == UNSCORABLE_BITS).any(1)
    absent = rewards.isnan() & ~lost[:, None]
    given = (~absent & ~lost[:, None]).unflatten(0, (-1, group)).any(1)
    partly = absent & given.repeat_interleave(group, 0)
    for name, some in zip(names, partly.any(0).tolist(), strict=True):
        if some and name not in named:
            named.add(name)
            logger.warning(
                "reward %r gives None for some completions of a prompt and a number for others; "
                "reward_missing: %s",
                name,
                missing,
            )
    if missing == "zero":
        rewards = rewards.masked_fill(partly, 0.0)
    elif missing == "unscorable":
        lost = lost | partly.any(1)
    return rewards.masked_fill(lost[:, None], torch.nan), lost
