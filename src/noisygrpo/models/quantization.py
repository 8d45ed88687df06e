"""Frozen weights in four or eight bits, beneath an adapter."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch

from noisygrpo.errors import require
from noisygrpo.models.spec import ModelSpec
from noisygrpo.models.versions import remedy


def quantization_config(spec: ModelSpec) -> Any:
    """``transformers.BitsAndBytesConfig`` for a frozen base: QLoRA's nf4 with double quantisation
    (arXiv 2305.14314, section 3) for 4bit, LLM.int8 (arXiv 2208.07339) for 8bit.

    Raises:
        UserError: without ``model.lora``, or where bitsandbytes is not installed.
    """
    require(
        spec.lora is not None,
        f"model.quantization: {spec.quantization!r} freezes the weights; it needs model.lora",
    )
    require(
        importlib.util.find_spec("bitsandbytes") is not None,
        f"model.quantization: {spec.quantization!r} needs bitsandbytes: {remedy('qlora')}",
    )
    from transformers import BitsAndBytesConfig

    if spec.quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def require_trainable(spec: ModelSpec, config: Any) -> None:
    """See that weights which are all trained are not stored in fewer bits (AWQ, GPTQ, FP8, ...).

    Args:
        spec: of the model.
        config: the model's own.

    Raises:
        UserError: they are.
    """
    stored = getattr(config, "quantization_config", None)
    if not stored or spec.lora is not None:
        return
    kept = stored if isinstance(stored, dict) else stored.to_dict()
    require(
        bool(kept.get("dequantize")),
        f"model.path: {spec.path!r} holds quantised weights ({kept.get('quant_method')}), which "
        "cannot be trained: give the model that is not quantised, or train an adapter over them "
        "(model.lora)",
    )
