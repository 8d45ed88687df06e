"""`noisygrpo train` from a recipe to a run's folder, on a tiny random model."""

import json
from pathlib import Path

import yaml
from transformers import AutoModelForImageTextToText

import noisygrpo.runs.train
from noisygrpo.playground import load_processor
from noisygrpo.training.finite import NonFiniteError


def test_a_full_model_from_an_adapter_has_no_reference_to_load(adapter, recipe_file, run_cli):
    """TRL would load the base as the reference, which is not what training starts from."""
    folder, _ = adapter
    recipe = recipe_file(model=str(folder), training={"beta": 0.04})
    status, _, said = run_cli("train", recipe, "--output-dir", str(Path(folder).parent / "run"))
    assert status == 2 and "noisygrpo merge" in said


def test_train_leaves_everything_in_its_folder(recipe_file, run_cli, tmp_path, monkeypatch):
    out = tmp_path / "run"
    status, text, _ = run_cli("train", recipe_file(), "--output-dir", str(out), "--training.seed=3")
    assert status == 0
    summary = json.loads((out / "summary.json").read_text())
    for moment in ("before", "after"):
        assert set(summary["test"][moment]) == {"accuracy", "stderr", "n"}
        assert summary["test"][moment]["n"] == 2
    AutoModelForImageTextToText.from_pretrained(out / "checkpoint")
    load_processor(out / "checkpoint")
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert "reward" in metrics[0]
    rollouts = [json.loads(line) for line in (out / "rollouts.jsonl").read_text().splitlines()]
    assert [row["noise_level"] for row in rollouts] == [0.0, 0.3, 0.6, 0.9] * 2
    assert (out / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert yaml.safe_load((out / "recipe.yaml").read_text())["training"]["seed"] == 3
    assert "2 prompts x 4 rollouts = 8 per generation" in text
    assert "before" in text and str(out) in text
    check_second_run_is_refused(run_cli, recipe_file(), out)
    assert f"--model {out / 'checkpoint'} --recipe {out / 'recipe.yaml'}" in text
    check_checkpoint_evaluates(run_cli, out, tmp_path, monkeypatch)


def check_second_run_is_refused(run_cli, recipe: str, out: Path) -> None:
    status, _, error = run_cli("train", recipe, "--output-dir", str(out))
    assert status == 2
    assert "earlier run" in error and "--overwrite" in error
    assert (out / "summary.json").exists()


def check_checkpoint_evaluates(run_cli, out: Path, tmp_path: Path, monkeypatch) -> None:
    """By the recipe that is named, or found beside it if its data is below where we work."""
    words = (
        "evaluate",
        "--model",
        str(out / "checkpoint"),
        "--output-dir",
        str(tmp_path / "again"),
    )
    status, _, error = run_cli(*words)
    assert status == 2 and "lies outside the working directory" in error
    named = run_cli(*words, "--recipe", str(out / "recipe.yaml"))
    monkeypatch.chdir(tmp_path)
    found = run_cli(*words, "--overwrite")
    assert named[0] == found[0] == 0
    assert "found beside the model" in found[1] and "found beside" not in named[1]
    result = json.loads((tmp_path / "again" / "test" / "result.json").read_text())
    summary = json.loads((out / "summary.json").read_text())
    assert result["accuracy"] == summary["test"]["after"]["accuracy"]


def test_a_folder_that_is_no_run_is_left_alone(recipe_file, run_cli, tmp_path):
    out = tmp_path / "precious"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    status, _, error = run_cli("train", recipe_file(), "--output-dir", str(out), "--overwrite")
    assert status == 2
    assert "left alone" in error
    assert (out / "thesis.txt").read_text() == "years of work"


def test_resume_without_a_checkpoint_says_so(recipe_file, run_cli, tmp_path):
    status, _, error = run_cli(
        "train", recipe_file(), "--output-dir", str(tmp_path / "none"), "--resume"
    )
    assert status == 2
    assert "holds no whole checkpoint" in error


def test_resume_goes_on_from_the_last_checkpoint(recipe_file, run_cli, tmp_path):
    out = tmp_path / "run"
    recipe = recipe_file(training={"save_strategy": "steps", "save_steps": 1})
    assert run_cli("train", recipe, "--output-dir", str(out))[0] == 0
    (out / "notes.txt").write_text("mine")
    words = ("--output-dir", str(out), "--training.max_steps", "2")
    status, _, _ = run_cli("train", recipe, *words, "--resume", "--changed")
    assert status == 0
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == [1, 2]
    status, _, _ = run_cli("train", recipe, *words, "--overwrite", "--no-evaluation")
    assert status == 0
    assert not (out / "evaluation").exists() and not (out / "summary.json").exists()
    assert (out / "notes.txt").read_text() == "mine"  # only what a run writes is removed


def test_the_model_is_never_overwritten_by_its_own_run(recipe_file, run_cli, model_folder):
    looks_like_a_run = Path(model_folder) / "environment.json"
    looks_like_a_run.write_text("{}")
    try:
        status, _, error = run_cli(
            "train", recipe_file(), "--output-dir", model_folder, "--overwrite"
        )
    finally:
        looks_like_a_run.unlink()
    assert status == 2 and "holds the model" in error
    assert (Path(model_folder) / "model.safetensors").is_file()


def test_a_loss_that_is_not_a_number_ends_without_a_traceback(recipe_file, run_cli, monkeypatch):
    def diverge(*args, **kwargs):
        raise NonFiniteError("step 2: the loss is nan")

    monkeypatch.setattr(noisygrpo.runs.train, "train", diverge)
    status, _, error = run_cli("train", recipe_file())
    assert (status, error) == (1, "stopped: step 2: the loss is nan\n")
