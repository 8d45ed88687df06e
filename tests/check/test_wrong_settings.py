"""Wrong settings, many: `noisygrpo check` ends each in one line and leaves nothing behind.

What the line must contain was written before it was run. The first part needs tables only, the
second a model's shape, or the step that `check` rehearses.
"""

import os
import tempfile

import pytest

pytest.importorskip("peft", reason="LoRA needs the extra 'peft'")

TRAINING = {
    # --- numbers outside of their range
    "learning_rate": [("nan", "nan number"), ("inf", "inf number"), (".nan", "nan at least 0"),
                      ("-1e-6", "-1e-06"), ("1e10", "at most 10"), ("1e999", "inf")],
    "per_device_train_batch_size": [("0", "0 at least 1"), ("-8", "-8 at least 1"),
                                    ("2.5", "2.5 whole number"), ("10000000000", "at most")],
    "gradient_accumulation_steps": [("0", "at least 1")],
    "steps_per_generation": [("0", "at least 1")],
    "num_generations": [("1", "at least 2"), ("-4", "-4"), ("3", "3 divide 8 rollouts")],
    "num_iterations": [("0", "at least 1")],
    "num_train_epochs": [("-1 --training.max_steps -1", "-1 above 0"), ("nan", "nan")],
    "max_steps": [("0", "0 at least 1 or -1"), ("99999999999999999999", "at most 1,000,000,000")],
    "seed": [("-1", "-1 at least 0"), ("4294967296", "at most 4,294,967,295")],
    "top_p": [("2", "2 above 0 at most 1"), ("0", "above 0")],
    "top_k": [("-5", "-5 at least 0"), ("-1", "-1")],
    "min_p": [("1.5", "at most 1")],
    "temperature": [("-1", "above 0"), ("0", "above 0"), ("inf", "inf")],
    "repetition_penalty": [("0", "above 0")],
    "epsilon": [("-0.2", "-0.2 above 0")],
    "epsilon_high": [("-1", "above 0")],
    "beta": [("-0.04", "at least 0"), ("nan", "nan")],
    "weight_decay": [("-0.1", "at least 0")],
    "adam_beta1": [("1.0", "at most")],
    "adam_beta2": [("-0.9", "at least 0")],
    "adam_epsilon": [("0", "above 0")],
    "max_grad_norm": [("-1", "at least 0"), (".nan", "nan")],
    "warmup_steps": [("-10", "at least 0")],
    "max_completion_length": [("0", "at least 1"), ("-5", "-5")],
    "logging_steps": [("0", "above 0"), ("2.5", "2.5 whole number")],
    "save_steps": [("-10 --training.save_strategy steps", "above 0")],
    "save_total_limit": [("0 --training.save_strategy steps", "at least 1")],
    "dataloader_num_workers": [("-1", "at least 0")],
    "ddp_timeout": [("0", "at least 1")],
    "vllm_gpu_memory_utilization": [("1.5", "at most 1")],
    "vllm_server_port": [("70000", "at most 65,535")],
    "noise_levels": [("[0, .nan]", "nan"), ("[-0.1, 0.3]", "-0.1"), ("0.5", "0.5 list"),
                     ("[]", "levels is empty")],
    "clean_rollouts": [("-1 --training.view_plan uniform", "-1 at least 0")],
    "hint_levels": [("0", "at least 1"), ("1000000", "at most 1,000")],
    "bayes_alpha": [("0", "above 0")],
    "bayes_r": [("-1", "at least 0")],
    "max_pixels": [("0", "at least 1"), ("10 --training.min_pixels 20", "min_pixels 20 above 10")],
    # --- names
    "lr_scheduler_type": [("cosin", "cosin cosine"), ("reduce_lr_on_plateau", "follows linear")],
    "optim": [("adam", "adam adamw_torch mean"), ("adamw_bnb_8bit", "pip install bitsandbytes"),
              ("paged_lion_8bit", "pip install bitsandbytes"), ("lomo", "pip install lomo-optim"),
              ("galore_adamw", "pip install galore-torch"),
              ("schedule_free_adamw", "pip install schedulefree")],
    "report_to": [("tensorbord", "tensorbord mean tensorboard"), ("mlflow", "pip install mlflow"),
                  ("[wandb, none]", "pip install wandb"), ("5", "5")],
    "loss_type": [("ppo", "ppo dapo")],
    "save_strategy": [("sometimes", "sometimes steps"), ("best", "evaluation.best")],
    "logging_strategy": [("never", "never steps")],
    "rollouts_format": [("csv", "csv parquet")],
    "noise_decay": [("cosine", "cosine sigmoid")],
    "advantage": [("gae", "gae bayesian"), ("grpo --training.bayes_r 0.2", "bayes_r no effect")],
    "view_plan": [("clean --training.advantage grpo --training.noise_levels [0.3]",
                   "noise_levels no effect clean")],
    "vllm_mode": [("server", "server no effect use_vllm"), ("both", "both colocate")],
    "log_level": [("loud", "loud warning")],
    "cache_implementation": [("fast", "fast dynamic")],
    "pad_to_multiple_of": [("many", "many auto"), ("0", "0 auto")],
    "hint_template": [("<think>", "<think> {hint}")],
    # --- what the command line cannot do
    "eval_strategy": [("steps", "steps evaluation.every"), ("epoch", "evaluation.every")],
    "eval_steps": [("5", "evaluation.every")],
    "do_eval": [("true", "evaluation.every")],
    "load_best_model_at_end": [("true", "evaluation.best")],
    "resume_from_checkpoint": [("runs/x", "--resume")],
    "reward_weights": [("[1, 1]", "rewards")],
    "model_init_kwargs": [("{a: 1}", "section model")],
    "trust_remote_code": [("true", "section model")],
    "label_smoothing_factor": [("0.1", "leave it out")],
    "auto_find_batch_size": [("true", "whole groups")],
    "ban_image_tokens": [("false", "not offered never sampled")],
    # --- settings that would do nothing
    "save_total_limit ": [("2", "no effect save_strategy 'no'")],
    "hint_style": [("step", "no effect hint_levels")],
    "hint_markers": [("true", "no effect hint_levels 1")],
    "correct_at": [("0.5", "no effect constant_groups")],
    "correct_reward": [("accuracy", "no effect constant_groups")],
    "noise_decay_coefficient": [("3", "coefficient")],
    "shared_prefix_kernel": [("flex", "no effect shared_prefix")],
    "entropy_target": [("0.3", "no effect use_adaptive_entropy")],
    "ref_model_sync_steps": [("3", "no effect sync_ref_model")],
    "sapo_temperature_neg": [("2", "no effect loss_type")],
    "vllm_tensor_parallel_size": [("2", "no effect use_vllm")],
    "dataloader_prefetch_factor": [("2", "no effect dataloader_num_workers")],
    "gradient_checkpointing_kwargs": [("{use_reentrant: true}", "no effect")],
    "num_completions_to_print": [("2", "no effect log_completions")],
    "project": [("mine", "no effect report_to")],
    "hub_model_id": [("me/x", "no effect push_to_hub")],
    "num_train_epochs ": [("2 --training.max_steps 4", "no effect max_steps 4")],
    # --- packages, and settings that exclude each other
    "use_liger_kernel": [("true", "pip install liger-kernel")],
    "deepspeed": [("zero.json", "pip install deepspeed>=")],
    "bf16": [("true --training.fp16 true", "bf16 fp16 both")],
    # --- types
    "gradient_checkpointing": [("maybe", "maybe true or false")],
    "run_name": [("mine", "no effect report_to none")],
}  # fmt: skip
"""Field of ``training`` to values (with what else is given) and words of the message."""

