"""Shells complete what the command line takes."""

import shutil
import subprocess
import sys

import pytest

from noisygrpo.cli import main


def completed(words, tmp_path, capsys):
    """What bash offers for the last of the words."""
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "noisygrpo.bash"
    script.write_text(capsys.readouterr().out)
    code = f"""
        source {script}
        COMP_WORDS=(noisygrpo {" ".join(words[:-1])} "{words[-1]}")
        COMP_CWORD={len(words)}
        $(complete -p noisygrpo | sed 's/.*-F \\([^ ]*\\).*/\\1/') noisygrpo "{words[-1]}" ""
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    return {line.strip() for line in done.stdout.splitlines()}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["tra"], {"train"}),
        (["train", "playground-h"], {"playground-hint-grpo"}),
        (["train", "--ou"], {"--output-dir"}),
        (["train", "playground", "--training.bayes"], {"--training.bayes_alpha"}),
        (["check", "playground", "--data.sour"], {"--data.source"}),
    ],
)
def test_bash_offers(words, offered, tmp_path, capsys):
    assert offered <= completed(words, tmp_path, capsys)


def test_bash_falls_back_on_files(capsys):
    main(["completion", "bash"])
    assert (
        "complete -o bashdefault -o default -F _shtab_noisygrpo noisygrpo"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script(shell, capsys):
    assert main(["completion", shell]) == 0
    assert "playground-hint-grpo" in capsys.readouterr().out


def test_without_the_library_it_is_told(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == ("error: completion needs shtab: pip install 'shtab>=1.7'\n")
