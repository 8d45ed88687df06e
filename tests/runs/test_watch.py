"""Accuracy while it trains, and the best checkpoint by it."""

import json

import pytest
from transformers import AutoModelForImageTextToText

from noisygrpo.errors import UserError
from noisygrpo.evaluation.stats import Result
from noisygrpo.models.sealed import seal
from noisygrpo.recipes.recipe import EvaluationSpec
from noisygrpo.runs import watch
from two_processes import run_module

STEPS = {"max_steps": 4, "learning_rate": 1e-3}


def metrics_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def accuracies(monkeypatch):
    """Lets the splits' accuracy at each step while training be what the test says."""

    def say(by_step):
        real = watch.evaluate_rows

        def evaluate_rows(model, processor, rows, folder, **options):
            real(model, processor, rows, folder, **options)
            step = int(folder.parent.name.removeprefix("step-"))
            return Result(by_step[step], 0.1, len(rows), len(rows), 0)

        monkeypatch.setattr(watch, "evaluate_rows", evaluate_rows)

    return say


def test_every_so_many_steps(recipe_file, run_cli, tmp_path):
    recipe = recipe_file(training=STEPS, evaluation={"every": 2, "every_rows": 1})
    status, text, _ = run_cli("train", recipe, "--output-dir", tmp_path / "run")
    assert status == 0
    named = {
        line["step"]: line["evaluation/test/accuracy"]
        for line in metrics_of(tmp_path / "run")
        if "evaluation/test/accuracy" in line
    }
    assert set(named) == {2, 4} and set(named.values()) <= {0.0, 1.0}  # of one row
    assert "step 2/4  accuracy in percent: test" in text
    for step in (2, 4):
        samples = tmp_path / "run" / "evaluation" / f"step-{step:06d}" / "test" / "samples.jsonl"
        assert len(samples.read_text().splitlines()) == 1
    assert not (tmp_path / "run" / "best").exists()


def test_training_is_the_same_with_and_without(recipe_file, run_cli, tmp_path):
    """Rollouts, rewards and losses are equal; the log has the accuracies in addition."""
    for name, more in (("plain", {}), ("watched", {"every": 1, "best": "test"})):
        recipe = recipe_file(training=STEPS, evaluation=more)
        assert run_cli("train", recipe, "--output-dir", tmp_path / name)[0] == 0
    first, second = ((tmp_path / name / "rollouts.jsonl") for name in ("plain", "watched"))
    assert first.read_text() == second.read_text()
    plain, watched = (metrics_of(tmp_path / name) for name in ("plain", "watched"))
    for one, other in zip(plain, watched, strict=True):
        clocks = ("time", "step_time", "train_", "tokens_")
        same = [key for key in one if not key.startswith(clocks)]
        assert {key: one[key] for key in same} == {key: other[key] for key in same}


def test_the_best_checkpoint_is_kept(recipe_file, run_cli, tmp_path, accuracies):
    accuracies({1: 0.25, 2: 0.75, 3: 0.75, 4: 0.5})
    out = tmp_path / "run"
    recipe = recipe_file(training=STEPS, evaluation={"every": 1, "best": "test"})
    status, text, _ = run_cli("train", recipe, "--output-dir", out)
    assert status == 0
    best = json.loads((out / "best" / "evaluation.json").read_text())
    assert (best["step"], best["split"], best["accuracy"]) == (2, "test", 0.75)  # the earlier one
    summary = json.loads((out / "summary.json").read_text())
    assert summary["test"]["best"] == {"step": 2, "accuracy": 0.75, "stderr": 0.1, "n": 2}
    assert "best of test while training: 75.0 ± 10.0 at step 2" in text
    assert not list(out.glob("best.*"))
    kept = AutoModelForImageTextToText.from_pretrained(out / "best").state_dict()
    last = AutoModelForImageTextToText.from_pretrained(out / "checkpoint").state_dict()
    assert kept.keys() == last.keys()
    assert any((kept[key] != last[key]).any() for key in kept)


def test_a_resumed_run_remembers_the_best(recipe_file, run_cli, tmp_path, accuracies):
    accuracies({1: 0.75, 2: 0.5, 3: 0.6, 4: 0.9})
    out = tmp_path / "run"
    saving = {**STEPS, "save_strategy": "steps", "save_steps": 2}
    watched = {"every": 1, "best": "test"}
    first = recipe_file(training={**saving, "max_steps": 2}, evaluation=watched)
    assert run_cli("train", first, "--output-dir", out)[0] == 0
    longer = recipe_file(training={**saving, "max_steps": 3}, evaluation=watched)
    assert run_cli("train", longer, "--output-dir", out, "--resume", "--changed")[0] == 0
    assert json.loads((out / "best" / "evaluation.json").read_text())["step"] == 1
    longer = recipe_file(training={**saving, "max_steps": 4}, evaluation=watched)
    assert run_cli("train", longer, "--output-dir", out, "--resume", "--changed")[0] == 0
    assert json.loads((out / "best" / "evaluation.json").read_text())["step"] == 4


def test_a_damaged_best_counts_for_nothing(tmp_path, capsys):
    written = tmp_path / "written"
    written.mkdir()
    (written / "evaluation.json").write_text('{"step": 2, "split": "test", "accuracy": 0.75}')
    (written / "model.safetensors").write_bytes(b"12345678")
    seal(written, tmp_path / "best")
    assert watch.best_so_far(tmp_path)["step"] == 2
    (tmp_path / "best" / "model.safetensors").write_bytes(b"1234")
    assert watch.best_so_far(tmp_path) is None
    assert "does not count: model.safetensors has 4 bytes, not 8" in capsys.readouterr().err


def test_a_sharded_model_is_refused_by_name():
    class Sharded:
        is_fsdp_enabled, is_deepspeed_enabled = True, False

    with pytest.raises(UserError, match=r"evaluation\.every: 5 .* FSDP or DeepSpeed shards it"):
        watch.Watch(Sharded(), EvaluationSpec(every=5), {}, "model")


@pytest.mark.slow
def test_two_processes_stay_in_step(recipe_file, tmp_path):
    """One measures, both save: the run ends, and its folder is that of one run."""
    recipe = recipe_file(
        training={**STEPS, "max_steps": 2, "per_device_train_batch_size": 4},
        evaluation={"every": 1, "best": "test"},
    )
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "noisygrpo"]
    run_module(*launcher, "train", recipe, "--output-dir", str(tmp_path / "run"))
    measured = [line for line in metrics_of(tmp_path / "run") if "evaluation/test/accuracy" in line]
    assert [line["step"] for line in measured] == [1, 2]
    assert (tmp_path / "run" / "best" / "evaluation.json").is_file()


def test_a_best_of_other_rows_or_another_split_counts_for_nothing(
    recipe_file, run_cli, tmp_path, accuracies
):
    accuracies({1: 0.75, 2: 0.5, 3: 0.25})
    out = tmp_path / "run"
    saving = {**STEPS, "save_strategy": "steps", "save_steps": 2}
    watched = {"every": 1, "best": "test"}
    first = recipe_file(training={**saving, "max_steps": 2}, evaluation=watched)
    assert run_cli("train", first, "--output-dir", out)[0] == 0
    fewer = {**watched, "every_rows": 1}
    longer = recipe_file(training={**saving, "max_steps": 3}, evaluation=fewer)
    status, text, _ = run_cli("train", longer, "--output-dir", out, "--resume", "--changed")
    assert status == 0 and "best/ is of 2 rows of test, asked is 1 of test: anew" in text
    assert json.loads((out / "best" / "evaluation.json").read_text())["step"] == 3