OTHERS = {
    ("--method", "grop"): "method grop mean grpo",
    ("--method", "grpo", "--training.noise_levels", "[0, 0.3]"): "noise_levels no effect clean",
    ("--model.quantization", "4bit"): "model.quantization 4bit needs model.lora",
    ("--data.seed", "-1"): "data.seed -1 0 to",
    ("--rewards", "[{name: accuracy, weight: .inf}]"): "weight inf",
    ("--evaluation.splits", "test"): "evaluation.splits test list",
    ("--evaluation.splits", "['../x']"): "evaluation.splits ../x folder",
    ("--evaluation", "[a]"): "evaluation mapping",
    ("--evaluation.max_new_tokens", "9999999999"): "evaluation.max_new_tokens 9999999999",
    ("--training.max_prompt_length", "5"): "max_prompt_length data.max_prompt_tokens",
    ("--training.fsdp_config", "no.json"): "fsdp_config no effect fsdp",
    ("--training.accelerator_config", "{foo: 1}"): "training foo",
    ("--training.accelerator_config", "no.json"): "training no.json",
    ("--training.debug", "underflow_overfow"): "training underflow_overflow",
    ("--training.generation_batch_size", "7"): "training.generation_batch_size 7",
    ("--training.use_vllm", "true"): "use_vllm pip install vllm>=",
    ("--training.loss_type", "sapo", "--training.epsilon", "0.3"): "epsilon no effect sapo",
    ("--training.optim", "sgd", "--training.adam_beta1", "0.5"): "adam_beta1 no effect sgd",
    ("--model.lora", "8"): "model.lora mapping",
    ("--model.lora.bias", "some"): "model.lora.bias some lora_only",
    ("--model.dtype", "fp8"): "model.dtype fp8 bfloat16",
    ("--model.quantization", "2bit"): "model.quantization 2bit 4bit",
    ("--model.lora.r", "0"): "model.lora.r 0 1 to",
    ("--model.lora.r", "-3"): "model.lora.r -3",
    ("--model.lora.rank", "3"): "model.lora.rank not a known field",
    ("--model.lora.lora_dropout", "1.5"): "model.lora.lora_dropout 1.5",
    ("--model.lora.target_modules", "[]"): "model.lora.target_modules names no module",
    ("--model", "./nowhere"): "model.path ./nowhere",
    ("--data.limit", "-1"): "data.limit -1",
    ("--data.limit", "many"): "data.limit many whole number",
    ("--data.source", "nowhere.jsonl"): "nowhere.jsonl",
    ("--data", "null"): "data.source",
    ("--rewards", "[acuracy]"): "rewards[0] acuracy accuracy",
    ("--rewards", "[]"): "rewards empty",
    ("--rewards", "[{name: accuracy, tolerence: 1}]"): "tolerence",
    ("--rewards", "[nofile.py:reward]"): "nofile.py",
    ("--evaluation.batch_size", "0"): "evaluation.batch_size 0",
    ("--evaluation.every", "0"): "evaluation.every 0",
    ("--evaluation.every", "2", "--evaluation.best", "train"): "evaluation.best train ['test']",
    ("--evaluation.best", "test"): "evaluation.best no effect evaluation.every",
    ("--evaluation.every_rows", "5"): "evaluation.every_rows no effect evaluation.every",
    ("--evaluation.text_bias_scale", ".nan"): "evaluation.text_bias_scale nan",
    ("--training", "5"): "training 5 mapping",
    ("--training.generation_kwargs", "[1]"): "generation_kwargs [1]",
    ("--training.generation_kwargs", "{tempature: 2}"): "tempature mean temperature",
    ("--training.optim_args", "beta1=0.5"): "optim_args no effect adamw_torch",
    ("--training.optim", "sgd", "--training.optim_args", "momentum"): "optim_args momentum name=",
    ("--training.optim_target_modules", "[q_proj]"): "optim_target_modules no effect",
    ("--rows", "0"): "--rows 0",
    ("--training.seed", "*a"): "--training.seed not valid YAML",
    ("--training.noise_levels", "[" * 60): "--training.noise_levels nested deeper",
}
"""Words of the command to words of the message."""

