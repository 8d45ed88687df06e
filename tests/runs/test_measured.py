"""Numbers before training: made once, whatever stops the run, and comparable with those after."""

import json
import os
import shutil
import signal

import pytest

from noisygrpo.evaluation import evaluate
from noisygrpo.runs.interrupt import NOT_FINISHED

ROWS = {"rows": 2, "batch_size": 1}
EVERY = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1}


@pytest.fixture
def answered(monkeypatch):
    """The batches that were answered; at the one of a number, from 1, something is done once."""
    batches, acted, real = [], [], evaluate.generate_batch

    def at(number, act):
        def generate_batch(model, processor, rows, generation):
            if len(batches) + 1 == number and not acted:
                acted.append(number)
                act()
            batches.append([row["example_id"] for row in rows])
            return real(model, processor, rows, generation)

        monkeypatch.setattr(evaluate, "generate_batch", generate_batch)
        return batches

    return at


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def break_off():
    raise KeyboardInterrupt  # as by Ctrl-C, also where the tests run in the background


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("act", "code", "said"),
    [(terminate, NOT_FINISHED, "SIGTERM: stopped outside of training"), (break_off, 130, "interr")],
)
def test_a_signal_before_training_loses_no_answer(
    recipe_file, run_cli, tmp_path, answered, act, code, said
):
    words = ("train", recipe_file(evaluation=ROWS), "--output-dir")
    assert run_cli(*words, tmp_path / "whole")[0] == 0
    batches = answered(2, act)
    out = tmp_path / "run"
    status, _, error = run_cli(*words, out, "--auto-resume")
    assert status == code and said in error and "Traceback" not in error
    assert len(batches) == 1
    assert len((out / "evaluation" / "before" / "test" / "samples.jsonl").open().readlines()) == 1
    assert not (out / "evaluation" / "before" / "test" / "result.json").exists()
    batches.clear()
    assert run_cli(*words, out, "--auto-resume")[0] == 0
    assert len(batches) == 3  # one before training, and two after it
    for moment in ("before", "after"):
        one, other = (tmp_path / name / "evaluation" / moment / "test" for name in ("whole", "run"))
        assert files(one) == files(other)


def test_a_split_that_is_done_is_not_measured_again(recipe_file, run_cli, tmp_path, answered):
    """Nor where the first step was not to come: the kill before it leaves the same folder."""
    out, words = tmp_path / "run", ("train", recipe_file(evaluation=ROWS), "--output-dir")
    assert run_cli(*words, out)[0] == 0
    for name in ("checkpoint", "metrics.jsonl", "rollouts.jsonl", "evaluation/after"):
        path = out / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    batches = answered(0, terminate)
    assert run_cli(*words, out)[0] == 0
    assert len(batches) == 2


@pytest.mark.parametrize(
    "change",
    [
        ("--evaluation.temperature=1",),
        ("--evaluation.max_new_tokens=3",),
        ("--model.lora.r=4", "--model.lora.target_modules=[q_proj]"),
        ("--overwrite",),
    ],
)
def test_a_start_goes_on_with_answers_to_its_own_question_alone(
    recipe_file, run_cli, tmp_path, answered, change
):
    words = ("train", recipe_file(evaluation=ROWS), "--output-dir", tmp_path / "run")
    batches = answered(2, terminate)
    assert run_cli(*words)[0] == NOT_FINISHED
    batches.clear()
    assert run_cli(*words, *change)[0] == 0
    assert len(batches) == 4


def test_a_signal_before_any_answer_leaves_nothing(recipe_file, run_cli, tmp_path, answered):
    answered(1, terminate)
    status, _, _ = run_cli("train", recipe_file(), "--output-dir", tmp_path / "run")
    assert status == NOT_FINISHED and not (tmp_path / "run").exists()


def test_other_questions_on_a_resume_are_refused_by_field_and_then_asked_anew(
    recipe_file, run_cli, tmp_path
):
    out = tmp_path / "run"
    words = ("train", recipe_file(training=EVERY, evaluation=ROWS), "--output-dir", out)
    assert run_cli(*words)[0] == 0
    before = files(out / "evaluation" / "before" / "test")
    new = ("--evaluation.rows=1", "--evaluation.batch_size=2", "--evaluation.max_new_tokens=3")
    status, _, error = run_cli(*words, "--resume", *new)
    assert status == 2 and "Traceback" not in error and "--overwrite" not in error
    for field in ("rows: 2 -> 1", "batch_size: 1 -> 2", "max_new_tokens: 4 -> 3"):
        assert f"evaluation.{field}" in error
    assert "Give what it was, or --changed to measure anew" in error
    assert files(out / "evaluation" / "before" / "test") == before
    status, text, _ = run_cli(*words, "--resume", "--changed", *new)
    assert status == 0 and "is measured anew with what is new: evaluation." in text
    summary = json.loads((out / "summary.json").read_text())
    assert [summary["test"][moment]["n"] for moment in ("before", "after")] == [1, 1]
    (entry,) = json.loads((out / "changes.json").read_text())["changes"]
    assert entry["after_step"] == 2 and entry["changed"]["evaluation.rows"] == [2, 1]
    assert run_cli(*words, "--resume", *new)[0] == 0  # it is what the folder holds now


def test_other_rows_of_the_same_number_are_named_too(recipe_file, run_cli, tmp_path):
    out = tmp_path / "run"
    words = ("train", recipe_file(training=EVERY, evaluation=ROWS), "--output-dir", out)
    assert run_cli(*words)[0] == 0
    path = tmp_path / "test.jsonl"
    path.write_text(path.read_text().replace("Do you see", "Can you see"))
    status, _, error = run_cli(*words, "--auto-resume")
    assert status == 2 and "evaluation: rows of test: 2 -> 'other 2'" in error


def test_a_split_more_is_measured_and_one_less_is_not(recipe_file, run_cli, tmp_path):
    out = tmp_path / "run"
    words = ("train", recipe_file(training=EVERY), "--output-dir", out)
    assert run_cli(*words)[0] == 0
    assert run_cli(*words, "--resume", "--no-evaluation")[0] == 0
    assert (out / "evaluation" / "before" / "test" / "result.json").is_file()
    assert run_cli(*words, "--resume")[0] == 0
