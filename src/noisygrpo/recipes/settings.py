"""What a recipe's settings mean, checked without TRL, torch or the model: seconds become tenths.

`check_settings` looks at what the command line cannot do at all (``ELSEWHERE``), at rewards by
their names, at every field of ``training`` (``training.config_checks``), and at packages that a
setting needs (``training.packages``). ``NoisyGRPOConfig`` makes the same checks of its fields again
where it is built, so that Python is no way round them.
"""

from __future__ import annotations

from typing import Any

from noisygrpo import fields
from noisygrpo.errors import UserError, require
from noisygrpo.rewards.load import check_rewards
from noisygrpo.schema import shown
from noisygrpo.training.config_checks import check
from noisygrpo.training.packages import check_packages
from noisygrpo.training.settings import complete, placeholder_levels

DEFAULTS: dict[str, Any] = {"report_to": "none", "logging_steps": 1}
"""Training fields that a recipe need not name: everything is written to the run's own folder."""

_EVERY = "rows to measure while training are those of the section evaluation: set evaluation.every"
_BEST = f"{_EVERY}, and evaluation.best for the checkpoint that is kept"
_MODEL = "the model is described in the section model"
_TRAINER = "no trainer of rollouts reads it; leave it out"

ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(
        (
            "batch_eval_metrics",
            "bf16_full_eval",
            "do_eval",
            "do_predict",
            "eval_accumulation_steps",
            "eval_delay",
            "eval_do_concat_batches",
            "eval_on_start",
            "eval_steps",
            "eval_strategy",
            "eval_use_gather_object",
            "fp16_full_eval",
            "include_for_metrics",
            "num_generations_eval",
            "per_device_eval_batch_size",
            "prediction_loss_only",
        ),
        _EVERY,
    ),
    **dict.fromkeys(
        ("load_best_model_at_end", "metric_for_best_model", "greater_is_better"), _BEST
    ),
    **dict.fromkeys(("model_init_kwargs", "trust_remote_code"), _MODEL),
    **dict.fromkeys(
        (
            "do_train",
            "label_names",
            "label_smoothing_factor",
            "length_column_name",
            "local_rank",
            "max_tool_calling_iterations",
            "parallelism_config",
            "remove_unused_columns",
            "train_sampling_strategy",
        ),
        _TRAINER,
    ),
    "resume_from_checkpoint": "give the option --resume",
    "reward_weights": "give each reward its weight under rewards",
    "auto_find_batch_size": "a smaller batch would not hold whole groups; lower "
    "per_device_train_batch_size",
    "use_transformers_paged": "it is called use_transformers_continuous_batching now",
    "vllm_importance_sampling_cap": "it is called vllm_importance_sampling_clip_max now",
}
"""Fields of ``training`` that `noisygrpo train` cannot honour, and what to do instead."""


def check_settings(
    method: str, training: dict[str, Any], rewards: list[dict[str, Any]], *, here: bool = True
) -> None:
    """Check what a recipe says, as far as no library of training is needed for it.

    Args:
        method: its name.
        training: fields of that section, with types checked.
        rewards: entries of that section.
        here: whether it will run on this machine, so that packages must be here.

    Raises:
        UserError: naming the field, its value and what is allowed or to be done instead.
    """
    refuse_elsewhere(training)
    check_rewards(rewards)
    training = placeholder_levels(method, training)
    everything = {**fields.defaults("training"), **DEFAULTS, **training, "method": method}
    values = complete(everything)
    if values["vllm_importance_sampling_correction"] is None:
        values["vllm_importance_sampling_correction"] = True
    try:
        check(training, values)
        if here:
            check_packages(values)
    except UserError as error:
        raise UserError(in_section(str(error))) from error


def in_section(message: str) -> str:
    """The message with the section in front of the field that it begins with."""
    plain = message.removeprefix("training: ")
    if plain.startswith(("method:", "training.")):
        return plain
    word = plain.replace(":", " ").partition(" ")[0]
    return f"training.{plain}" if word in fields.defaults("training") else f"training: {plain}"


def refuse_elsewhere(given: dict[str, Any]) -> None:
    """Refuse fields of ``training`` that belong to another section or option, or to nothing."""
    defaults = fields.defaults("training")
    for name, instead in ELSEWHERE.items():
        value = given.get(name)
        require(
            value is None or value == defaults[name],
            f"training.{name}: {shown(value)} cannot be given here: {instead}",
        )
    if given.get("save_strategy") == "best":
        raise UserError(f"training.save_strategy: 'best' cannot be given here: {_BEST}")
    if given.get("lr_scheduler_type") in ("reduce_lr_on_plateau", "greedy"):
        raise UserError(
            f"training.lr_scheduler_type: {given['lr_scheduler_type']!r} follows an evaluation "
            "loss, which rollouts do not have; give another, such as linear"
        )