IN_A_STEP = {
    ("--training.lr_scheduler_type", "cosine_with_min_lr"): "min_lr",
    ("--training.lr_scheduler_type", "warmup_stable_decay"): "num_decay_steps",
    ("--training.lr_scheduler_kwargs", "{num_cycle: 2}"): "num_cycle",
    ("--training.router_aux_loss_coef", "0.1"): "router_aux_loss_coef",
    ("--model.lora.r", "4", "--model.lora.target_modules", "[qproj]"): "qproj mean q_proj",
    ("--model.lora.r", "4", "--model.lora.target_modules", "[q_proj, vproj]"): "vproj v_proj",
    (
        "--model.lora.target_modules", "[qkv]", "--training.freeze_vision_tower", "true",
    ): "model.lora.target_modules qkv no parameter to train",
    ("--training.chat_template_kwargs", "{tools: 5}"): "multiple values keyword argument 'tools'",
    ("--model.lora.target_modules", "all-linaer"): "all-linaer mean all-linear",
    ("--model.lora.target_modules", "("): "model.lora.target_modules no pattern",
    ("--model.lora", "{modules_to_save: [lm_hed]}"): "modules_to_save lm_hed mean lm_head",
    (
        "--model.lora", "{target_modules: [q_proj], exclude_modules: [q_proj]}",
    ): "model.lora No modules",
    ("--model.lora.r", "4", "--model.quantization", "4bit"): "model.quantization bitsandbytes",
    (
        "--training.lr_scheduler_type", "polynomial",
        "--training.lr_scheduler_kwargs", "{lr_end: 1}",
    ): "lr_end smaller",
    ("--training.sync_ref_model", "true", "--training.beta", "0.1", "--model.lora.r", "4"):
        "sync_ref_model PEFT",
    ("--training.use_transformers_continuous_batching", "true"): "continuous_batching multimodal",
    (
        "--training.gradient_checkpointing", "true",
        "--training.gradient_checkpointing_kwargs", "{foo: 1}",
    ): "foo",
    ("--training.optim", "sgd", "--training.optim_args", "momentum=x"): "'x'",
    ("--model.attn_implementation", "flash"): "model.attn_implementation 'flash' eager",
    ("--model.attn_implementation", "flash_attention_2"): "flash_attention_2 installed",
}  # fmt: skip
"""What only a model's shape, or a step of training, shows."""


