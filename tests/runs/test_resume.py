"""Going on: from the newest whole checkpoint, as the same run, and after a signal."""

import json
import os
import shutil
import signal

import pytest
from tests.faults.children import run_command
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from noisygrpo.runs.interrupt import NOT_FINISHED, Interrupt
from noisygrpo.training.trainer import NoisyGRPOTrainer
from two_processes import forks


@pytest.fixture
def run(recipe_file, run_cli, tmp_path):
    """Returns a function that trains into one folder, with a checkpoint each step."""
    recipe, out = recipe_file(), tmp_path / "run"

    def train(*words, steps=2):
        every = ["--training.save_strategy=steps", "--training.save_steps=1"]
        return run_cli(
            "train",
            recipe,
            "--output-dir",
            str(out),
            f"--training.max_steps={steps}",
            *every,
            *words,
        )

    train.out = out
    return train


def steps_logged(out):
    lines = [json.loads(line) for line in (out / "rollouts.jsonl").read_text().splitlines()]
    return sorted({line["step"] for line in lines})


def test_a_damaged_checkpoint_is_left_out_and_the_one_before_it_taken(run):
    assert run("--no-evaluation")[0] == 0
    before = (run.out / "checkpoint" / "model.safetensors").read_bytes()
    weights = run.out / "checkpoint-2" / "model.safetensors"
    weights.write_bytes(bytes(weights.stat().st_size))
    status, _, said = run("--no-evaluation", "--resume")
    assert status == 0
    assert "checkpoint-2 is left out: model.safetensors is not as it was written" in said
    assert steps_logged(run.out) == [1, 2]
    assert (run.out / "checkpoint" / "model.safetensors").read_bytes() == before


def test_a_run_that_is_done_trains_no_more(run):
    assert run()[0] == 0
    files = {name: (run.out / name).read_bytes() for name in ("rollouts.jsonl", "metrics.jsonl")}
    weights = (run.out / "checkpoint" / "model.safetensors").read_bytes()
    (run.out / "summary.json").unlink()
    assert run("--resume")[0] == 0
    assert {name: (run.out / name).read_bytes() for name in files} == files
    assert (run.out / "checkpoint" / "model.safetensors").read_bytes() == weights
    assert json.loads((run.out / "summary.json").read_text())["test"]["after"]["n"] == 2


def test_another_run_is_refused_with_the_difference_and_goes_on_where_that_is_asked(run):
    assert run("--no-evaluation")[0] == 0
    status, _, said = run("--no-evaluation", "--resume", "--training.seed=9", steps=3)
    assert status == 2
    assert "training.seed: " in said and "-> 9" in said and "training.max_steps: 2 -> 3" in said
    assert steps_logged(run.out) == [1, 2]
    changes = ("--resume", "--changed", "--training.seed=9")
    assert run("--no-evaluation", *changes, steps=3)[0] == 0
    (entry,) = json.loads((run.out / "changes.json").read_text())["changes"]
    assert entry["after_step"] == 2 and entry["changed"]["training.seed"][1] == 9
    assert steps_logged(run.out) == [1, 2, 3]
    status, _, said = run("--changed")
    assert status == 2 and "only with --resume" in said


class Signal(TrainerCallback):
    """So many signals to the process itself, when the second step begins."""

    def __init__(self, signals):
        self.signals = signals

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 1:
            for _ in range(self.signals):
                os.kill(os.getpid(), signal.SIGTERM)


