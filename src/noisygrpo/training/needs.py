"""What a setting needs to have an effect: one table; ``idle`` refuses settings by it."""

from __future__ import annotations

from collections.abc import Callable

from noisygrpo.own.choice import KNOBS, is_own
from noisygrpo.training.levels.needs import LEVEL_RULES
from noisygrpo.training.packages import LAYERWISE
from noisygrpo.training.rule import Rule, Values
from noisygrpo.training.settings import (
    OF_A_SCHEDULE,
    OF_HINTS,
    is_compared,
    is_hinted,
    is_noisy,
)
from noisygrpo.training.views.needs import VIEW_RULES


def _with_schedule(values: Values) -> bool:
    return is_noisy(values) and values["noise_decay"] != "none"


def _reports_to(name: str) -> Callable[[Values], bool]:
    def works(values: Values) -> bool:
        named = values["report_to"]
        named = [named] if isinstance(named, str) else named or []
        return name in named or "all" in named

    return works


def _on(name: str) -> Callable[[Values], bool]:
    return lambda values: bool(values[name])


def _vllm(mode: str) -> Callable[[Values], bool]:
    return lambda values: bool(values["use_vllm"]) and values["vllm_mode"] == mode


_ADAM = ("adam_beta1", "adam_beta2", "adam_epsilon")
_NO_ARGS = ("adamw_torch", "adafactor", "lomo", "adalomo")
_NO_ADAM = ("adafactor", "sgd", "adagrad", "rmsprop")

