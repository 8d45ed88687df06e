"""From a recipe to checked parts: config, rewards and data, all before a model is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import datasets
import torch

from noisygrpo.budget import BatchPlan, plan_batches
from noisygrpo.data.sources import DataSpec, load_examples
from noisygrpo.errors import UserError, require
from noisygrpo.recipe import Recipe
from noisygrpo.rewards.functions import load_rewards
from noisygrpo.schema import nearest
from noisygrpo.training.config import METHODS, NoisyGRPOConfig
from noisygrpo.training.run import check_dataset

DEFAULTS: dict[str, Any] = {"report_to": "none", "logging_steps": 1, "disable_tqdm": True}
"""Training fields that a recipe need not name: everything is written to the run's own folder."""

Reward = Callable[..., list[float | None]]


@dataclass(frozen=True)
class Prepared:
    """The checked parts of a run."""

    recipe: Recipe
    config: NoisyGRPOConfig
    rewards: list[Reward]
    weights: list[float]
    train: datasets.Dataset
    splits: dict[str, datasets.Dataset]
    """Rows to evaluate on, by name."""
    batch: BatchPlan


def prepare(recipe: Recipe, output_dir: str) -> Prepared:
    """Check everything that needs no model.

    Raises:
        UserError: the first thing that is wrong, with field, value and what is allowed.
    """
    config = make_config(recipe, output_dir)
    rewards, weights = load_rewards(recipe.rewards)
    train = load_examples(recipe.data)
    check_dataset(train, config, "data")
    return Prepared(
        recipe=recipe,
        config=config,
        rewards=rewards,
        weights=weights,
        train=train,
        splits={name: load_examples(spec) for name, spec in evaluation_specs(recipe).items()},
        batch=plan_batches(config, len(train)),
    )


def make_config(recipe: Recipe, output_dir: str) -> NoisyGRPOConfig:
    """The trainer's config from ``method`` and ``training``.

    Where neither ``bf16`` nor ``fp16`` is given: bfloat16 on a GPU that has it, float32 elsewhere.

    Raises:
        UserError: a setting that cannot work.
    """
    require(
        recipe.method in METHODS,
        f"method: {recipe.method!r} is not known{nearest(recipe.method, METHODS)}",
    )
    given = recipe.training
    require(
        "reward_weights" not in given,
        "training.reward_weights: give each reward its weight under rewards",
    )
    values = {**DEFAULTS, **given, "method": recipe.method, "output_dir": output_dir}
    if "bf16" not in given and "fp16" not in given:
        values["bf16"] = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    try:
        return NoisyGRPOConfig(**values)
    except UserError as error:
        raise UserError(f"training.{str(error).removeprefix('training: ')}") from error


def evaluation_specs(recipe: Recipe) -> dict[str, DataSpec]:
    """Split name to what is loaded for it; {} without an evaluation section.

    Columns and prompt are those of the training data. The seed is 0 whatever ``data.seed`` is, so
    that runs with different seeds are measured on the same rows.
    """
    evaluation = recipe.evaluation
    if evaluation is None:
        return {}
    source = evaluation.source or recipe.data.source
    return {
        name: replace(
            recipe.data,
            source=source,
            split=name,
            limit=evaluation.rows,
            shuffle=evaluation.rows is not None,
            seed=0,
        )
        for name in evaluation.splits
    }
