"""Model and processor as the config asks for them: frozen tower, pixel limits, banned tokens."""

from collections.abc import Sequence
from typing import Any

from accelerate.utils import is_peft_model
from transformers import PreTrainedModel, ProcessorMixin

from noisygrpo.models.vision import freeze_vision_tower, set_pixel_limits, vision_token_ids
from noisygrpo.training.config import NoisyGRPOConfig


def prepare_vision(model: PreTrainedModel, processor: Any, config: NoisyGRPOConfig) -> list[int]:
    """Make model, processor and config what the config asks for; return the ids of vision tokens.

    Raises:
        UserError: if model or processor lack what the config asks for.
    """
    tokenizer = processor.tokenizer if isinstance(processor, ProcessorMixin) else processor
    banned = vision_token_ids(model.config.to_dict(), tokenizer)
    set_pixel_limits(processor, config.min_pixels, config.max_pixels)
    if config.ban_image_tokens:
        ban_tokens(config, banned)
    if config.freeze_vision_tower:
        freeze_vision_tower(model)
    return banned


def ban_tokens(config: NoisyGRPOConfig, banned: Sequence[int]) -> None:
    """Add the tokens to ``generation_kwargs``, in the words of the engine that will sample."""
    if not banned:
        return
    kwargs = dict(config.generation_kwargs or {})
    if config.use_vllm:
        kwargs["logit_bias"] = {**kwargs.get("logit_bias", {}), **dict.fromkeys(banned, -100.0)}
    else:
        kwargs["suppress_tokens"] = sorted({*kwargs.get("suppress_tokens", []), *banned})
    config.generation_kwargs = kwargs


def freeze_adapter(model: Any, config: NoisyGRPOConfig) -> None:
    """Freeze what an adapter put into the vision tower, where the config asks for a frozen one."""
    if config.freeze_vision_tower and is_peft_model(model):
        freeze_vision_tower(model.get_base_model())
