"""From a recipe to checked parts: config, rewards and data, all before a model is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import datasets
import torch

from noisygrpo.data.checks import require_images
from noisygrpo.data.fit import fit_processor
from noisygrpo.data.sources import Loaded, load
from noisygrpo.data.splits import load_measured, overlap_lines, same_source
from noisygrpo.errors import UserError
from noisygrpo.models.loading import has_gpu, load_any_processor, lora_config
from noisygrpo.models.vision import set_pixel_limits
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.recipes.settings import DEFAULTS, in_section, refuse_elsewhere
from noisygrpo.rewards import RewardFunction, load_rewards
from noisygrpo.training.as_sampled import require_scored_as_sampled
from noisygrpo.training.batches import BatchPlan, plan_batches
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.dataset import check_dataset
from noisygrpo.training.scorable import require_scorable


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
    processor: Any
    """The model's, with the run's pixel limits."""
    data_report: list[str]
    """What was found in the data, in lines."""


def prepare(recipe: Recipe, output_dir: str, processor: Any = None) -> Prepared:
    """Check everything that needs no weights.

    ``processor``: the model's, where it is loaded already.

    Raises:
        UserError: the first thing that is wrong, with field, value and what is allowed.
    """
    config = make_config(recipe, output_dir)
    rewards, weights = load_rewards(recipe.rewards)
    lora = lora_config(recipe.model)
    loaded = load(recipe.data)
    if config.noisy:
        require_images(loaded.data, str(config.view_plan))
    measured = _measured(recipe)
    report = loaded.report + overlap_lines(loaded, measured, _other_source(recipe))
    processor = load_any_processor(recipe.model) if processor is None else processor
    require_scorable(processor)
    require_scored_as_sampled(recipe.model, processor)
    set_pixel_limits(processor, config.min_pixels, config.max_pixels)
    fitted = fit_processor(
        loaded.data,
        processor,
        loaded.where,
        recipe.data.max_prompt_tokens,
        None if loaded.seen is None else [row.sizes for row in loaded.seen],
    )
    train = fitted.data
    check_dataset(train, config, "data")
    return Prepared(
        recipe=recipe,
        config=config,
        rewards=rewards,
        weights=weights,
        train=train,
        splits={name: split.data for name, split in measured.items()},
        batch=plan_batches(config, len(train)),
        lora=lora,
        processor=processor,
        data_report=report + fitted.report,
    )


def make_config(recipe: Recipe, output_dir: str) -> NoisyGRPOConfig:
    """The trainer's config from ``method`` and ``training``.

    Where neither ``bf16`` nor ``fp16`` is given: bfloat16 on a GPU that has it, float32 elsewhere
    and with ``use_cpu``.

    Raises:
        UserError: a setting that cannot work.
    """
    given = recipe.training
    refuse_elsewhere(given)
    values = {**DEFAULTS, **given, "method": recipe.method, "output_dir": output_dir}
    gpu = has_gpu(values.get("use_cpu") is True)
    values.setdefault("dataloader_pin_memory", gpu)
    if "bf16" not in given and "fp16" not in given:
        values["bf16"] = gpu and torch.cuda.is_bf16_supported()
    key = values.pop("hub_token", None)
    if key:  # where the hub's own tools look; so it is in no file that holds the arguments
        os.environ["HF_TOKEN"] = str(key)
    try:
        return NoisyGRPOConfig(**values)
    except UserError as error:
        raise UserError(in_section(str(error))) from error


def load_splits(recipe: Recipe) -> dict[str, datasets.Dataset]:
    """Split name to its rows; {} without an evaluation section.

    Columns and prompt are those of the training data; see ``data.splits``.

    Raises:
        UserError: no such split or file, a split that is trained on, or a row that is wrong.
    """
    return {name: split.data for name, split in _measured(recipe).items()}


def _other_source(recipe: Recipe) -> bool:
    source = None if recipe.evaluation is None else recipe.evaluation.source
    return source is not None and not same_source(source, recipe.data.source)


def _measured(recipe: Recipe) -> dict[str, Loaded]:
    evaluation = recipe.evaluation
    if evaluation is None:
        return {}
    return load_measured(recipe.data, evaluation.splits, evaluation.source, evaluation.rows)