@pytest.fixture
def told(recipe_file, run_cli, tmp_path, monkeypatch):
    """Runs `check` with these words; returns its one line, nothing being left behind."""
    recipe = recipe_file()
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def run(*words):
        before = dict(os.environ)
        status, _, error = run_cli("check", recipe, "--no-rollout", *words)
        lines = [line for line in error.splitlines() if line]
        assert status == 2
        assert lines[-1].startswith("error: ") and "Traceback" not in error
        assert sum(line.startswith("error: ") for line in lines) == 1 and len(lines[-1]) < 700
        assert not list(work.iterdir()) and not list(temporary.iterdir())
        assert {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"} == {
            k: v for k, v in before.items() if k != "PYTEST_CURRENT_TEST"
        }
        return lines[-1]

    return run


def missing(line, words):
    return [word for word in words.split() if word not in line]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [(field.strip(), *pair) for field, pairs in TRAINING.items() for pair in pairs],
)
def test_a_wrong_value_of_training(told, field, value, words):
    first, *more = value.split(" --")
    given = [f"--training.{field}", first]
    for pair in more:
        given += [f"--{pair.partition(' ')[0]}", pair.partition(" ")[2]]
    line = told(*given)
    assert not missing(line, words), line
    assert "training." in line or "view_plan" in line


@pytest.mark.parametrize("given", OTHERS)
def test_a_wrong_value_elsewhere(told, given):
    line = told(*given)
    assert not missing(line, OTHERS[given]), line


@pytest.mark.parametrize("given", IN_A_STEP)
def test_what_a_step_shows(told, given):
    line = told(*given)
    assert not missing(line, IN_A_STEP[given]), line
