"""What a run will cost, worked out before it starts: rollouts, updates, and memory on one device.

Batch, with b = ``per_device_train_batch_size`` (rollouts), P processes, s =
``steps_per_generation``, a = ``gradient_accumulation_steps``, G = ``num_generations``,
mu = ``num_iterations``::

    rollouts per generation = b * P * s         prompts per generation = b * P * s / G
    rollouts per update     = b * P * a         updates per generation = s * mu / a

Memory, with N parameters of w bytes, of which N_t are trained, numbers of c bytes in computation
(2 under mixed precision, else w), L layers of width H, sequences of T
tokens, n_kv key-value heads of size d (all of the language model; the vision tower counts in N)::

    weights      N * w
    gradients    N_t * w
    optimiser    2 * N_t * w         (AdamW)
    reference    N * w               (where beta > 0, without LoRA)
    layer        17 * c * b * T * H  (Korthikanti et al. 2022, eq. 1, without the attention matrix,
                                     which fused attention never stores)
    activations  L * layer; with gradient checkpointing c * b * T * H * L + layer
    kv cache     2 * w * L * n_kv * d * T * (rollouts on this device)

    total = weights + gradients + optimiser + reference + max(activations, kv cache)

The log-probabilities are computed in chunks, so the [b, T, vocabulary] logits never exist. It is
a rough estimate for "does it fit": fragmentation, the CUDA context (about 1 GB) and vLLM's share
come on top, and sharding (ZeRO, FSDP) is not counted: what is sharded divides by P.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from noisygrpo.errors import require
from noisygrpo.training.config import NoisyGRPOConfig

GB = 1e9
LAYER_BYTES = 17
"""Activations stored for a layer, in units of (bytes per number) x batch x tokens x width."""


@dataclass(frozen=True)
class BatchPlan:
    """The arithmetic of a run."""

    prompts: int
    """Different prompts per generation."""
    group: int
    """Rollouts per prompt."""
    rollouts: int
    """Rollouts per generation, on all devices."""
    rollouts_per_update: int
    updates_per_generation: float
    updates: int
    """Optimiser steps of the run."""
    epochs: float
    """How often the run sees each row."""

    def lines(self) -> list[str]:
        """The arithmetic in words."""
        per = f"{self.updates_per_generation:g}"
        return [
            f"{self.prompts} prompts x {self.group} rollouts = {self.rollouts} per generation",
            f"{self.rollouts_per_update} rollouts per update, {per} updates per generation",
            f"{self.updates} updates, {self.epochs:.2g} epochs",
        ]


def plan_batches(config: NoisyGRPOConfig, rows: int) -> BatchPlan:
    """Work out the run's batches for a data set of ``rows`` rows.

    Raises:
        UserError: fewer rows than one generation needs prompts, so there is no step.
    """
    group = config.num_generations
    rollouts = config.generation_batch_size
    prompts = rollouts // group
    require(
        rows >= prompts,
        f"data: {rows} rows are fewer than the {prompts} prompts of one generation "
        f"({rollouts} rollouts / num_generations {group})",
    )
    accumulation = config.gradient_accumulation_steps
    per_generation = config.steps_per_generation * config.num_iterations / accumulation
    in_epoch = rows // prompts * per_generation
    updates = config.max_steps if config.max_steps > 0 else int(in_epoch * config.num_train_epochs)
    return BatchPlan(
        prompts=prompts,
        group=group,
        rollouts=rollouts,
        rollouts_per_update=config.per_device_train_batch_size * config.world_size * accumulation,
        updates_per_generation=per_generation,
        updates=updates,
        epochs=updates / in_epoch,
    )


@dataclass(frozen=True)
class Memory:
    """Bytes on one device."""

    parameters: int
    trained: int
    weights: float
    gradients: float
    optimiser: float
    reference: float
    activations: float
    kv_cache: float

    @property
    def total(self) -> float:
        """Peak: generation and update are not at the same time."""
        fixed = self.weights + self.gradients + self.optimiser + self.reference
        return fixed + max(self.activations, self.kv_cache)

    def lines(self) -> list[str]:
        """The parts in words."""
        parts = ("weights", "gradients", "optimiser", "reference", "activations", "kv_cache")
        values = {name: self.__dict__[name] for name in parts}
        return [
            f"{self.parameters / 1e6:,.1f} M parameters, {self.trained / 1e6:,.1f} M trained",
            ", ".join(
                f"{name.replace('_', ' ')} {gigabytes(size)}" for name, size in values.items()
            ),
            f"about {gigabytes(self.total)} on each device without sharding",
        ]


def gigabytes(size: float) -> str:
    """Bytes as ``1.2 GB``, or ``34 MB`` below a tenth."""
    if size >= 0.1 * GB:
        return f"{size / GB:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 or not size else "under 1 MB"


def estimate_memory(
    model: PreTrainedModel,
    config: NoisyGRPOConfig,
    *,
    prompt_tokens: int,
    trained: int | None = None,
    lora: bool = False,
) -> Memory:
    """Memory of a run by the module's formula.

    Args:
        model: the model, whose tensors may be on the meta device.
        config: batch sizes, gradient checkpointing, beta.
        prompt_tokens: length of the longest prompt looked at, image tokens included.
        trained: number of trained parameters; default: those with ``requires_grad``.
        lora: whether adapters are trained, so that the reference model costs nothing.
    """
    width = torch.empty((), dtype=next(model.parameters()).dtype).element_size()
    total = sum(parameter.numel() for parameter in model.parameters())
    if trained is None:
        trained = sum(item.numel() for item in model.parameters() if item.requires_grad)
    text = model.config.get_text_config()
    tokens = prompt_tokens + config.max_completion_length
    layers, hidden = text.num_hidden_layers, text.hidden_size
    compute = 2 if config.bf16 or config.fp16 else width
    slab = compute * config.per_device_train_batch_size * tokens * hidden
    stored = slab * layers + LAYER_BYTES * slab
    if not config.gradient_checkpointing:
        stored = LAYER_BYTES * slab * layers
    on_device = config.per_device_train_batch_size * config.steps_per_generation
    cache = 0 if config.use_vllm else 2 * width * layers * kv_width(text) * tokens * on_device
    return Memory(
        parameters=total,
        trained=trained,
        weights=total * width,
        gradients=trained * width,
        optimiser=2 * trained * width,
        reference=total * width if config.beta > 0 and not lora else 0,
        activations=stored,
        kv_cache=cache,
    )


def kv_width(text: Any) -> int:
    """Numbers that a token leaves in the keys of one layer."""
    values = text.to_dict()
    heads = values["num_attention_heads"]
    size = values.get("head_dim") or text.hidden_size // heads
    return int(size * (values.get("num_key_value_heads") or heads))