RULES: tuple[Rule, ...] = (
    Rule(
        ("noise_levels", "clean_rollouts"),
        ("view_plan",),
        lambda values: values["view_plan"] != "clean",
        "give view_plan grid, uniform or split, or the method noisygrpo or noisyrollout",
    ),
    Rule(
        ("noise_kind", "noise_at", "noise_decay", *OF_A_SCHEDULE),
        ("view_plan", "noise_levels"),
        is_noisy,
        "give view_plan grid, uniform or split with a level above 0",
    ),
    Rule(
        OF_A_SCHEDULE,
        ("view_plan", "noise_decay"),
        _with_schedule,
        "give noise_decay a schedule",
    ),
    Rule(
        OF_HINTS,
        ("hint_levels",),
        is_hinted,
        "give hint_levels 2 or more, or the method hint_grpo",
    ),
    Rule(
        ("bayes_alpha", "bayes_r", "constant_groups"),
        ("advantage",),
        lambda values: values["advantage"] == "bayesian",
        "they belong to advantage bayesian",
    ),
    Rule(
        ("correct_reward", "correct_at"),
        ("advantage", "constant_groups", "second_gate"),
        lambda values: (
            is_own("advantage", values["advantage"])
            or (
                values["advantage"] == "bayesian"
                and values["constant_groups"] == "prior_if_correct"
            )
            or (is_compared(values) and values["second_gate"] == "correct")
        ),
        "give constant_groups prior_if_correct, or a second_view with second_gate correct",
    ),
    Rule(
        ("scale_rewards", "multi_objective_aggregation"),
        ("advantage", KNOBS),
        lambda values: values["advantage"] == "grpo" and "advantage" not in (values[KNOBS] or {}),
        "it belongs to advantage grpo, without knobs",
    ),
    Rule(
        ("log_view_ratio",),
        ("view_plan", "noise_levels", "use_vllm"),
        lambda values: is_noisy(values) or bool(values["use_vllm"]),
        "it compares views with clean images, or vLLM's arithmetic with the learner's",
    ),
    *VIEW_RULES,
    *LEVEL_RULES,
    Rule(("shared_prefix_kernel",), ("shared_prefix",), _on("shared_prefix"), "give shared_prefix"),
    Rule(
        ("num_train_epochs",),
        ("max_steps",),
        lambda values: values["max_steps"] < 0,
        "the steps say how long the run is; give max_steps -1 for epochs",
    ),
    Rule(
        ("save_steps",),
        ("save_strategy",),
        lambda values: values["save_strategy"] == "steps",
        "give save_strategy steps",
    ),
    Rule(
        ("save_total_limit", "save_only_model", "save_on_each_node"),
        ("save_strategy",),
        lambda values: values["save_strategy"] != "no",
        "give save_strategy steps or epoch",
    ),
    Rule(
        ("logging_steps", "logging_first_step"),
        ("logging_strategy",),
        lambda values: values["logging_strategy"] == "steps",
        "give logging_strategy steps",
    ),
    Rule(
        ("gradient_checkpointing_kwargs", "activation_checkpointing_kwargs"),
        ("gradient_checkpointing", "activation_checkpointing"),
        lambda values: bool(values["activation_checkpointing"] or values["gradient_checkpointing"]),
        "give gradient_checkpointing",
    ),
    Rule(
        ("dataloader_persistent_workers", "dataloader_prefetch_factor"),
        ("dataloader_num_workers",),
        _on("dataloader_num_workers"),
        "give dataloader_num_workers",
    ),
    Rule(
        _ADAM,
        ("optim",),
        lambda values: values["optim"] not in _NO_ADAM,
        "the optimizer does not know it",
    ),
    Rule(
        ("optim_args",),
        ("optim",),
        lambda values: not str(values["optim"]).startswith(_NO_ARGS),
        "this optimizer takes none",
    ),
    Rule(
        ("optim_target_modules",),
        ("optim",),
        lambda values: str(values["optim"]).startswith(LAYERWISE),
        "it belongs to galore and apollo optimizers",
    ),
    Rule(("fsdp_config",), ("fsdp",), _on("fsdp"), "give fsdp"),
    Rule(
        ("liger_kernel_config",),
        ("use_liger_kernel",),
        _on("use_liger_kernel"),
        "give use_liger_kernel",
    ),
    Rule(
        ("sync_ref_model",),
        ("beta",),
        lambda values: values["beta"] > 0,
        "without a KL term there is no reference; give beta",
    ),
    Rule(
        ("ref_model_mixup_alpha", "ref_model_sync_steps"),
        ("beta", "sync_ref_model"),
        lambda values: values["beta"] > 0 and values["sync_ref_model"],
        "give beta and sync_ref_model",
    ),
    Rule(
        ("sapo_temperature_neg", "sapo_temperature_pos"),
        ("loss_type",),
        lambda values: values["loss_type"] == "sapo",
        "it belongs to loss_type sapo",
    ),
    Rule(
        ("vespo_k_pos", "vespo_lambda_pos", "vespo_k_neg", "vespo_lambda_neg"),
        ("loss_type",),
        lambda values: values["loss_type"] == "vespo",
        "it belongs to loss_type vespo",
    ),
    Rule(
        ("delta",),
        ("loss_type",),
        lambda values: values["loss_type"] in ("grpo", "dapo", "bnpo", "dr_grpo", "luspo"),
        "it belongs to losses that clip on two sides",
    ),
    Rule(
        ("epsilon", "epsilon_high"),
        ("loss_type",),
        lambda values: values["loss_type"] not in ("sapo", "vespo"),
        "these losses do not clip",
    ),
    Rule(
        ("entropy_coef_min", "entropy_coef_max", "entropy_coef_delta", "entropy_target"),
        ("use_adaptive_entropy",),
        _on("use_adaptive_entropy"),
        "give use_adaptive_entropy",
    ),
    Rule(
        ("num_completions_to_print", "log_unique_prompts", "log_completions_hub_repo"),
        ("log_completions",),
        _on("log_completions"),
        "give log_completions",
    ),
    Rule(
        (
            "vllm_enable_sleep_mode",
            "vllm_gpu_memory_utilization",
            "vllm_max_model_length",
            "vllm_tensor_parallel_size",
            "vllm_model_impl",
        ),
        ("use_vllm", "vllm_mode"),
        _vllm("colocate"),
        "give use_vllm with vllm_mode colocate",
    ),
    Rule(
        (
            "vllm_server_base_url",
            "vllm_server_host",
            "vllm_server_port",
            "vllm_server_timeout",
            "vllm_group_port",
        ),
        ("use_vllm", "vllm_mode"),
        _vllm("server"),
        "give use_vllm with vllm_mode server",
    ),
    Rule(
        ("vllm_mode", "vllm_structured_outputs_regex"),
        ("use_vllm",),
        _on("use_vllm"),
        "give use_vllm",
    ),
    Rule(
        (
            "vllm_importance_sampling_mode",
            "vllm_importance_sampling_clip_max",
            "vllm_importance_sampling_clip_min",
        ),
        ("use_vllm", "vllm_importance_sampling_correction"),
        lambda values: values["use_vllm"] and values["vllm_importance_sampling_correction"],
        "they belong to vLLM's correction",
    ),
    Rule(
        ("cache_implementation", "use_transformers_continuous_batching", "shared_prefill"),
        ("use_vllm",),
        lambda values: not values["use_vllm"],
        "vLLM generates, by its own means",
    ),
    Rule(
        ("transformers_continuous_batching_config",),
        ("use_transformers_continuous_batching",),
        _on("use_transformers_continuous_batching"),
        "give use_transformers_continuous_batching",
    ),
    Rule(
        ("mismatch_limit",),
        ("check_pictures",),
        _on("check_pictures"),
        "give check_pictures true",
    ),
    Rule(
        ("run_name",),
        ("report_to",),
        lambda values: values["report_to"] not in (None, "none", [], ["none"]),
        "without a tracker the run is called by the recipe's name",
    ),
    Rule(
        ("trackio_space_id", "trackio_bucket_id", "trackio_static_space_id", "project"),
        ("report_to",),
        _reports_to("trackio"),
        "give report_to trackio",
    ),
    Rule(
        ("hub_private_repo", "hub_model_id", "hub_strategy", "hub_always_push", "hub_revision"),
        ("push_to_hub",),
        _on("push_to_hub"),
        "give push_to_hub",
    ),
)
"""What each field needs. Fields and switches are those of ``training``; the method's values count,
the user's are judged."""
