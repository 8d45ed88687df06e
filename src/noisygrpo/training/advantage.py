"""From a batch's rewards to its advantages: the estimator of ``methods.advantages`` by its name.

``advantage: grpo`` keeps TRL's float32 numbers bit for bit, except that a group whose rewards are
all equal gets exactly 0 (the rounding of a float32 mean can leave 1e-3 there). The other estimators
are computed in float64. Their knobs are the keywords of their functions, and fields of the config.

Shapes: R rollouts over all processes, B of this one; ``[prompts, group]`` over all processes.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from accelerate.utils import gather_object
from jaxtyping import Float
from torch import Tensor

from noisygrpo.methods.advantages import ADVANTAGES, AdvantageResult
from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.records.metrics import is_constant, total_rewards

FIELDS = {"alpha": "bayes_alpha", "r": "bayes_r"}
"""Keyword of an estimator to the config's field, where they have different names."""


def weigh(
    batch: Batch,
    config: NoisyGRPOConfig,
    weights: Float[Tensor, " functions"],
    trl: Float[Tensor, " R"],
) -> Weighed:
    """Return the advantages of the whole batch.

    Args:
        batch: this process's rollouts with their levels, and the rewards of all processes.
        config: names the estimator and holds its knobs.
        weights: of the functions.
        trl: the advantages that TRL computed from the same rewards.
    """
    shape = (-1, config.num_generations)
    rewards = total_rewards(batch.rewards, weights).cpu().unflatten(0, shape)
    own = [rollout.view.level for rollout in batch.rollouts]
    levels = torch.tensor(gather_object(own), dtype=torch.float64).view_as(rewards)
    if config.advantage == "grpo":
        published = trl.cpu().view_as(rewards)
        result = AdvantageResult(published.masked_fill(is_constant(rewards)[:, None], 0.0))
    else:
        estimator = ADVANTAGES[str(config.advantage)]
        result = estimator(rewards, levels=levels, **knobs(estimator, config))
    return Weighed(rewards, levels, *result)


def knobs(estimator: Callable[..., Any], config: NoisyGRPOConfig) -> dict[str, Any]:
    """Return the estimator's keywords that the config has a field for, with their values."""
    fields = {name: FIELDS.get(name, name) for name in inspect.signature(estimator).parameters}
    return {name: vars(config)[field] for name, field in fields.items() if field in vars(config)}
