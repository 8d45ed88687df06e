"""Model and processor as the config asks for them: frozen tower, pixel limits, banned tokens."""

from collections.abc import Sequence
from typing import Any

from accelerate.utils import extract_model_from_parallel, is_peft_model
from transformers import ProcessorMixin

from noisygrpo.models.processors import prepare_processor
from noisygrpo.models.vision import freeze_vision_tower, set_pixel_limits, vision_token_ids
from noisygrpo.training.config import NoisyGRPOConfig


def core_model(model: Any) -> Any:
    """Return a model inside its wrappers for adapters and several processes."""
    model = extract_model_from_parallel(model)
    return model.get_base_model() if is_peft_model(model) else model


def prepare_vision(model: Any, processor: Any, config: NoisyGRPOConfig) -> list[int]:
    """Freeze the tower and limit pixels as the config says; return the ids of vision tokens.

    Args:
        model: with its adapter, if it has one; changed in place, like ``processor``.
        processor: of a vision-language model, or a tokenizer.
        config: the run's settings.

    Raises:
        UserError: if model or processor lack what the config asks for.
    """
    tokenizer = processor.tokenizer if isinstance(processor, ProcessorMixin) else processor
    if isinstance(processor, ProcessorMixin):
        prepare_processor(processor)
    set_pixel_limits(processor, config.min_pixels, config.max_pixels)
    if config.freeze_vision_tower:  # with what an adapter put into it
        freeze_vision_tower(core_model(model))
    return vision_token_ids(model.config.to_dict(), tokenizer)


def refreeze(model: Any, config: NoisyGRPOConfig) -> None:
    """Freeze the tower's adapter again: PEFT lets it train once its adapters were switched off.

    That is how the reference is asked (``disable_adapter``; PEFT's issue 3447).
    """
    if config.freeze_vision_tower and is_peft_model(model):
        freeze_vision_tower(core_model(model))


def ban_tokens(kwargs: dict[str, Any], banned: Sequence[int], *, vllm: bool) -> dict[str, Any]:
    """Return what bans tokens besides ``generation_kwargs``, in the words of the engine."""
    if not banned:
        return {}
    if vllm:
        return {"logit_bias": {**kwargs.get("logit_bias", {}), **dict.fromkeys(banned, -100.0)}}
    return {"suppress_tokens": sorted({*(kwargs.get("suppress_tokens") or []), *banned})}
