"""Progress for people: one line a log, a table on a terminal."""

import io
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from noisygrpo.terminal import Loudness, speak
from noisygrpo.training.records import progress
from noisygrpo.training.records.progress import StepLines, StepTable, install, step_line


def test_line_says_what_one_waits_for():
    logs = {"loss": 0.01234, "reward": 0.5, "learning_rate": 1e-6, "step_time": 3.21}
    line = step_line(logs, 12, 200, 603.4)
    assert line == "step 12/200  reward 0.5  loss 0.0123  s/step 3.21  left 0:10:03"
    assert step_line({"eval_reward": 0.25}, 12, 200, 9.0) == "step 12/200  evaluation  reward 0.25"
    assert step_line({"train_runtime": 61.2}, 200, 200, 0.0) == "step 200/200  trained in 0:01:01"


def state(step, main=True):
    return SimpleNamespace(global_step=step, max_steps=10, is_world_process_zero=main)


def test_lines_say_what_is_left_by_the_mean_step(capsys, monkeypatch):
    times = iter([100.0, 106.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    lines = StepLines()
    lines.on_train_begin(None, state(4), None)  # resumed at step 4
    lines.on_log(None, state(4), None, logs={"loss": 1.0})
    lines.on_log(None, state(7), None, logs={"loss": 1.0})  # 3 steps in 6 seconds
    lines.on_log(None, state(7, main=False), None, logs={"loss": 1.0})
    assert capsys.readouterr().out.splitlines() == [
        "step 4/10  loss 1",
        "step 7/10  loss 1  left 0:00:06",
    ]


def test_evaluation_without_training_has_its_line(capsys):
    StepLines().on_log(None, state(0), None, logs={"eval_reward": 0.5})
    assert capsys.readouterr().out == "step 0/10  evaluation  reward 0.5\n"


def test_a_table_grows_on_a_terminal(monkeypatch):
    times = iter([100.0, 106.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(times)))
    text = io.StringIO()
    table = StepTable(Console(file=text, force_terminal=True, width=80, no_color=True))
    table.on_log(None, state(4), None, logs={"loss": 9.0})  # before training: nothing to show
    table.on_train_begin(None, state(4), None)
    table.on_step_end(None, state(7), None)  # 3 steps in 6 seconds
    table.on_log(None, state(7), None, logs={"loss": 0.25, "reward": 0.5, "learning_rate": 1e-6})
    print("said meanwhile")
    table.on_log(None, state(10), None, logs={"train_runtime": 61.0})
    table.on_train_end(None, state(10), None)
    assert "said meanwhile" in text.getvalue()
    last = [line.split() for line in text.getvalue().splitlines()[-4:]]
    assert [row for row in last if row[:1] == ["7"]] == [["7", "0.5", "0.25"]]
    assert "0:00:06 left" in text.getvalue()
    assert "9" not in text.getvalue().replace("0:00:06", "")


def test_a_table_is_shown_by_the_main_process_only():
    text = io.StringIO()
    table = StepTable(Console(file=text, force_terminal=True))
    table.on_train_begin(None, state(0, main=False), None)
    table.on_step_end(None, state(1, main=False), None)
    table.on_log(None, state(1, main=False), None, logs={"loss": 1.0})
    table.on_train_end(None, state(1, main=False), None)
    assert text.getvalue() == ""


def test_nothing_is_said_when_it_shall_be_quiet(capsys):
    speak(Loudness.QUIET)
    StepLines().on_log(None, state(1), None, logs={"loss": 1.0})
    speak()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("there", "terminal", "added"),
    [
        ([ProgressCallback], True, [StepTable]),
        ([ProgressCallback], False, [StepLines]),
        ([PrinterCallback], True, [StepLines]),  # the bar was switched off
        ([TrainerCallback], True, []),  # a notebook has a table of its own
        ([], False, []),
    ],
)
def test_they_take_the_place_of_transformers(monkeypatch, there, terminal, added):
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: terminal))
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: True))
    callbacks = [kind.__new__(kind) for kind in there]
    found = []

    def pop(kind):
        return next((one for one in callbacks if isinstance(one, kind)), None)

    install(lambda one: found.append(type(one)), pop)
    assert found == added
