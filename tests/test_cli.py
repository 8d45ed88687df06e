"""The parser of all commands."""

import subprocess
import sys

import pytest

from noisygrpo import __version__
from noisygrpo.cli import COMMANDS, main, split_overrides


def test_help_is_quick_and_names_every_command():
    # A fresh process, because this one has imported everything already.
    code = "import sys, noisygrpo.cli as c; c.build_parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_python_m_runs_the_command_line():
    words = [sys.executable, "-m", "noisygrpo", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"noisygrpo {__version__}"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as exit:
        main([command, "--help"])
    assert exit.value.code == 0
    assert COMMANDS[command].SUMMARY.split()[0] in capsys.readouterr().out


def test_overrides_are_taken_out_of_the_words():
    words = ["train", "--training.seed", "-1", "playground", "--method=grpo", "--resume"]
    assert split_overrides(words) == (
        ["train", "playground", "--resume"],
        [("training.seed", "-1"), ("method", "grpo")],
    )


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(args):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("noisygrpo.commands.env.run", broken)
    with pytest.raises(ZeroDivisionError):
        main(["env"])
