"""Putting a run together: from loaded parts to a trainer, with the data checked first."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from noisygrpo.errors import require
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.hints.prompts import new_levels, row_hints
from noisygrpo.training.mixed_rows import look_for_unused, refuse_sharded
from noisygrpo.training.trainer import NoisyGRPOTrainer

if TYPE_CHECKING:
    from peft import PeftConfig

logger = logging.getLogger(__name__)

COLUMNS = ("prompt", "example_id")
"""What the trainer itself needs of a row; ``images`` may be missing in text-only data."""


def check_dataset(
    dataset: Any, config: NoisyGRPOConfig, name: str = "dataset", *, training: bool = True
) -> None:
    """Check what can be checked before the first step.

    Args:
        dataset: rows in the example format.
        config: the run's settings.
        name: what messages call the data.
        training: whether it is trained on, so that hints must come from it.

    Raises:
        UserError: for a missing column, an empty data set, example ids that are not unique, noisy
            views of data without images, or hints from data without reasoning.
    """
    require(
        isinstance(dataset, Dataset),
        f"{name}: {type(dataset).__name__} is not a datasets.Dataset (streams are not supported)",
    )
    columns = dataset.column_names
    for column in COLUMNS:
        require(
            column in columns, f"{name}: column {column!r} is missing; it has {', '.join(columns)}"
        )
    require(len(dataset) > 0, f"{name}: it has no rows")
    require(
        not config.noisy or "images" in columns or "image" in columns,
        f"{name}: view_plan {config.view_plan!r} needs images, but there is no column 'images'",
    )
    example_id, count = Counter(map(str, dataset["example_id"])).most_common(1)[0]
    require(
        count == 1,
        f"{name}: example_id {example_id!r} occurs {count} times; noise is addressed by it",
    )
    if training and config.hinted:
        check_reasoning(dataset, config)


def check_reasoning(dataset: Dataset, config: NoisyGRPOConfig) -> None:
    """Check that there is reasoning to take hints from; say how many rows have too little.

    Raises:
        UserError: for a missing column, or one of which no row gives a hint at any level.
    """
    name = f"hint_levels: {config.hint_levels}"
    require(
        "reasoning" in dataset.column_names,
        f"{name} needs reference reasoning, but the data set has no column 'reasoning'; name it in "
        "data.columns, or set hint_levels to 1",
    )
    hinted = sum(
        any(new_levels(row_hints(config, reasoning or ""))[1:])
        for reasoning in dataset["reasoning"]
    )
    require(
        hinted > 0,
        f"{name}: no row's reasoning gives a hint; it needs at least 2 steps that hint_style "
        f"{config.hint_style!r} can tell apart, in the column 'reasoning'",
    )
    if hinted < len(dataset):
        logger.warning(
            "hints: %d of %d rows have too little reasoning for one and are trained without",
            len(dataset) - hinted,
            len(dataset),
        )


def check_rewards(functions: int, weights: Sequence[float] | None) -> None:
    """Raise ``UserError`` unless there are reward functions, with a weight for each or none."""
    require(functions > 0, "rewards: none given; at least one reward function is needed")
    require(
        weights is None or len(weights) == functions,
        f"reward_weights: {len(weights or ())} for {functions} reward functions",
    )


def build_trainer(
    model: PreTrainedModel,
    processor: ProcessorMixin | PreTrainedTokenizerBase,
    config: NoisyGRPOConfig,
    dataset: Any,
    reward_funcs: Sequence[Callable[..., list[float | None]]],
    reward_weights: Sequence[float] | None = None,
    peft_config: "PeftConfig | None" = None,
    eval_dataset: Any = None,
) -> NoisyGRPOTrainer:
    """Return a trainer ready for ``.train()``.

    Args:
        model: loaded; with ``beta`` > 0 and no adapter its path is loaded again as the reference.
        processor: its processor (or tokenizer, for a text-only model).
        config: the run's settings, checked when they were made.
        dataset: rows in the example format.
        reward_funcs: callables with TRL's signature; ``None`` for a completion is "unscorable".
        reward_weights: one per function; ``None`` is 1 for each.
        peft_config: train an adapter instead of the model.
        eval_dataset: rows whose rollouts (always clean) are scored every ``eval_steps``.

    Raises:
        UserError: if data, rewards or hints do not fit; before anything is trained.
    """
    check_dataset(dataset, config)
    if eval_dataset is not None:
        check_dataset(eval_dataset, config, "eval_dataset", training=False)
    check_rewards(len(reward_funcs), reward_weights)
    if reward_weights is not None:
        config.reward_weights = list(reward_weights)
    look_for_unused(config, dataset)
    trainer = NoisyGRPOTrainer(
        model=model,
        reward_funcs=reward_funcs,
        args=config,
        train_dataset=dataset,
        eval_dataset=eval_dataset,
        processing_class=processor,
        peft_config=peft_config,
    )
    refuse_sharded(trainer.accelerator.state, dataset)
    return trainer
