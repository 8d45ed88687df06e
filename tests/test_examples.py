"""The examples run, on a tiny model."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_own_data_with_an_own_reward(run_cli, model_folder, monkeypatch):
    pytest.importorskip("peft", reason="the example uses LoRA")
    monkeypatch.chdir(EXAMPLES.parent)
    words = ("--model", model_folder, "--model.dtype", "float32", "--training.use_cpu", "true")
    status, text, _ = run_cli("check", "examples/own_data.yaml", *words, "--no-rollout")
    assert status == 0
    assert "brief" in text and "4 prompts x 4 rollouts = 16 per generation" in text


def load(name):
    spec = importlib.util.spec_from_file_location("example", EXAMPLES / name)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


def test_training_in_python(model_folder, tmp_path):
    load("train_in_python.py").main(steps=1, folder=str(tmp_path), model=model_folder)
    assert (tmp_path / "checkpoint" / "model.safetensors").is_file()
    assert (tmp_path / "rollouts.jsonl").read_text().count("\n") == 16


def test_text_bias_calibration(model_folder, run_cli):
    """A random model hardly looks at its image, so the scale must be large to show."""
    example = load("text_bias_calibration.py")
    answers = example.main(model_folder, question="What is it?", scales=(0.0, 100.0))
    assert len(answers) == 2 and answers[0] != answers[1]
    words = ("generate", "--model", model_folder, "--image", str(EXAMPLES / "picture.png"))
    words = (*words, "--question", "What is it?", "--prompt", "{question}")
    plain = run_cli(*words)[1]
    assert run_cli(*words, "--text-bias-scale", "0")[1] == plain
    status, calibrated, _ = run_cli(*words, "--text-bias-scale", "100")
    assert status == 0 and calibrated != plain
    status, _, error = run_cli(*words[:3], *words[5:], "--text-bias-scale", "0.8")
    assert status == 2 and "--text-bias-scale" in error
