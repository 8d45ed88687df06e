"""What levels make of a batch's advantages after the estimator, and what is logged of it.

    A_i <- v_q w_i A_i, then off_view_negatives

with w of ``level_weight`` and v of ``luck_weight`` (``methods.level_forms``). Both are off by
default, and then advantages stay as they are.

Shapes: ``[prompts, group]`` over all processes.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from noisygrpo.methods.advantages import group_normalize
from noisygrpo.methods.level_forms import luck_weights, shown_weights, spare_off_view
from noisygrpo.methods.level_means import LevelMeans
from noisygrpo.own.choice import FROM_LEVELS
from noisygrpo.training.batch import Weighed
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.levels.fields import LIMIT
from noisygrpo.training.records.level_bins import LevelBins


def formed(
    weighed: Weighed,
    correct: Bool[Tensor, "prompts group"],
    means: LevelMeans,
    config: NoisyGRPOConfig,
) -> Weighed:
    """Return the batch with weights applied and negatives spared, and metrics of levels.

    Args:
        weighed: with the estimator's advantages.
        correct: which completions are right.
        means: of earlier batches.
        config: says what is on.
    """
    if not config.noisy:
        return weighed
    plain = weighed.advantages
    advantages, levels = plain.double(), weighed.levels
    metrics: dict[str, float] = {}
    by_level = LevelBins.of(config).means
    if config.level_weight == "shown":
        weights = shown_weights(levels, means, config.blind_reward)
        advantages = advantages * weights
        metrics |= by_level(weights.flatten().tolist(), levels.flatten().tolist(), "level/weight")
    if config.luck_weight < 1:
        groups = luck_weights(weighed.rewards, levels, means, config.luck_weight)
        advantages = advantages * groups[:, None]
        metrics["level/luck_weight"] = groups.mean().item()
    if config.off_view_negatives != "keep":
        limit = LIMIT if config.off_view_limit is None else config.off_view_limit
        spared = spare_off_view(advantages, levels, config.off_view_negatives, limit)
        metrics["advantage/spared"] = _share(advantages - spared, spared)
        advantages = spared
    result = replace(weighed, advantages=advantages.to(plain) if metrics else plain)
    metrics |= _of_levels(result, correct, means, by_level)
    metrics["advantage/level_driven"] = _driven(weighed, result, config)
    return replace(result, metrics=metrics)


def _driven(estimated: Weighed, result: Weighed, config: NoisyGRPOConfig) -> float:
    """Return the share of the update that is there because levels differ.

    sum |A - A0| / (sum |A - A0| + sum |A0|), with A0 what the rewards alone give: the estimator's
    advantage, or GRPO's where the estimator itself looks at levels.
    """
    looks = config.advantage in FROM_LEVELS
    alone = (group_normalize(result.rewards) if looks else estimated.advantages).double()
    return _share(result.advantages.double() - alone, alone)


def _share(moved: Tensor, rest: Tensor) -> float:
    part, whole = moved.abs().sum(), moved.abs().sum() + rest.abs().sum()
    return (part / whole.clamp(min=1e-12)).item()


def _of_levels(
    weighed: Weighed,
    correct: Bool[Tensor, "prompts group"],
    means: LevelMeans,
    by_level: Callable[..., dict[str, float]],
) -> dict[str, float]:
    """Return mean advantages by level and verdict, and what is known of levels."""
    levels = weighed.levels.flatten().tolist()
    scored = ~weighed.rewards.isnan()
    verdicts = {"": scored, "right_": scored & correct, "wrong_": scored & ~correct}
    found: dict[str, float] = {}
    for name, verdict in verdicts.items():
        values = weighed.advantages.masked_fill(~verdict, torch.nan).flatten().tolist()
        found |= by_level(values, levels, f"advantage/{name}mean")
    found |= by_level(means.curve(weighed.levels).flatten().tolist(), levels, "level/reward")
    found |= by_level(means.offset(weighed.levels).flatten().tolist(), levels, "level/offset")
    return found | {"level/certainty": means.certainty()}
