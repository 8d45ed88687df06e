"""What the trainer asks of a data set, checked before anything is trained.

Rows of which some have images and some have none are trained together. A process whose rows have no
image does not run the vision tower, which the others do:

- under DDP its parameters get no gradient there, and the reducer waits for them unless it is told
  to look (``ddp_find_unused_parameters``; Transformers' default is not to with gradient
  checkpointing);
- where the tower's weights are sharded (FSDP, ZeRO-3) the others wait for its part of the weights,
  forever; that is refused before the first step.
"""

import logging
import weakref
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from accelerate.state import AcceleratorState
from datasets import Dataset

from noisygrpo.errors import require
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.hints.prompts import new_levels, row_hints
from noisygrpo.training.sharding import weights_sharded

logger = logging.getLogger(__name__)

CHECKED_FOR = (
    *("view_plan", "noise_levels", "noise_decay"),
    *("hint_levels", "hint_style", "hint_markers", "hint_template"),
)
"""Settings that decide what is checked, and how."""

PASSED = (
    "prompts",
    "completions",
    "noise_level",
    "rollout_index",
    "hint",
    "hint_level",
    "hint_ratio",
)
"""Names of what reward functions get beside the columns of the data."""

_checked: weakref.WeakKeyDictionary[Dataset, Any] = weakref.WeakKeyDictionary()
"""For what each data set was found right: a run checks it before a model is loaded, and the trainer
that it makes needs not do so again."""


def check(dataset: Any, config: NoisyGRPOConfig, environment: Any = None) -> None:
    """Check the data set, and let DDP know where some process may have no image to train on.

    With an ``environment``, which may ask by itself, rows need no prompt; and TRL says what else
    may be left out, the data set itself included.

    Raises:
        UserError: as ``check_dataset``.
    """
    if dataset is None:
        return
    check_dataset(dataset, config, asks=environment is None)
    if config.ddp_find_unused_parameters is None and config.world_size > 1 and is_mixed(dataset):
        config.ddp_find_unused_parameters = True


def check_dataset(
    dataset: Any, config: NoisyGRPOConfig, name: str = "dataset", asks: bool = True
) -> None:
    """Check what can be checked before the first step; of a stream, that no setting needs more.

    Args:
        dataset: what is trained on.
        config: the run's settings.
        name: what messages call the data.
        asks: whether its rows must hold the prompts.

    Raises:
        UserError: for a missing column, an empty data set, noisy views of data without images
            or with example ids that are not unique, or hints from data without reasoning.
    """
    needs = tuple(vars(config)[field] for field in CHECKED_FOR), asks
    if isinstance(dataset, Dataset) and _checked.get(dataset) == needs:
        return
    if not isinstance(dataset, Dataset):
        require(
            not (config.noisy or config.hinted),
            f"{name}: {type(dataset).__name__} is not a datasets.Dataset, which views and hints "
            "need: noise is addressed by row",
        )
        return
    columns = dataset.column_names
    require(
        not asks or "prompt" in columns,
        f"{name}: column 'prompt' is missing; it has {', '.join(columns)}",
    )
    require(len(dataset) > 0, f"{name}: it has no rows")
    check_columns(dataset, name)
    require(
        not config.noisy or "images" in columns or "image" in columns,
        f"{name}: view_plan {config.view_plan!r} needs images, but there is no column 'images'",
    )
    drawn = config.noisy or config.second_view not in (None, "none", "text")
    if drawn and "example_id" in columns:
        ids = Counter(str(known) for known in dataset["example_id"] if known is not None)
        for example_id, count in ids.most_common(1):
            require(
                count == 1,
                f"{name}: example_id {example_id!r} occurs {count} times; noise is addressed by it",
            )
    if config.hinted:
        check_reasoning(dataset, config)
    _checked[dataset] = needs


def check_columns(dataset: Dataset, name: str) -> None:
    """Check that no column is lost on its way to the model and to reward functions.

    Raises:
        UserError: a column has a name under which the trainer itself passes something, or prompts
            are plain text beside pictures, for which only a conversation has a place.
    """
    for column in PASSED:
        require(
            column not in dataset.column_names,
            f"{name}: reward functions get {column!r} from the trainer, which a column of that "
            f"name would not reach: rename_column({column!r}, …)",
        )
    texts = getattr(dataset.features.get("prompt"), "dtype", "") in ("string", "large_string")
    require(
        not (texts and has_pictures(dataset).count(True)),
        f"{name}: column 'prompt' is text, but with pictures it has to be a conversation: "
        '[{"role": "user", "content": text}]',
    )


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
    texts = [text or "" for text in dataset["reasoning"]]
    require(
        any(text.strip() for text in texts),
        f"{name}: every row's reasoning is empty; name the column that holds it: "
        "--data.columns.reasoning NAME, or set hint_levels to 1",
    )
    hinted = sum(any(new_levels(row_hints(config, text))[1:]) for text in texts)
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


def is_mixed(dataset: Any) -> bool:
    """Tell whether some rows have images and some have none."""
    return len({*has_pictures(dataset)}) == 2


def has_pictures(dataset: Any) -> list[bool]:
    """Tell of each row whether it has images, without decoding any; [] where no column has any."""
    columns = dataset.data.column_names if isinstance(dataset, Dataset) else []
    if "images" in columns:
        column = dataset.data.column("images")
        lists = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
        seen = pc.fill_null(pc.list_value_length(column), 0) if lists else pc.is_valid(column)
        has = pc.greater(seen, 0) if lists else seen
    elif "image" in columns:
        has = pc.is_valid(dataset.data.column("image"))
    else:
        return []
    return list(has.to_pylist())


def refuse_sharded(state: AcceleratorState, dataset: Any) -> None:
    """Raise ``UserError`` where weights are sharded and the data is mixed."""
    require(
        not (weights_sharded(state) and is_mixed(dataset)),
        "data: some rows have images and some have none; with sharded weights (FSDP, ZeRO-3) a "
        "process without an image would leave the others waiting: use DDP or ZeRO-2, or rows that "
        "all have one",
    )
