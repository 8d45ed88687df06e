"""What must be known of a vision-language model: special tokens, tower, pixel limits.

Everything is read off the model's config and the tokenizer, so no family is named here; what a
family does not have is an error for the user who asked for it.
"""

import re
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from noisygrpo.errors import UserError, require

VISION_TOKEN = re.compile(r"image|video|vision|img|fake_token_around", re.IGNORECASE)
"""Matches special tokens that stand for visual input: Qwen, InternVL, Gemma, SmolVLM, LLaVA."""

CONFIG_KEYS = (
    *("image_token_id", "image_token_index", "video_token_id", "video_token_index"),
    *("vision_start_token_id", "vision_end_token_id", "vision_token_id"),
    *("boi_token_id", "eoi_token_id", "boi_token_index", "eoi_token_index"),
    *("image_start_token_id", "image_end_token_id"),
    *("video_start_token_id", "video_end_token_id"),
    *("audio_token_id", "audio_token_index", "audio_start_token_id", "audio_end_token_id"),
    *("boa_token_id", "eoa_token_id", "eoa_token_index"),
)
"""Where model configs keep ids of tokens that only stand for visual input, or for sound: a model
that says one of these promises features that do not exist as well."""


def vision_token_ids(config: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return, sorted, the ids of all tokens that stand for visual input.

    These are the model's own, and those of the tokenizer's special tokens that are named so. An
    id beyond the model's vocabulary (a default for sound, in a model without) can never be said.
    """
    ids = {config[key] for key in CONFIG_KEYS if isinstance(config.get(key), int)}
    for token_id, token in tokenizer.added_tokens_decoder.items():
        if token.special and VISION_TOKEN.search(token.content):
            ids.add(token_id)
    needed = {tokenizer.eos_token_id, tokenizer.pad_token_id}  # else no completion could end
    most = (config.get("text_config") or config).get("vocab_size")
    return sorted(one for one in ids - needed if not isinstance(most, int) or one < most)


def image_tower(model: PreTrainedModel) -> Any | None:
    """Return the module that encodes images; None where there is none, or it cannot be told."""
    try:
        tower = model.get_encoder(modality="image")
    except (TypeError, AttributeError):  # a model with code of its own, that takes no modality
        return None
    return None if tower is model or tower is model.base_model else tower


def freeze_vision_tower(model: PreTrainedModel) -> None:
    """Let no parameter of the module that encodes images be trained; ``UserError`` if none does."""
    tower = image_tower(model)
    if tower is None:
        name = type(model).__name__
        raise UserError(f"freeze_vision_tower: true, but {name} has no vision encoder")
    tower.requires_grad_(False)


def spare_frozen_tower(model: PreTrainedModel) -> None:
    """Let the module that encodes images build no graph while nothing in it is trained.

    Gradient checkpointing makes the output of every embedding require gradients, that of a frozen
    tower's patches as well: the tower would be run again and gone through backwards for gradients
    that nobody takes. Whether anything is trained is looked up at every call.
    """
    tower = image_tower(model)
    if tower is None:
        return
    modes: list[bool] = []

    def begin(module: nn.Module, inputs: Any) -> None:
        modes.append(torch.is_grad_enabled())
        trained = any(value.requires_grad for value in module.parameters())
        torch.set_grad_enabled(modes[-1] and trained)

    def end(module: nn.Module, inputs: Any, output: Any) -> None:
        torch.set_grad_enabled(modes.pop())

    tower.register_forward_pre_hook(begin)
    tower.register_forward_hook(end, always_call=True)


def set_pixel_limits(processor: Any, min_pixels: int | None, max_pixels: int | None) -> None:
    """Set the processor's limits in place; they are saved with it and hold in evaluation too.

    Raises:
        UserError: if its images are not sized by pixel limits, or the lower is above the upper.
    """
    if min_pixels is None and max_pixels is None:
        return
    name = type(processor).__name__
    if not isinstance(processor, ProcessorMixin):
        raise UserError(f"max_pixels, min_pixels: {name} has no image processor")
    images = processor.image_processor
    require(
        _by_pixels(images),
        f"max_pixels, min_pixels: {type(images).__name__} does not size images by their pixels",
    )
    limits = {"shortest_edge": min_pixels, "longest_edge": max_pixels}
    size = dict(images.size) | {key: value for key, value in limits.items() if value is not None}
    require(
        size["shortest_edge"] <= size["longest_edge"],
        f"min_pixels: {size['shortest_edge']} is above max_pixels {size['longest_edge']}",
    )
    images.size = size


def spell_limits(processor: Any) -> None:
    """Give limits in pixels, in place, the names that they are read by today.

    Some files say ``"size": {"min_pixels": …, "max_pixels": …}``, of which Transformers takes
    neither, and fails at the first picture.

    Raises:
        UserError: the processor sizes pictures by their pixels, and there are no limits in it.
    """
    images: Any = getattr(processor, "image_processor", None)
    if not (_by_pixels(images) and "shortest_edge" in (type(images).size or {})):
        return
    size = {key: value for key, value in dict(images.size).items() if value is not None}
    older = {"shortest_edge": size.get("min_pixels"), "longest_edge": size.get("max_pixels")}
    limits = {key: size.get(key, value) for key, value in older.items()}
    require(
        None not in limits.values(),
        f"model.path: `size` of its image processor is {size}; {type(images).__name__} needs "
        "shortest_edge and longest_edge, in pixels of the whole picture",
    )
    if limits != size:
        images.size = limits


def _by_pixels(images: Any) -> bool:
    known = set() if images is None else set(images.valid_kwargs.__annotations__)
    return {"min_pixels", "max_pixels"} <= known


def pixel_limits(processor: Any) -> tuple[int, int] | None:
    """Return how few and how many pixels the processor gives a picture; None if it says no such.

    That is for a processor that keeps proportions and sizes by area (Qwen's).
    """
    images: Any = getattr(processor, "image_processor", None)
    if not _by_pixels(images):
        return None
    return int(images.size["shortest_edge"]), int(images.size["longest_edge"])


def noise_limits(noise_at: str | None, processor: Any) -> tuple[int, int] | None:
    """Return the limits in pixels that a picture is brought into before noise; None is the file's.

    Args:
        noise_at: model or file; None is model where the processor has such limits.
        processor: the model's, with the run's limits.

    Raises:
        UserError: model is asked for, and the processor does not size pictures by their pixels.
    """
    limits = None if noise_at == "file" else pixel_limits(processor)
    require(
        noise_at != "model" or limits is not None,
        f"noise_at: 'model' needs a processor with limits in pixels, which "
        f"{type(processor).__name__} has not; give file",
    )
    return limits
