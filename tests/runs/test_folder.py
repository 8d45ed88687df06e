"""A start that fails leaves nothing that blocks the next one."""

import pytest

from noisygrpo.training.trainer import NoisyGRPOTrainer


@pytest.fixture
def failing(monkeypatch):
    """Lets a run fail where the test says."""

    def at(place):
        def fail(*args, **kwargs):
            raise RecursionError("no memory is left")

        name = {"loading": "load_model", "evaluation": "evaluate", "end": "save_checkpoint"}
        if place == "step":
            monkeypatch.setattr(NoisyGRPOTrainer, "training_step", fail)
        else:
            monkeypatch.setattr(f"noisygrpo.runs.train.{name[place]}", fail)

    return at


@pytest.mark.parametrize("place", ["loading", "evaluation", "step"])
def test_a_run_without_a_step_leaves_nothing(recipe_file, run_cli, tmp_path, failing, place):
    recipe, out = recipe_file(), tmp_path / "runs" / "new"
    failing(place)
    with pytest.raises(RecursionError):
        run_cli("train", recipe, "--output-dir", out)
    assert not out.exists()


def test_the_next_start_succeeds(recipe_file, run_cli, tmp_path):
    words = ("train", recipe_file(), "--output-dir", tmp_path / "run")
    wrong = ("--training.lr_scheduler_type", "cosine_with_min_lr")
    status, _, said = run_cli(*words, *wrong)
    assert status == 2 and "min_lr" in said and "Traceback" not in said
    assert not (tmp_path / "run").exists()
    assert run_cli(*words)[0] == 0


def test_an_earlier_run_stays_until_the_new_one_is_loaded(
    recipe_file, run_cli, tmp_path, monkeypatch, failing
):
    words = ("train", recipe_file(), "--output-dir", tmp_path / "run", "--overwrite")
    assert run_cli(*words)[0] == 0
    before = {path.name for path in (tmp_path / "run").iterdir()}
    failing("loading")
    with pytest.raises(RecursionError):
        run_cli(*words)
    assert {path.name for path in (tmp_path / "run").iterdir()} == before


def test_what_is_not_the_runs_stays(recipe_file, run_cli, tmp_path, failing):
    words = ("train", recipe_file(), "--output-dir", tmp_path / "run", "--overwrite")
    assert run_cli(*words)[0] == 0
    (tmp_path / "run" / "notes.txt").write_text("mine")
    failing("step")
    with pytest.raises(RecursionError):
        run_cli(*words)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_a_run_with_a_step_stays(recipe_file, run_cli, tmp_path, failing):
    failing("end")
    with pytest.raises(RecursionError):
        run_cli("train", recipe_file(), "--output-dir", tmp_path / "run")
    assert (tmp_path / "run" / "metrics.jsonl").is_file()


def test_a_reward_that_exits_is_no_success_and_does_not_block_the_next_start(
    recipe_file, run_cli, tmp_path
):
    (tmp_path / "mine.py").write_text("import os\ndef mine(completions): os._exit(0)\n")
    out, rewards = tmp_path / "run", [f"{tmp_path / 'mine.py'}:mine"]
    words = ("train", recipe_file(rewards=rewards), "--output-dir", out, "--no-evaluation")
    status, said, error = run_cli(*words)
    (line,) = [line for line in error.splitlines() if line.startswith("stopped: ")]
    assert status == 1 and "reward 'mine', step 1, row " in line and "everything is in" not in said
    assert (out / "rollouts.jsonl").is_file() and not (out / "checkpoint").exists()
    (tmp_path / "mine.py").write_text("def mine(completions): return [1.0] * len(completions)\n")
    assert run_cli(*words)[0] == 0


def test_a_file_that_exits_when_it_is_imported_is_a_mistake(recipe_file, run_cli, tmp_path):
    (tmp_path / "mine.py").write_text("import sys\nsys.exit(0)\n")
    rewards = [f"{tmp_path / 'mine.py'}:mine"]
    status, _, error = run_cli(
        "train", recipe_file(rewards=rewards), "--output-dir", tmp_path / "r"
    )
    assert status == 2 and "rewards: " in error and "asks the process to exit: exit(0)" in error
