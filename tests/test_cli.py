"""The parser of all commands."""

import os
import subprocess
import sys

import pytest

from noisygrpo import __version__
from noisygrpo.cli import COMMANDS, main, split_overrides
from noisygrpo.terminal import Loudness, loudness


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian", "x"], "command: 'trian' is not known; did you mean 'train'?"),
        (["nothing-like-it"], "command: 'nothing-like-it' is not known; allowed: check, compare, "),
        (["train", "x", "--resum"], "noisygrpo train: --resum is no option of it; did you mean"),
        (
            ["check", "x", "--methd=grpo"],
            "noisygrpo check: --methd is no option of it; did you mean '--method'",
        ),
        (["env", "--x=1"], "noisygrpo env: --x is no option of it; allowed: --help, --no-color"),
        (["completion", "basch"], "shell: 'basch' is not known; did you mean 'bash'?"),
        (["train"], "the following arguments are required: recipe (see `noisygrpo train --help`)"),
        (["env", "-q", "-v"], "argument -v/--verbose: not allowed with argument -q/--quiet (see"),
    ],
)
def test_a_word_that_is_not_known_is_told_in_one_line(words, said, capsys):
    with pytest.raises(SystemExit) as exit:
        main(words)
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}") and error.count("\n") == 1


def test_how_loud_may_stand_before_or_behind_the_command(capsys):
    for words in (["-v", "recipes", "x"], ["recipes", "x", "-v"]):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.startswith("Traceback") and error.splitlines()[-1].startswith("error: ")
    assert main(["-q", "recipes", "x"]) == 2
    assert loudness() == Loudness.QUIET
    assert main(["recipes", "x"]) == 2
    assert loudness() == Loudness.NORMAL
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize("before", [["-q"], ["--no-color", "-v"]])
def test_fields_are_overridden_behind_options_of_all_commands(before, capsys):
    words = ["check", "playground", "--training.seed", "many"]
    assert main([*before, *words]) == 2
    assert "training.seed: 'many' is not a whole number" in capsys.readouterr().err


def test_what_a_disk_or_a_folder_says_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file" / "x")
    assert main(["playground", "show", "--output-dir", out]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("error: ") and "Not a directory" in said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_behind_standard_output_is_one_line():
    words = [sys.executable, "-m", "noisygrpo", "recipes"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: cannot write: No space left on device"
    assert "Traceback" not in done.stderr


def test_an_encoding_without_our_characters_is_no_error():
    words = [sys.executable, "-m", "noisygrpo", "train", "--help"]
    done = subprocess.run(
        words, env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
