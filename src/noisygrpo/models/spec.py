"""Which model a run or an evaluation is about; the section ``model`` of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

PLAYGROUND = "playground"
"""Name of the built-in model and of the built-in data."""


@dataclass(frozen=True)
class ModelSpec:
    """Which model is trained, and how it is loaded."""

    path: str = PLAYGROUND
    """``playground`` (the built-in model), a hub id, or a folder."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Type of the weights; ``auto``: see ``models.loading.weights_dtype``."""
    attn_implementation: str | None = None
    """``sdpa``, ``flash_attention_2``, ``eager``; ``flash_or_sdpa`` is the second where the package
    flash_attn is installed and the first elsewhere; null lets Transformers choose."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model. Only for a model whose code you have read."""
    lora: dict[str, Any] | None = None
    """Arguments of ``peft.LoraConfig`` (``r``, ``lora_alpha``, …); null trains all weights."""
    quantization: Literal["4bit", "8bit"] | None = None
    """Keep the frozen weights under ``lora`` in 4 bits (QLoRA) or 8; needs bitsandbytes."""
