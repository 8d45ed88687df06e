"""Model and processor as the config asks for them: frozen tower, pixel limits, banned tokens."""

import sys
from collections.abc import Sequence
from typing import Any

from accelerate.utils import extract_model_from_parallel, is_peft_model
from transformers import AutoConfig, ProcessorMixin
from trl.trainer.utils import get_config_model_id

from noisygrpo.models.loading import load_any_processor
from noisygrpo.models.processors import prepare_processor
from noisygrpo.models.spec import ModelSpec
from noisygrpo.models.torchvision import has_torchvision
from noisygrpo.models.vision import (
    freeze_vision_tower,
    set_pixel_limits,
    spare_frozen_tower,
    vision_token_ids,
)
from noisygrpo.playground.model import is_playground
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.experts import name_experts
from noisygrpo.training.scorable import require_scorable


def core_model(model: Any) -> Any:
    """Return a model inside its wrappers for adapters and several processes.

    It is asked at every forward, and Accelerate's ``is_peft_model`` reads PEFT's metadata from the
    disk each time; but who has wrapped a model with PEFT has imported it.
    """
    model, peft = extract_model_from_parallel(model), sys.modules.get("peft")
    wrapped = peft is not None and isinstance(model, peft.PeftModel)
    return model.get_base_model() if wrapped else model


def default_processor(model: Any, config: NoisyGRPOConfig) -> Any:
    """Return the processor of a model that came without, where TRL would find none.

    That is a vision-language model's without torchvision, and the playground's, which only this
    package knows; ``None`` leaves it to TRL.

    Args:
        model: a model, or its folder or hub id.
        config: the run's settings.

    Raises:
        UserError: the folder has no processor, or it cannot be loaded.
    """
    given = config.model_init_kwargs if isinstance(model, str) else None
    revision = (given or {}).get("revision")
    where = model if isinstance(model, str) else get_config_model_id(model.config)
    if not is_playground(where):
        if has_torchvision():
            return None
        options = {"revision": revision, "trust_remote_code": config.trust_remote_code}
        found = (
            AutoConfig.from_pretrained(where, **options) if isinstance(model, str) else model.config
        )
        if not hasattr(found, "vision_config"):
            return None
    processor = load_any_processor(
        ModelSpec(where, revision, trust_remote_code=config.trust_remote_code)
    )
    processor.tokenizer.padding_side = processor.tokenizer.truncation_side = "left"  # as TRL has it
    return processor


def prepare_vision(model: Any, processor: Any, config: NoisyGRPOConfig) -> list[int]:
    """Freeze the tower and limit pixels as the config says; return the ids of vision tokens.

    The model, with its adapter, and the processor are changed in place; ``UserError`` where they
    lack what the config asks for.
    """
    name_experts(model.config)
    tokenizer = processor.tokenizer if isinstance(processor, ProcessorMixin) else processor
    if isinstance(processor, ProcessorMixin):
        prepare_processor(processor)
        require_scorable(processor)
    set_pixel_limits(processor, config.min_pixels, config.max_pixels)
    if config.freeze_vision_tower:  # with what an adapter put into it
        freeze_vision_tower(core_model(model))
    spare_frozen_tower(core_model(model))
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
