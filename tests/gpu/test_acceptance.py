"""`make gpu-acceptance` on a CPU, from end to end, with a kill on the way; and what it refuses."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from acceptance_page import of_trl, peak, planned
from gpu_acceptance import METHODS, RECIPE, Stage, arguments, main, missing, read, stages
from machine import this_machine
from noisygrpo.recipes.recipe import load_recipe


def killed_while_training(folder: Path) -> list[str]:
    """Kill the command once its first run has saved; returns what was done by then."""
    words = ["--tiny", "--output-dir", str(folder)]
    parent = multiprocessing.get_context("fork").Process(target=main, args=(words,))
    parent.start()
    until = time.monotonic() + 300
    while not (folder / "grpo" / "checkpoint-2").is_dir() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(parent.pid, signal.SIGKILL)
    parent.join()
    return list(read(folder / "done.json"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a command that was killed and called again, and what was done before."""
    folder = tmp_path_factory.mktemp("acceptance") / "out"
    before = killed_while_training(folder)
    figures = folder / "none"
    assert main(["--tiny", "--output-dir", str(folder), "--figures", str(figures)]) == 0
    return folder, before


def test_from_end_to_end_with_a_kill(made):
    folder, before = made
    assert before == ["check"]
    for method in METHODS:
        lines = (folder / method / "metrics.jsonl").read_text().splitlines()
        steps = [entry["step"] for entry in map(json.loads, lines) if "time/update" in entry]
        assert steps == [1, 2, 3, 4]
        assert (folder / method / "checkpoint" / "adapter_config.json").is_file()
    said = (folder / "logs" / "train-grpo.log").read_text()  # of the second call
    assert "step 4/4" in said and "step 1/4" not in said
    assert (folder / "report.html").stat().st_size > 10_000
    compared = json.loads((folder / "comparison.json").read_text())
    assert [d["method"] for d in compared["differences"]] == ["noisygrpo", "before"]


def test_the_page_has_goals_runs_and_accuracy(made):
    text = (made[0] / "acceptance.md").read_text()
    assert text.startswith("`make gpu-acceptance` on CPU, torch ")
    assert "- not measured: an update at least 3 times as fast as TRL's" in text
    assert "a step of NoisyGRPO at most 1.05 times one of GRPO: " in text
    assert "4 and 4 tokens a completion" in text
    assert "\n| grpo | " in text and "\n| noisygrpo | " in text
    assert "| test | noisygrpo - grpo |" in text


def test_what_is_done_is_not_done_again(made, capsys, monkeypatch):
    monkeypatch.setattr("gpu_acceptance.alone", pytest.fail)
    assert main(["--tiny", "--output-dir", str(made[0])]) == 0
    assert capsys.readouterr().out.count("done before") == 8


def test_other_settings_are_refused_by_the_run_that_is_there(made, capsys):
    words = ["--tiny", "--output-dir", str(made[0]), "--training.max_completion_length", "8"]
    assert main(words) == 2
    said = capsys.readouterr().out
    assert "train-grpo: status 2" in said and "max_completion_length" in said


@pytest.mark.parametrize(
    ("data", "reason"),
    [("nowhere.jsonl", "nowhere.jsonl"), ("rows.jsonl", "evaluation.splits")],
    ids=["no such file", "nothing to measure on"],
)
def test_wrong_data_are_refused_before_training(made, tmp_path, capsys, data, reason):
    rows = made[0] / "tiny" / data
    words = ["--tiny", "--output-dir", str(tmp_path), "--data", str(rows)]
    assert main([*words, "--model", str(made[0] / "tiny" / "model")]) == 2
    said = capsys.readouterr().out
    assert "check: status 2" in said and reason in said
    assert said.endswith("the same command goes on with: check\n")
    assert not (tmp_path / "grpo").exists()


# ---- stages and words ----


@pytest.mark.parametrize(
    "words",
    [[], ["--model", "x"], ["--data", "x"], ["--model", "x", "--data"], ["--steps", "3"]],
)
def test_model_and_data_are_needed(words, capsys):
    with pytest.raises(SystemExit) as stop:
        arguments(words)
    assert stop.value.code == 2


