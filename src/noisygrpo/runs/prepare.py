"""From a recipe to checked parts: config, rewards and data, all before a model is loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import datasets
import torch

from noisygrpo.data.sources import load_examples
from noisygrpo.errors import UserError
from noisygrpo.models.loading import lora_config
from noisygrpo.models.spec import PLAYGROUND
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.recipes.settings import DEFAULTS, in_section, refuse_elsewhere
from noisygrpo.rewards import RewardFunction, load_rewards
from noisygrpo.training.batches import BatchPlan, plan_batches
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.dataset import check_dataset


@dataclass(frozen=True)
class Prepared:
    """The checked parts of a run."""

    recipe: Recipe
    config: NoisyGRPOConfig
    rewards: list[RewardFunction]
    weights: list[float]
    train: datasets.Dataset
    splits: dict[str, datasets.Dataset]
    """Rows to evaluate on, by name."""
    batch: BatchPlan
    lora: Any | None
    """``peft.LoraConfig``, or None."""


def prepare(recipe: Recipe, output_dir: str) -> Prepared:
    """Check everything that needs no model.

    Raises:
        UserError: the first thing that is wrong, with field, value and what is allowed.
    """
    config = make_config(recipe, output_dir)
    rewards, weights = load_rewards(recipe.rewards)
    lora = lora_config(recipe.model)
    train = load_examples(recipe.data)
    check_dataset(train, config, "data")
    return Prepared(
        recipe=recipe,
        config=config,
        rewards=rewards,
        weights=weights,
        train=train,
        splits=load_splits(recipe),
        batch=plan_batches(config, len(train)),
        lora=lora,
    )


def make_config(recipe: Recipe, output_dir: str) -> NoisyGRPOConfig:
    """The trainer's config from ``method`` and ``training``.

    Where neither ``bf16`` nor ``fp16`` is given: bfloat16 on a GPU that has it, float32 elsewhere.

    Raises:
        UserError: a setting that cannot work.
    """
    given = recipe.training
    refuse_elsewhere(given)
    values = {**DEFAULTS, **given, "method": recipe.method, "output_dir": output_dir}
    values.setdefault("dataloader_pin_memory", torch.cuda.is_available())
    if "bf16" not in given and "fp16" not in given:
        values["bf16"] = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    try:
        return NoisyGRPOConfig(**values)
    except UserError as error:
        raise UserError(in_section(str(error))) from error


def load_splits(recipe: Recipe) -> dict[str, datasets.Dataset]:
    """Split name to its rows; {} without an evaluation section.

    Columns and prompt are those of the training data. The seed is 0 whatever ``data.seed`` is, so
    that runs with different seeds are measured on the same rows.

    Raises:
        UserError: no such split or file, or a row that is wrong.
    """
    evaluation = recipe.evaluation
    if evaluation is None:
        return {}
    spec = replace(
        recipe.data,
        source=evaluation.source or recipe.data.source,
        limit=evaluation.rows,
        shuffle=evaluation.rows is not None and recipe.data.source != PLAYGROUND,
        seed=0,
    )
    return {name: load_examples(replace(spec, split=name)) for name in evaluation.splits}
