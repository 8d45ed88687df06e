"""The examples run, on a tiny model."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_own_data_with_an_own_reward(run_cli, model_folder, monkeypatch):
    pytest.importorskip("peft", reason="the example uses LoRA")
    monkeypatch.chdir(EXAMPLES.parent)
    words = ("--model", model_folder, "--model.dtype", "float32", "--training.use_cpu", "true")
    status, text, _ = run_cli("check", "examples/own_data.yaml", *words, "--no-rollout")
    assert status == 0
    assert "brief" in text and "4 prompts x 4 rollouts = 16 per generation" in text


def test_training_in_python(model_folder, tmp_path):
    spec = importlib.util.spec_from_file_location("example", EXAMPLES / "train_in_python.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(steps=1, folder=str(tmp_path), model=model_folder)
    assert (tmp_path / "checkpoint" / "model.safetensors").is_file()
    assert (tmp_path / "rollouts.jsonl").read_text().count("\n") == 16
