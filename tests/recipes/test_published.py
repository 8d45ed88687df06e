"""Every shipped recipe, checked as ``noisygrpo check`` does on a tiny model and a copy of its data;
and the published ones against the values that were published."""

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from tests.recipes.copies import small

import noisygrpo.runs.train
from noisygrpo.check.recipe import check
from noisygrpo.methods.schedules import noise_scale
from noisygrpo.recipes.recipe import load_recipe, recipe_names
from noisygrpo.runs.prepare import make_config
from noisygrpo.training.config import METHODS, NoisyGRPOConfig
from noisygrpo.training.settings import OF_A_METHOD

BASELINES = [name for name in recipe_names() if f"{name}-grpo" in recipe_names()]
METHOD_FIELDS = {
    *OF_A_METHOD,
    "method",
    "vllm_importance_sampling_correction",  # off where views are noisy
}
"""Fields in which a method's run may differ from its baseline."""


def config_of(name: str) -> NoisyGRPOConfig:
    recipe = load_recipe(name, [("training.use_cpu", "true"), ("training.bf16", "false")])
    return make_config(recipe, "runs/none")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models and copies of data, each written once."""
    return tmp_path_factory.mktemp("recipes")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_passes_check(name, folder, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    monkeypatch.setattr(noisygrpo.runs.train, "require_vllm", lambda: None)  # samples nothing here
    recipe = small(load_recipe(name), folder)
    status = check(recipe, rows=4)
    text = capsys.readouterr().out
    assert status == 0, text
    assert "nothing wrong was found" in text
    config = config_of(name)
    assert f"x {config.num_generations} rollouts" in text
    assert "one group of rollouts" in text


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("noisyrollout-qwen25vl-7b-geo3k", {"advantage": "bayesian"}),
        ("hint-grpo-qwen2vl-7b", {"view_plan": "split", "noise_levels": [0.5]}),
        (
            "hint-grpo-qwen25vl-3b",
            {"view_plan": "grid", "noise_levels": [0.0, 0.3, 0.6, 0.9], "advantage": "bayesian"},
        ),
        ("noisygrpo-qwen25vl-3b", {"noise_decay": "sigmoid", "advantage": "rloo"}),
    ],
)
def test_methods_mix(name, changes, folder, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    monkeypatch.setattr(noisygrpo.runs.train, "require_vllm", lambda: None)  # samples nothing here
    recipe = small(load_recipe(name), folder)
    status = check(replace(recipe, training={**recipe.training, **changes}), rows=2)
    assert status == 0, capsys.readouterr().out


def test_every_method_has_a_recipe_for_the_playground() -> None:
    shown = {load_recipe(name).method for name in recipe_names() if name.startswith("playground")}
    assert shown == {"grpo", "noisygrpo", "noisyrollout", "hint_grpo"} <= set(METHODS)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_differs_in_the_method_alone(name) -> None:
    ours, plain = asdict(load_recipe(name)), asdict(load_recipe(f"{name}-grpo"))
    assert {key for key in ours if ours[key] != plain[key]} <= {"name", "method", "training"}
    first, second = config_of(name), config_of(f"{name}-grpo")
    names = [field.name for field in fields(NoisyGRPOConfig) if field.init]
    changed = {field for field in names if vars(first)[field] != vars(second)[field]}
    assert changed <= METHOD_FIELDS
    assert (second.method, second.noisy, second.hint_levels) == ("grpo", False, 1)


NOISYGRPO: dict[str, Any] = {
    "view_plan": "grid",
    "noise_levels": [0.0, 0.3, 0.6, 0.9],
    "noise_decay": "none",
    "advantage": "bayesian",
    "bayes_alpha": 0.01,
    "bayes_r": 0.1,
    "num_generations": 4,
    "num_train_epochs": 1,
    "num_iterations": 1,
    "learning_rate": 1e-6,
    "weight_decay": 0.0,
    "warmup_steps": 0,
    "max_grad_norm": 1.0,
    "beta": 0.04,
    "epsilon": 0.2,
    "loss_type": "grpo",
    "freeze_vision_tower": True,
    "max_completion_length": 256,
    "temperature": 1.0,
    "max_pixels": 2359296,
    "min_pixels": 3136,
}
NOISYROLLOUT: dict[str, Any] = {
    "view_plan": "split",
    "noise_decay": "sigmoid",
    "advantage": "grpo",
    "num_iterations": 1,
    "learning_rate": 1e-6,
    "lr_scheduler_type": "constant",
    "weight_decay": 0.01,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "max_grad_norm": 1.0,
    "beta": 0.0,
    "epsilon": 0.2,
    "entropy_coef": 1e-3,
    "freeze_vision_tower": True,
    "max_completion_length": 2048,
    "temperature": 1.0,
    "top_p": 1.0,
    "max_pixels": 1000000,
    "min_pixels": 262144,
    "vllm_tensor_parallel_size": 4,
}
HINT_GRPO: dict[str, Any] = {
    "view_plan": "clean",
    "hint_levels": 2,
    "hint_selection": "first_nonzero",
    "hint_place": "answer",
    "hint_markers": False,
    "advantage": "grpo",
    "num_generations": 4,
    "num_train_epochs": 2,
    "learning_rate": 1e-6,
    "beta": 0.04,
    "loss_type": "grpo",
    "freeze_vision_tower": False,
    "max_completion_length": 768,
    "temperature": 0.9,
    "max_pixels": 2359296,
}


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("noisygrpo-qwen25vl-3b", NOISYGRPO),
        ("noisygrpo-qwen25vl-7b", NOISYGRPO),
        ("qwen25vl-3b", NOISYGRPO),
        ("noisyrollout-qwen25vl-7b-geo3k", NOISYROLLOUT | {"num_generations": 12}),
        ("noisyrollout-qwen25vl-7b-mmk12", NOISYROLLOUT | {"num_generations": 12}),
        ("noisyrollout-qwen25vl-32b-geo3k", NOISYROLLOUT | {"num_generations": 8}),
        ("noisyrollout-qwen25vl-32b-mmk12", NOISYROLLOUT | {"num_generations": 8}),
        ("hint-grpo-qwen2vl-7b", HINT_GRPO),
        ("hint-grpo-qwen25vl-3b", HINT_GRPO),
    ],
)
def test_published_settings(name, published) -> None:
    values = vars(config_of(name))
    assert {field: values[field] for field in published} == published


def per_step(name: str, processes: int) -> tuple[float, float, float]:
    """Prompts of a batch of rollouts, prompts of an update, batches of rollouts in the run."""
    config = config_of(name)
    group, device = config.num_generations, config.per_device_train_batch_size * processes
    batch = device * config.steps_per_generation / group
    update = device * config.gradient_accumulation_steps / group
    return batch, update, config.max_steps * update / batch


def test_published_batches() -> None:
    assert per_step("noisygrpo-qwen25vl-3b", 8)[:2] == (16, 16)
    assert per_step("hint-grpo-qwen2vl-7b", 7)[:2] == (7, 7)
    batches = {"7b-geo3k": 60, "7b-mmk12": 120, "32b-geo3k": 40, "32b-mmk12": 70}
    for run, total in batches.items():
        for suffix in ("", "-grpo"):
            assert per_step(f"noisyrollout-qwen25vl-{run}{suffix}", 8) == (512, 128, total)


ANNEALING = {
    "7b-geo3k": {1: 499, 15: 499, 30: 496, 35: 462, 40: 250, 45: 37, 60: 0},
    "7b-mmk12": {1: 449, 30: 446, 35: 415, 40: 225, 45: 34, 60: 0, 120: 0},
    "32b-geo3k": {1: 449, 20: 449, 30: 439, 35: 225, 40: 10},
    "32b-mmk12": {30: 402, 35: 225, 40: 47, 52: 0},
}
"""Diffusion index by batch of rollouts, from the released formula, which truncates."""


@pytest.mark.parametrize("run", ANNEALING)
def test_published_annealing(run) -> None:
    name = f"noisyrollout-qwen25vl-{run}"
    config, total = config_of(name), per_step(name, 8)[2]
    assert config.noise_levels is not None and config.noise_decay is not None
    for step, index in ANNEALING[run].items():
        scale = noise_scale(
            config.noise_decay,
            step,
            int(total),
            config.noise_decay_coefficient,
            config.noise_decay_mid_step,
        )
        assert int(1000 * config.noise_levels[0] * scale) == index
    assert config.clean_rollouts == config.num_generations // 2


def test_families_and_rewards_are_the_published_ones() -> None:
    models = {name: load_recipe(name).model.path for name in recipe_names() if "qwen2" in name}
    for name, path in models.items():
        size = next(size for size in ("32b", "3b", "7b") if f"-{size}" in name)
        family = "Qwen2-VL" if "qwen2vl" in name else "Qwen2.5-VL"
        assert path == f"Qwen/{family}-{size.upper()}-Instruct"
    semantic, form = load_recipe("noisygrpo-qwen25vl-3b").rewards
    assert semantic["model"].endswith("all-mpnet-base-v2") and semantic["threshold"] == 0.6
    assert form["name"] == "format"
    (reward,) = load_recipe("noisyrollout-qwen25vl-7b-geo3k").rewards
    assert (reward["name"], reward["form"], reward["format_weight"]) == (
        "noisyrollout",
        "weighted",
        0.1,
    )
    assert load_recipe("hint-grpo-qwen2vl-7b").rewards == [{"name": "hint_accuracy"}]
