"""What a run's settings must satisfy, checked before a model is loaded.

Every wrong setting raises ``UserError`` with the field, its value and what is allowed. What needs
the data is checked in ``dataset``.
"""

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from transformers.utils import is_torch_bf16_gpu_available, is_torch_xla_available

from noisygrpo.errors import UserError, require
from noisygrpo.methods.advantages import ADVANTAGES, CONSTANT_GROUPS
from noisygrpo.methods.hints import SELECTIONS, STYLES
from noisygrpo.methods.noise import NOISE_KINDS
from noisygrpo.methods.schedules import check_schedule
from noisygrpo.methods.views import check_view_plan
from noisygrpo.schema import describe, fits
from noisygrpo.training.outcomes import MISSING

if TYPE_CHECKING:
    from noisygrpo.training.config import NoisyGRPOConfig

logger = logging.getLogger(__name__)

CHOICES: dict[str, tuple[str, ...]] = {
    "noise_kind": tuple(NOISE_KINDS),
    "hint_selection": tuple(SELECTIONS),
    "hint_style": STYLES,
    "hint_place": ("answer", "question"),
    "advantage": tuple(ADVANTAGES),
    "constant_groups": CONSTANT_GROUPS,
    "reward_missing": MISSING,
    "rollouts_format": ("jsonl", "parquet", "none"),
    "shared_prefix_kernel": ("sdpa", "flex"),
    # TRL's own, which it would only miss in the first step.
    "loss_type": ("grpo", "dapo", "bnpo", "dr_grpo", "cispo", "sapo", "luspo", "vespo"),
    "importance_sampling_level": ("token", "sequence"),
    "scale_rewards": ("group", "batch", "none"),
    "multi_objective_aggregation": ("sum_then_normalize", "normalize_then_sum"),
}
"""Fields that hold one of a few names."""

LEAST: dict[str, float] = {
    "beta": 0.0,
    "hint_levels": 1,
    "bayes_r": 0.0,
    "num_iterations": 1,
    "max_completion_length": 1,
    "max_pixels": 1,
    "min_pixels": 1,
}
"""Fields with a smallest value; ``None`` is fine where the field allows it."""

POSITIVE = ("temperature", "bayes_alpha")
"""Fields that must be above 0."""

GRPO_ONLY = {"scale_rewards": "group", "multi_objective_aggregation": "sum_then_normalize"}
"""Fields that only TRL's advantage reads, and their defaults."""

COMPARED = (
    *LEAST,
    "temperature",
    "num_generations",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "steps_per_generation",
)
"""TRL's fields and ours whose values are compared and multiplied here."""


