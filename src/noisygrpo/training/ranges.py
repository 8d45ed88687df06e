"""What every single field of ``training`` may hold: one table of ranges, one of names.

The types are in ``noisygrpo.fields``; what fields mean for each other is in ``config_checks`` (what
cannot work) and ``idle`` (what would do nothing).
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from noisygrpo import fields
from noisygrpo.errors import UserError, require
from noisygrpo.own.choice import FIELDS, KNOBS, is_known
from noisygrpo.schema import near, shown
from noisygrpo.training.levels import fields as of_levels
from noisygrpo.training.settings import MEASURED
from noisygrpo.training.views.fields import BOUNDS, CHOICES

MOST_STEPS = 10**9
"""More steps, tokens or rows than any run has: a schedule over them overflows or never ends."""


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``; None, where the field's type has it, is always allowed."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    """Without ``low`` itself."""
    also: tuple[float, ...] = ()
    """Single numbers that mean something of their own."""
    whole: bool = False
    """Below 1 a share of the run, from 1 on a whole number of steps."""

    def holds(self, value: float) -> bool:
        """Whether the value is one of these numbers; infinities and NaN never are."""
        if not math.isfinite(value):
            return False
        if value in self.also:
            return True
        inside = self.low <= value <= self.high and not (self.above and value == self.low)
        return inside and (not self.whole or value < 1 or value == int(value))

    def __str__(self) -> str:
        if self.low == -math.inf:
            said = "any finite number"
        else:
            said = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        if self.high != math.inf:
            said += f" and at most {self.high:,.10g}"
        also = "".join(f", or {number:g}" for number in self.also)
        return said + (", a whole number from 1 on" if self.whole else "") + also


COUNT = Range(1, MOST_STEPS)
NATURAL = Range(0, MOST_STEPS)
SHARE = Range(0, 1)
PART = Range(0, 1, above=True)
POSITIVE = Range(0, above=True)
NOT_NEGATIVE = Range(0)
STEPS = Range(0, MOST_STEPS, above=True, whole=True)
SEED = Range(0, 2**32 - 1)
PORT = Range(1, 65535)

RANGES: dict[str, Range] = {
    # --- batch and length of the run
    "per_device_train_batch_size": COUNT,
    "per_device_eval_batch_size": COUNT,
    "gradient_accumulation_steps": COUNT,
    "steps_per_generation": COUNT,
    "generation_batch_size": COUNT,
    "num_generations": Range(2, MOST_STEPS),
    "num_generations_eval": COUNT,
    "num_iterations": COUNT,
    "num_train_epochs": Range(0, MOST_STEPS, above=True),
    "max_steps": Range(1, MOST_STEPS, also=(-1,)),
    # --- optimisation
    "learning_rate": Range(0, 10),  # a larger one destroys the weights in a step
    "warmup_steps": Range(0, MOST_STEPS, whole=True),
    "weight_decay": NOT_NEGATIVE,
    "adam_beta1": Range(0, 0.999999),
    "adam_beta2": Range(0, 0.99999999),
    "adam_epsilon": POSITIVE,
    "max_grad_norm": NOT_NEGATIVE,
    "neftune_noise_alpha": NOT_NEGATIVE,
    "label_smoothing_factor": Range(0, 0.999),
    "router_aux_loss_coef": NOT_NEGATIVE,
    "torch_empty_cache_steps": COUNT,
    # --- loss
    "beta": NOT_NEGATIVE,
    "epsilon": POSITIVE,
    "epsilon_high": POSITIVE,
    "delta": POSITIVE,
    "sapo_temperature_neg": POSITIVE,
    "sapo_temperature_pos": POSITIVE,
    "vespo_k_pos": POSITIVE,
    "vespo_k_neg": POSITIVE,
    "vespo_lambda_pos": POSITIVE,
    "vespo_lambda_neg": POSITIVE,
    "top_entropy_quantile": PART,
    "entropy_coef": Range(),
    "entropy_coef_min": Range(),
    "entropy_coef_max": Range(),
    "entropy_coef_delta": NOT_NEGATIVE,
    "entropy_target": NOT_NEGATIVE,
    "off_policy_mask_threshold": NOT_NEGATIVE,
    "ref_model_mixup_alpha": SHARE,
    "ref_model_sync_steps": COUNT,
    # --- sampling
    "temperature": POSITIVE,
    "top_p": PART,
    "top_k": NATURAL,  # 0 is off
    "min_p": SHARE,
    "repetition_penalty": POSITIVE,
    "max_completion_length": COUNT,
    "max_tool_calling_iterations": COUNT,
    "vllm_gpu_memory_utilization": PART,
    "vllm_max_model_length": COUNT,
    "vllm_tensor_parallel_size": COUNT,
    "vllm_server_port": PORT,
    "vllm_group_port": PORT,
    "vllm_server_timeout": POSITIVE,
    "reward_time_limit": POSITIVE,
    "vllm_importance_sampling_clip_max": POSITIVE,
    "vllm_importance_sampling_clip_min": NOT_NEGATIVE,
    "vllm_importance_sampling_cap": POSITIVE,
    # --- logging, saving, evaluation
    "logging_steps": STEPS,
    "save_steps": STEPS,
    "save_total_limit": COUNT,
    "eval_steps": STEPS,
    "eval_delay": NATURAL,
    "eval_accumulation_steps": COUNT,
    "num_completions_to_print": COUNT,
    # --- machine
    "seed": SEED,
    "data_seed": SEED,
    "dataloader_num_workers": Range(0, 1024),
    "dataloader_prefetch_factor": COUNT,
    "ddp_bucket_cap_mb": COUNT,
    "ddp_timeout": COUNT,
    "local_rank": Range(-1, MOST_STEPS),
    # --- views, hints, advantage
    "clean_rollouts": NATURAL,
    "noise_decay_coefficient": POSITIVE,
    "noise_decay_mid_step": NOT_NEGATIVE,
    "hint_levels": Range(1, 1000),
    "bayes_alpha": POSITIVE,
    "bayes_r": NOT_NEGATIVE,
    "correct_at": Range(),
    "mismatch_limit": POSITIVE,
    "max_pixels": COUNT,
    "min_pixels": COUNT,
    **{name: Range(*bounds) for name, bounds in {**BOUNDS, **of_levels.BOUNDS}.items()},
}
"""Every field that holds a number, and the numbers that mean something."""

NAMES: dict[str, tuple[str, ...]] = {
    "noise_at": ("model", "file"),
    "hint_place": ("answer", "question"),
    "rollouts_format": ("jsonl", "parquet", "none"),
    "shared_prefix_kernel": ("sdpa", "flex"),
    **CHOICES,
    **of_levels.CHOICES,
    # TRL's and Transformers' own, which they would miss in the first step, or never.
    "loss_type": ("grpo", "dapo", "bnpo", "dr_grpo", "cispo", "sapo", "luspo", "vespo"),
    "importance_sampling_level": ("token", "sequence"),
    "scale_rewards": ("group", "batch", "none"),
    "multi_objective_aggregation": ("sum_then_normalize", "normalize_then_sum"),
    "vllm_mode": ("colocate", "server"),
    "vllm_model_impl": ("vllm", "transformers"),
    "vllm_importance_sampling_mode": (
        "token_truncate",
        "token_mask",
        "sequence_truncate",
        "sequence_mask",
    ),
    "ddp_backend": ("nccl", "mpi", "xccl", "hccl", "cncl", "mccl", "gloo"),
    "dataloader_multiprocessing_context": ("fork", "spawn", "forkserver"),
    "torch_compile_mode": (
        "default",
        "reduce-overhead",
        "max-autotune",
        "max-autotune-no-cudagraphs",
    ),
    "include_num_input_tokens_seen": ("all", "non_padding", "no"),
}
"""Fields that hold one of a few names which no type says; those of our registries, of optimizers
and schedules are in ``noisygrpo.fields``. None is fine where the field is not set by then."""


def check_ranges(values: Mapping[str, Any]) -> None:
    """Check every field alone.

    Args:
        values: of the fields, by name; what is missing is not checked.

    Raises:
        UserError: naming the first wrong field, its value and what is allowed.
    """
    for name, allowed in RANGES.items():
        value = values.get(name)
        if value is None:
            continue
        require(
            isinstance(value, numbers.Real) and allowed.holds(float(value)),
            f"{name}: {shown(value)}, allowed is {allowed}",
        )
    for name, names in {**fields.choices(), **NAMES}.items():
        if name in values and values[name] is not None:
            _check_name(name, values[name], names)
    for name, check in SHAPES.items():
        if values.get(name) is not None:
            check(name, values[name])


def _check_name(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    for one in value if isinstance(value, (list, tuple)) and name == "report_to" else [value]:
        if isinstance(one, bool) and name in ("include_num_input_tokens_seen", "scale_rewards"):
            continue
        if name in FIELDS and is_known(name, one):
            continue
        own = " or path.py:function" if name in FIELDS else ""
        require(
            one in allowed,
            f"{name}: {shown(one)} is not one of {', '.join(allowed)}{own}{near(one, allowed)}",
        )


MAPPINGS = (
    "activation_checkpointing_kwargs",
    "chat_template_kwargs",
    "generation_kwargs",
    "gradient_checkpointing_kwargs",
    "lr_scheduler_kwargs",
    "transformers_continuous_batching_config",
)
"""Fields that hold arguments by name; Transformers reads JSON where they are text."""


def _check_levels(name: str, value: Any) -> None:
    require(
        value != MEASURED,
        f"{name}: {MEASURED!r} is for `noisygrpo train`, which measures levels before it trains; "
        "give the levels that `noisygrpo levels` proposes",
    )
    good = isinstance(value, (list, tuple)) and all(
        not isinstance(one, bool) and isinstance(one, numbers.Real) and SHARE.holds(float(one))
        for one in value
    )
    require(
        good, f"{name}: {shown(value)} is not a list of levels in [0, 1], such as [0, 0.3, 0.6]"
    )


def _check_template(name: str, value: Any) -> None:
    found = isinstance(value, str) and value.count("{hint}") == 1
    require(found, f"{name}: {shown(value)} must contain {{hint}} once")


def _check_padding(name: str, value: Any) -> None:
    if isinstance(value, str) and value.lower() in ("auto", "none", "null"):
        return
    number = int(value) if isinstance(value, str) and value.isdigit() else value
    good = isinstance(number, int) and not isinstance(number, bool) and COUNT.holds(number)
    require(good, f"{name}: {shown(value)}, allowed is a number of tokens, auto or none")


def _check_pattern(name: str, value: Any) -> None:
    try:
        re.compile(value)
    except re.error as error:
        raise UserError(f"{name}: {shown(value)} is no pattern: {error}") from None


def _check_mapping(name: str, value: Any) -> None:
    good = isinstance(value, Mapping) or (isinstance(value, str) and value.startswith("{"))
    require(good, f"{name}: {shown(value)} is not a mapping of names to values")


def _check_knobs(name: str, value: Any) -> None:
    for field in value:
        require(field in FIELDS, f"{name}: {shown(field)} is not one of {', '.join(FIELDS)}")


def _check_pairs(name: str, value: Any) -> None:
    pairs = value.replace(" ", "").split(",")
    good = all(len(pair.split("=")) == 2 and all(pair.split("=")) for pair in pairs)
    require(good, f"{name}: {shown(value)}, allowed is name=value, several with commas between")


SHAPES: dict[str, Callable[[str, Any], None]] = {
    "noise_levels": _check_levels,
    "hint_template": _check_template,
    "pad_to_multiple_of": _check_padding,
    "vllm_structured_outputs_regex": _check_pattern,
    "optim_args": _check_pairs,
    KNOBS: _check_knobs,
    **dict.fromkeys(MAPPINGS, _check_mapping),
}
"""Fields that hold neither a number nor a name, and still not anything."""
