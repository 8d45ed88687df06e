"""Recipes: sections, bases, overrides, types."""

from dataclasses import asdict

import pytest
import torch
import yaml

from noisygrpo.errors import UserError
from noisygrpo.models.loading import default_device
from noisygrpo.recipes.recipe import dump_recipe, load_recipe, parse_recipe, recipe_names
from noisygrpo.recipes.settings import check_settings
from noisygrpo.runs.prepare import make_config


def test_a_recipe_names_the_quantisation(recipe_file):
    override = ("model.quantization", "4bit")
    recipe = load_recipe(recipe_file(), [override, ("model.lora.r", "8")])
    assert recipe.model.quantization == "4bit"
    with pytest.raises(UserError, match=r"model\.quantization: '4bit' .* it needs model\.lora"):
        load_recipe(recipe_file(), [override])
    with pytest.raises(UserError, match=r"model\.quantization: '3bit' is not one of"):
        load_recipe(recipe_file(), [("model.quantization", "3bit")])


MINIMAL = {"method": "grpo", "data": "rows.jsonl", "rewards": ["accuracy"]}


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_valid(name, tmp_path):
    recipe = load_recipe(name, [("training.bf16", "false"), ("training.use_cpu", "true")])
    config = make_config(recipe, str(tmp_path))
    assert config.method == recipe.method
    assert config.output_dir == str(tmp_path)


def test_a_cpu_that_was_asked_for_trains_in_32_bits_beside_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    config = make_config(load_recipe("playground", [("training.use_cpu", "true")]), str(tmp_path))
    assert (config.bf16, config.dataloader_pin_memory) == (False, False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert (default_device(), default_device(config.use_cpu)) == ("cuda:0", "cpu")


def test_the_baseline_differs_in_the_method_alone():
    noisy, plain = asdict(load_recipe("playground")), asdict(load_recipe("playground-grpo"))
    changed = {key for key in noisy if noisy[key] != plain[key]}
    assert changed == {"name", "method", "training"}
    own = {k: noisy["training"].pop(k) for k in ("noise_levels", "advantage", "view_correction")}
    assert all(own.values()) and noisy["training"] == plain["training"]


def test_the_published_settings_are_those_of_the_script(tmp_path):
    recipe = load_recipe("qwen25vl-3b", [("training.use_cpu", "true")])
    config = make_config(recipe, str(tmp_path))
    published = {
        "noise_levels": [0.0, 0.3, 0.6, 0.9],
        "num_generations": 4,
        "bayes_alpha": 0.01,
        "bayes_r": 0.1,
        "learning_rate": 1e-6,
        "beta": 0.04,
        "epsilon": 0.2,
        "max_completion_length": 256,
        "freeze_vision_tower": True,
        "max_pixels": 2359296,
        "min_pixels": 3136,
        "num_iterations": 1,
    }
    assert {name: vars(config)[name] for name in published} == published


def test_a_dumped_recipe_loads_as_itself(tmp_path):
    recipe = load_recipe("playground", [("training.learning_rate", "3e-6"), ("name", "mine")])
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(recipe))
    assert load_recipe(str(path)) == recipe
    assert recipe.name == "mine"


def test_a_base_is_merged_by_field(tmp_path):
    (tmp_path / "base.yaml").write_text(
        yaml.safe_dump({**MINIMAL, "training": {"seed": 1, "beta": 0.1}, "model": "folder"})
    )
    (tmp_path / "mine.yaml").write_text(
        "base: base.yaml\nmodel: {dtype: bfloat16}\ntraining: {seed: 2}\nrewards: [format]\n"
    )
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    assert recipe.training == {"seed": 2, "beta": 0.1}
    assert (recipe.model.path, recipe.model.dtype) == ("folder", "bfloat16")
    assert recipe.rewards == [{"name": "format"}]


def test_bases_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("base: b.yaml\n")
    (tmp_path / "b.yaml").write_text("base: a.yaml\n")
    with pytest.raises(UserError, match="leads back"):
        load_recipe(str(tmp_path / "a.yaml"))


def test_a_base_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: playgrond\n")
    with pytest.raises(UserError, match=r"mine\.yaml: base: 'playgrond' .* mean 'playground"):
        load_recipe(str(path))
    path.write_text("base: other.yaml\n")
    with pytest.raises(UserError, match=r"other\.yaml: there is no such file"):
        load_recipe(str(path))
    path.write_text("base: [playground]\n")
    with pytest.raises(UserError, match=r"mine\.yaml: base: \['playground'\] is not"):
        load_recipe(str(path))


def test_overrides_take_the_type_of_their_field(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(MINIMAL))
    overrides = [
        ("training.learning_rate", "1e-6"),
        ("training.max_steps", "-1"),
        ("training.noise_levels", "[0, 0.5]"),
        ("training.run_name", "2024"),
        ("training.generation_kwargs.top_k", "5"),
        ("data.columns.answer", "solution"),
        ("data.limit", "null"),
        ("model", "other/model"),
        ("model.lora.r", "8"),
        ("evaluation", "null"),
        ("training.max_steps", "7"),
    ]
    recipe = load_recipe(str(path), overrides)
    assert recipe.training == {
        "learning_rate": 1e-6,
        "max_steps": 7,
        "noise_levels": [0, 0.5],
        "run_name": "2024",
        "generation_kwargs": {"top_k": 5},
    }
    assert recipe.data.columns == {"answer": "solution"}
    assert (recipe.model.path, recipe.model.lora) == (
        "other/model",
        {"target_modules": "all-linear", "r": 8},
    )
    assert recipe.data.limit is None and recipe.evaluation is None


def test_a_model_override_keeps_the_section():
    recipe = load_recipe("qwen25vl-3b", [("model", "my/model")])
    assert (recipe.model.path, recipe.model.dtype) == ("my/model", "float32")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": None}, "method"),
        ({"rewards": "accuracy"}, "rewards"),
        ({"data": {}}, "data.source"),
        ({"training": [1]}, "training: .* is not a mapping"),
        ({"model": {"dtype": "float8"}}, "model.dtype: 'float8' is not one of"),
        ({"model": {"trust_remote_code": "yes"}}, "trust_remote_code"),
        ({"evaluation": {"rows": 0}}, "evaluation.rows: 0"),
        ({"evaluation": {"text_bias_scale": -1}}, "evaluation.text_bias_scale: -1"),
        ({"evaluation": {"temperature": -0.1}}, "evaluation.temperature: -0.1, allowed is 0"),
        ({"rewads": []}, "did you mean 'rewards'"),
    ],
)
def test_a_wrong_recipe_names_the_field(change, words):
    with pytest.raises(UserError, match=words):
        parse_recipe({**MINIMAL, **change})


@pytest.mark.parametrize(("given", "kept"), [("false", False), ("true", True), ("batch", "batch")])
def test_scale_rewards_has_both_of_trls_spellings(given, kept):
    overrides = [("method", "grpo"), ("training.scale_rewards", given)]
    assert load_recipe("playground", overrides, check_settings).training["scale_rewards"] == kept
    with pytest.raises(UserError, match="scale_rewards: '1' is not one of group, batch, none"):
        load_recipe("playground", [("training.scale_rewards", "1")], check_settings)
