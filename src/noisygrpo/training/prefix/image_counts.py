"""Telling a model how many images each row has, where it asks (LLaVA-OneVision's).

Such a model cuts an image into tiles only where it is the row's one image. Its processor says so in
``batch_num_images``, which TRL neither accepts in scoring nor keeps for the update; without it the
model takes every row for one of a single image and finds too few image tokens. TRL's ``num_images``
holds the same numbers, and its scoring function calls the model once per chunk of rows, in order.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

ARGUMENT = "batch_num_images"


def asks_for_counts(model: PreTrainedModel) -> bool:
    """Tell whether the model's forward takes the number of images of each row."""
    return ARGUMENT in inspect.signature(model.base_model.forward).parameters


def with_counts(
    model: Callable[..., Any], num_images: Sequence[int], size: int
) -> Callable[..., Any]:
    """Return ``model`` as it is called on rows ``size`` at a time, each with its image counts.

    Args:
        model: called once for every ``size`` rows, in order, the last time for the rest.
        num_images: images of each row.
        size: rows of a call.
    """
    chunks = iter([num_images[start : start + size] for start in range(0, len(num_images), size)])

    def call(**inputs: Any) -> Any:
        counts = torch.tensor(next(chunks), device=inputs["input_ids"].device)
        return model(**inputs, **{ARGUMENT: counts})

    return call
