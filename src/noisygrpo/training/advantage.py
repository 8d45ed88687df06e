"""From a batch's rewards to its advantages: the estimator of ``methods.advantages`` by its name.

``advantage: grpo`` keeps TRL's float32 numbers bit for bit, except that a group whose rewards are
all equal gets exactly 0 (the rounding of a float32 mean can leave 1e-3 there). The other estimators
are computed in float64. Their knobs are the keywords of their functions, and fields of the config.

Shapes: R rollouts over all processes, B of this one; ``[prompts, group]`` over all processes.
"""

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from jaxtyping import Bool, Float
from torch import Tensor

from noisygrpo.errors import require
from noisygrpo.methods.advantages import ADVANTAGES, AdvantageResult, group_normalize
from noisygrpo.methods.level_means import LevelMeans
from noisygrpo.own.choice import is_own
from noisygrpo.own.resolve import resolved, takes
from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.levels.forms import formed
from noisygrpo.training.records.metrics import is_constant, total_rewards
from noisygrpo.training.released import EPSILON, is_released

logger = logging.getLogger(__name__)

FIELDS = {"alpha": "bayes_alpha", "r": "bayes_r"}
"""Keyword of an estimator to the config's field, where they have different names."""


def weigh(
    batch: Batch,
    config: NoisyGRPOConfig,
    names: Sequence[str],
    weights: Float[Tensor, " functions"],
    trl: Float[Tensor, " R"],
    estimator: Callable[..., AdvantageResult],
    means: LevelMeans,
    bonus: Float[Tensor, " R"] | None = None,
) -> Weighed:
    """Return the advantages of the whole batch; nothing remembers that it was asked.

    Args:
        batch: this process's rollouts with their levels, and the rewards of all processes.
        config: names the estimator and holds its knobs.
        names: of the reward functions.
        weights: of these.
        trl: the advantages that TRL computed from the same rewards.
        estimator: what ``advantage`` names, with its knobs.
        means: rewards by level of the batches before this one.
        bonus: added to the rewards, where something is; TRL's advantages are then not taken.
    """
    shape = (-1, config.num_generations)
    parts = batch.rewards.cpu().unflatten(0, shape)
    rewards = total_rewards(batch.rewards, weights).cpu().unflatten(0, shape)
    if bonus is not None:
        rewards = rewards + bonus.cpu().view_as(rewards)
    own = [rollout.view.level for rollout in batch.rollouts]
    levels = torch.tensor(gather_object(own), dtype=torch.float64).view_as(rewards)
    correct = parts[..., correct_column(names, config)] >= config.correct_at
    told = correct, means
    result = _estimated(parts, rewards, levels, config, trl, estimator, *told, bonus is None)
    weighed = Weighed(rewards, levels, result.advantages, batch.lost, result.gain)
    return formed(weighed, *told, config)


def _estimated(
    parts: Float[Tensor, "prompts group functions"],
    rewards: Float[Tensor, "prompts group"],
    levels: Float[Tensor, "prompts group"],
    config: NoisyGRPOConfig,
    trl: Float[Tensor, " R"],
    estimator: Callable[..., AdvantageResult],
    correct: Bool[Tensor, "prompts group"],
    means: LevelMeans,
    as_trl: bool,
) -> AdvantageResult:
    """Return what the estimator makes of rewards and levels; TRL's numbers where it is TRL's."""
    if is_released(vars(config), "epsilon"):
        return AdvantageResult(group_normalize(rewards, EPSILON))
    if as_trl and estimator is ADVANTAGES["grpo"]:  # without knobs, which TRL does not take
        silent = is_constant(rewards)
        if config.multi_objective_aggregation == "normalize_then_sum":
            # Each function is normalised alone there, so equal sums can be of unequal parts.
            silent = torch.stack([is_constant(part) for part in parts.unbind(-1)]).all(0)
        return AdvantageResult(trl.cpu().view_as(rewards).masked_fill(silent[:, None], 0.0))
    offered = {"correct": correct, "means": means}
    taken = {name: value for name, value in offered.items() if takes(estimator, name)}
    return estimator(rewards, levels=levels, **knobs(estimator, config), **taken)


def beats_the_clean(
    batch: Batch, weighed: Weighed, names: Sequence[str], config: NoisyGRPOConfig
) -> Bool[Tensor, " R"] | None:
    """Tell the noisy rollouts whose correctness is above the lowest clean one of their group.

    NoisyGRPO's ``mask_noise_correct``; None where the run does not bring that back. Without a clean
    rollout none is above, and none whose correctness is not known.
    """
    if not is_released(vars(config), "mask_noise_correct"):
        return None
    column = batch.rewards[:, correct_column(names, config)].cpu().view_as(weighed.rewards)
    clean = weighed.levels == 0
    lowest = column.masked_fill(~clean, torch.inf).nan_to_num(torch.inf).amin(1, keepdim=True)
    return (~clean & (column > lowest)).flatten()


def knobs(estimator: Callable[..., Any], config: NoisyGRPOConfig) -> dict[str, Any]:
    """Return the estimator's keywords that the config has a field for, with their values."""
    fields = {name: FIELDS.get(name, name) for name in inspect.signature(estimator).parameters}
    return {name: vars(config)[field] for name, field in fields.items() if field in vars(config)}


def correct_column(names: Sequence[str], config: NoisyGRPOConfig) -> int:
    """Return which reward function says what is correct: ``correct_reward``, or the first that is
    no format.

    Raises:
        UserError: there is no such function.
    """
    wanted, listed = config.correct_reward, ", ".join(names)
    require(
        wanted is None or wanted in names,
        f"correct_reward: {wanted!r} is not one of the rewards {listed}",
    )
    if wanted is not None:
        return names.index(wanted)
    return next((place for place, name in enumerate(names) if "format" not in name), 0)


def check_correct(names: Sequence[str], config: NoisyGRPOConfig) -> None:
    """Refuse a ``correct_reward`` that is not there; say which one it is where that is a choice."""
    own = is_own("advantage", config.advantage) and takes(resolved(config, "advantage"), "correct")
    if own or config.constant_groups == "prior_if_correct":
        name, asks = names[correct_column(names, config)], "advantage" if own else "constant_groups"
        if config.correct_reward is None and sum("format" not in other for other in names) > 1:
            logger.warning("%s: correct is what reward %r says (correct_reward)", asks, name)