def train_and_signal(signals, words, log):
    """Be the command, in a process that was just forked."""
    begin = NoisyGRPOTrainer.__init__

    def init(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        self.add_callback(Signal(signals))

    NoisyGRPOTrainer.__init__ = init
    run_command(words, log, {}, None)


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_ends_the_step_and_a_second_one_the_process(
    recipe_file, tmp_path, signals, run_cli
):
    out = tmp_path / "run"
    words = ["train", recipe_file(), "--output-dir", str(out), "--no-evaluation"]
    words += ["--training.max_steps=4", "--training.save_strategy=no"]
    log = tmp_path / "said"
    child = forks().Process(target=train_and_signal, args=(signals, words, str(log)))
    child.start()
    child.join()
    said = log.with_suffix(".err").read_text()
    assert "Traceback" not in said
    if signals == 2:
        assert child.exitcode == 130
        return
    assert child.exitcode == NOT_FINISHED
    assert "SIGTERM: the step is finished and saved" in said
    assert "stopped after step 2 of 4; go on with --resume" in said
    assert (out / "checkpoint-2").is_dir() and not (out / "checkpoint").exists()
    assert run_cli(*words, "--resume")[0] == 0
    assert steps_logged(out) == [1, 2, 3, 4] and (out / "checkpoint").is_dir()


def test_what_a_signal_saves_can_go_on():
    args, state = TrainingArguments(save_only_model=True), TrainerState(global_step=1, max_steps=2)
    Interrupt(lambda here: True).on_step_end(args, state, TrainerControl())
    assert args.save_only_model is False


def test_a_checkpoint_of_the_model_alone_is_gone_on_from_only_where_that_is_said(run):
    schedule = ("--no-evaluation", "--training.lr_scheduler_type=linear")
    status, printed, _ = run(*schedule, "--training.save_only_model=true", steps=4)
    assert status == 0
    assert "every 1 steps, the model alone (save_only_model): after a crash --resume" in printed
    rates = [json.loads(line) for line in (run.out / "metrics.jsonl").read_text().splitlines()]
    rates = [line["learning_rate"] for line in rates if "learning_rate" in line]
    for name in ("checkpoint-3", "checkpoint-4", "checkpoint"):
        shutil.rmtree(run.out / name)
    assert sorted(path.name for path in run.out.glob("checkpoint-2/*.p*t*")) == []
    status, _, said = run(*schedule, "--resume", steps=4)
    assert status == 2
    assert "checkpoint-2 holds the model alone: its optimizer and random numbers" in said
    status, printed, _ = run(*schedule, "--resume", "--changed", steps=4)
    assert status == 0
    assert "goes on from checkpoint-2 with a new optimizer" in printed
    (entry,) = json.loads((run.out / "changes.json").read_text())["changes"]
    assert entry == {"after_step": 2, "changed": {"optimizer": ["that of the run", "a new one"]}}
    again = [json.loads(line) for line in (run.out / "metrics.jsonl").read_text().splitlines()]
    again = [line["learning_rate"] for line in again if "learning_rate" in line]
    assert steps_logged(run.out) == [1, 2, 3, 4]
    assert again == pytest.approx(rates)  # the schedule is at its step, not at its beginning
    assert len(set(rates)) == 4


def test_one_command_starts_and_then_has_nothing_left_to_do(recipe_file, run_cli, tmp_path):
    out, words = tmp_path / "run", ("--auto-resume", "--no-evaluation")
    words = ("train", recipe_file(), "--output-dir", out, *words)
    assert run_cli(*words)[0] == 0
    files = ("rollouts.jsonl", "metrics.jsonl", "checkpoint/model.safetensors")
    before = {name: (out / name).read_bytes() for name in files}
    status, said, _ = run_cli(*words)
    assert status == 0 and "everything is in" in said
    assert {name: (out / name).read_bytes() for name in files} == before
    assert "exclude each other" in run_cli(*words, "--overwrite")[2]


def test_a_model_of_the_folders_name_is_another(run_cli, tmp_path, monkeypatch):
    """The built-in model is called playground, and lies in no folder of that name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("noisygrpo.runs.train.prepare", lambda *parts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_cli("train", "playground", "--output-dir", "playground")
    status, _, said = run_cli(
        "train", "playground", "--model", "run/checkpoint", "--output-dir", "run"
    )
    assert status == 2 and "holds the model run/checkpoint" in said