def check_types(values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Check values that come from Python; a recipe's are checked as they are read.

    Args:
        values: by field.
        hints: the fields to check, and the type of each.

    Raises:
        UserError: naming the field, its value and what is allowed.
    """
    for name, hint in hints.items():
        value = values[name]
        require(fits(value, hint), f"{name}: {value!r} is not {describe(hint)}")


def choose_precision(config: "NoisyGRPOConfig") -> None:
    """Train in 32 bits where TRL's default, bfloat16, is not to be had; refuse what is asked for.

    Raises:
        UserError: ``bf16`` or ``fp16`` is on, and this machine has it not.
    """
    if is_torch_xla_available():
        return
    gpu = torch.accelerator.is_available() and not config.use_cpu
    require(not config.fp16 or gpu, "fp16: true needs a GPU; leave it out")
    if config.use_cpu or is_torch_bf16_gpu_available():
        return
    if config.bf16 is None and not config.fp16:
        config.bf16 = False
        logger.warning("bf16: no GPU here has it, so this trains in 32 bits (bf16: false)")
    for name in ("bf16", "bf16_full_eval"):
        require(
            not vars(config)[name],
            f"{name}: true needs a GPU with bfloat16, and there is none here; set it to false, or "
            "use_cpu to true to train in bfloat16 on the CPU",
        )


def check_batch(config: "NoisyGRPOConfig") -> None:
    """Say in our words what TRL says in terms of a derived field: groups must fill the batch."""
    group = config.num_generations
    require(
        group is not None and group >= 2,
        f"num_generations: {group!r}; a group needs at least 2 rollouts",
    )
    if config.generation_batch_size is not None:
        return  # TRL's own message names this field
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    per_device = config.per_device_train_batch_size
    steps = config.steps_per_generation or config.gradient_accumulation_steps
    rollouts = per_device * processes * steps
    require(
        rollouts % group == 0,
        f"num_generations: {group} does not divide the {rollouts} rollouts of a batch "
        f"(per_device_train_batch_size {per_device} x {processes} processes x {steps} batches); "
        "make the batch a multiple of the group",
    )


def validate(config: "NoisyGRPOConfig") -> None:
    """Check everything that needs no model and no data.

    Raises:
        UserError: naming the field, its value and what is allowed.
    """
    values = vars(config)
    for name, allowed in CHOICES.items():
        listed = ", ".join(allowed)
        require(values[name] in allowed, f"{name}: {values[name]!r} is not one of {listed}")
    for name, least in LEAST.items():
        enough = values[name] is None or values[name] >= least
        require(enough, f"{name}: {values[name]!r} must be at least {least}")
    for name in POSITIVE:
        require(values[name] > 0, f"{name}: {values[name]!r} must be above 0")
    _check_views(config)
    if config.advantage == "bayesian":
        _check_prior(config)
    if config.advantage != "grpo":
        for name, default in GRPO_ONLY.items():
            require(
                values[name] == default,
                f"{name}: {values[name]!r} has no effect on advantage {config.advantage!r}; leave "
                f"it at {default!r}",
            )
    _check_together(config)


def _check_views(config: "NoisyGRPOConfig") -> None:
    plan, group = str(config.view_plan), config.num_generations
    decay = config.noise_decay_coefficient, config.noise_decay_mid_step
    fields = f"view_plan {plan}, noise_levels, clean_rollouts"
    try:
        check_view_plan(plan, group, config.noise_levels, config.clean_rollouts)
        fields = "noise_decay, its coefficient and mid_step"
        check_schedule(str(config.noise_decay), 1, *decay)
    except ValueError as error:
        raise UserError(f"{fields}: {error}") from error


def _check_prior(config: "NoisyGRPOConfig") -> None:
    """See that the rollouts of a group are not equally noisy."""
    group, levels = config.num_generations, set(config.noise_levels or (0.0, 1.0))
    settings = (
        "advantage: bayesian takes its prior from different noise levels, but view_plan "
        f"{config.view_plan!r} with noise_levels {config.noise_levels}"
    )
    require(config.noisy, f"{settings} shows every rollout the clean image")
    first = group // 2 if config.view_plan == "split" else 1
    clean = first if config.clean_rollouts is None else config.clean_rollouts
    one = len(levels) == 1
    alike = one if config.view_plan == "grid" else clean == group or (clean == 0 and one)
    require(
        not alike,
        f"{settings} and clean_rollouts {config.clean_rollouts} gives all {group} rollouts of a "
        "group one",
    )


def _check_together(config: "NoisyGRPOConfig") -> None:
    """Refuse settings that one cannot have together."""
    template, mask = config.hint_template, config.off_policy_mask_threshold
    require(
        template.count("{hint}") == 1,
        f"hint_template: {template!r} must contain {{hint}} once",
    )
    require(
        config.shared_prefix or config.shared_prefix_kernel == "sdpa",
        f"shared_prefix_kernel: {config.shared_prefix_kernel!r} has no effect without "
        "shared_prefix: true",
    )
    require(
        not (config.shared_prefill and config.use_vllm),
        "shared_prefill: true has no effect with use_vllm: true; vLLM shares prefixes by itself",
    )
    require(
        not (config.use_vllm and config.noisy and mask is not None),
        f"off_policy_mask_threshold: {mask} compares the log-probs of view and clean image and "
        "would mask noisy rollouts; leave it out",
    )
    require(
        not (config.log_view_ratio and config.noise_kind == "rotation"),
        "log_view_ratio: true needs views of the image's size, which noise_kind 'rotation' changes",
    )