def test_without_a_gpu_it_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    words = ["--model", "x", "--data", "y", "--output-dir", str(tmp_path / "out")]
    assert main(words) == 2
    assert capsys.readouterr().out.startswith("error: nvidia-smi names no card")
    assert not (tmp_path / "out").exists()


def all_stages(folder, *more):
    given = ["--model", "m", "--data", "d", "--output-dir", str(folder), *more]
    args, overrides = arguments(given)
    return {stage.name: stage for stage in stages(args, overrides, folder, this_machine("cpu"))}


def test_overrides_go_to_what_takes_them(tmp_path):
    found = all_stages(tmp_path, "--evaluation.rows", "7", "--training.seed=3")
    assert "--evaluation.rows=7" in found["check"].words
    assert "--evaluation.rows=7" in found["evaluate-grpo"].words
    assert "--evaluation.rows=7" not in found["train-grpo"].words
    assert "--training.seed=3" in found["train-noisygrpo"].words
    assert list(found) == [
        "check", "train-grpo", "train-noisygrpo", "evaluate-before", "evaluate-grpo",
        "evaluate-noisygrpo", "compare", "report",
    ]  # fmt: skip


def test_what_follows_a_missing_stage_is_missing(tmp_path):
    book = tmp_path / "done.json"
    every = [Stage(name, (name,), tmp_path / name) for name in "abc"]
    assert missing(every, book) == every
    book.write_text(json.dumps({name: [name, ""] for name in "abc"}))
    for name in "abc":
        (tmp_path / name).touch()
    assert missing(every, book) == []
    (tmp_path / "b").unlink()  # its product was taken away
    assert [stage.name for stage in missing(every, book)] == ["b", "c"]
    book.write_text(json.dumps({"a": ["a", "older data"], "b": ["b", ""], "c": ["c", ""]}))
    assert missing(every, book) == every
    for damaged in ("{", "[]", ""):
        book.write_text(damaged)
        assert missing(every, book) == every


def test_the_recipe_is_what_is_promised():
    for method in METHODS:
        recipe = load_recipe(str(RECIPE), [("method", method), ("data.source", "x")])
        training = recipe.training
        assert training["max_steps"] == 200 and training["num_generations"] == 8
        assert training["shared_prefix"] is True and training["save_only_model"] is False
        assert recipe.model.path == "Qwen/Qwen2.5-VL-3B-Instruct"
        noisy = method == "noisygrpo"
        assert (training.get("noise_levels") == [0.0, 0.3, 0.6, 0.9]) is noisy


# ---- the page ----


def test_the_goals_about_trl_are_those_of_the_same_card(tmp_path):
    machine = this_machine("cpu")
    goal = {"text": "update ... TRL's", "state": "met", "numbers": "4 times"}
    other = {"text": "a step of NoisyGRPO", "state": "met", "numbers": "1 times"}
    for name, card in (("a", "CPU"), ("b", "another card")):
        (tmp_path / name).mkdir()
        text = json.dumps({"machine": {"card": card}, "goals": [goal, other]})
        (tmp_path / name / "figures.json").write_text(text)
    assert [one.line() for one in of_trl(tmp_path, machine)] == ["met: update ... TRL's: 4 times"]
    (tmp_path / "a" / "figures.json").unlink()
    assert [one.state for one in of_trl(tmp_path, machine)] == ["not measured"]


def test_memory_against_the_plan(tmp_path):
    steps = [{"step": 1, "memory/peak_gb": 10.0}, {"step": 2, "memory/peak_gb": 20.0}, {"loss": 1}]
    text = "".join(json.dumps(step) + "\n" for step in steps)
    (tmp_path / "metrics.jsonl").write_text(text)
    assert peak(tmp_path) == "21.5"  # GiB as torch counts, GB as the plan does
    log = tmp_path / "check.log"
    log.write_text("  strategy  weights  peak  host  fits\n  ddp   7.8   18.2   0.0   yes\n")
    assert planned(log) == "18.2"
    log.write_text("nothing\n")
    assert planned(log) == ""
