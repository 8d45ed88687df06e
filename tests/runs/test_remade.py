"""A run's folder that goes while the run goes on."""

import json
import shutil

import pytest

REWARD = """
import shutil
def mine(completions, trainer_state, where="", **columns):
    if trainer_state.global_step == 1:
        shutil.rmtree(where)
    return [float(len(turns[0]["content"]) % 3) for turns in completions]
"""


@pytest.fixture
def words(recipe_file, tmp_path):
    (tmp_path / "mine.py").write_text(REWARD)
    training = {"max_steps": 3, "save_strategy": "steps", "save_steps": 1}

    def of(where, **sections):
        rewards = [{"name": f"{tmp_path / 'mine.py'}:mine", "where": str(where)}]
        recipe = recipe_file(training=training, rewards=rewards, **sections)
        return ("train", recipe, "--output-dir", tmp_path / "run")

    return of


def test_a_folder_that_is_removed_is_made_again(words, run_cli, tmp_path):
    out = tmp_path / "run"
    status, _, error = run_cli(*words(out))
    assert status == 0 and "Traceback" not in error
    assert error.count("was removed or moved while training: it is made again") == 1
    assert "steps before 2" in error
    assert "before/test is gone: test has no number before training" in error.replace("\\", "/")
    assert not (out / "checkpoint-1").exists()
    assert all((out / f"checkpoint-{step}").is_dir() for step in (2, 3))
    kept = ("checkpoint", "environment.json", "recipe.yaml", "processor.json", "functions")
    assert all((out / name).exists() for name in kept)
    steps = {json.loads(line)["step"] for line in (out / "rollouts.jsonl").open()}
    assert steps == {2, 3}
    status, _, error = run_cli(*words(out), "--resume")
    assert status == 0 and "Traceback" not in error


def test_a_checkpoint_that_is_removed_is_no_matter(words, run_cli, tmp_path):
    status, _, error = run_cli(*words(tmp_path / "run" / "checkpoint-1"), "--no-evaluation")
    assert status == 0 and "removed" not in error
    assert (tmp_path / "run" / "checkpoint-3").is_dir()


def test_a_folder_that_goes_in_a_save_is_one_line(recipe_file, run_cli, tmp_path, monkeypatch):
    from noisygrpo.training import checkpoints

    out, seal = tmp_path / "run", checkpoints.seal

    def gone(written, folder):
        shutil.rmtree(out)
        seal(written, folder)

    monkeypatch.setattr(checkpoints, "seal", gone)
    training = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1}
    words = ("train", recipe_file(training=training), "--output-dir", out, "--no-evaluation")
    status, _, error = run_cli(*words)
    (line,) = [line for line in error.splitlines() if line.startswith("stopped: ")]
    assert status == 1 and "Traceback" not in error
    assert "cannot write " in line and f"was {out} removed or moved while the run wrote" in line
