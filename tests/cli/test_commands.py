"""The smaller commands, and the parser."""

import subprocess
import sys

import pytest
import yaml
from PIL import Image

from noisygrpo import __version__
from noisygrpo.cli import COMMANDS, main, split_overrides
from tiny import tiny_image


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


def test_recipes_are_listed_and_printed(run_cli):
    _, listed, _ = run_cli("recipes")
    assert "playground" in listed and "qwen25vl-3b" in listed
    _, text, _ = run_cli("recipes", "qwen25vl-3b")
    assert yaml.safe_load(text)["method"] == "noisygrpo"


def test_env_names_versions(run_cli):
    status, text, _ = run_cli("env")
    assert status == 0
    assert __version__ in text and "trl" in text


def test_generate_answers_about_an_image(run_cli, model_folder, tmp_path):
    tiny_image(1).save(tmp_path / "a.png")
    words = ("--model", model_folder, "--image", str(tmp_path / "a.png"), "--question", "What?")
    status, text, _ = run_cli("generate", *words, "--max-new-tokens", "5")
    assert status == 0 and text.endswith("\n")
    noise = ("--noise-level", "0.9", "--temperature", "1", "--samples", "2")
    status, text, _ = run_cli("generate", *words, "--max-new-tokens", "5", *noise)
    assert status == 0 and text.count("\n") >= 2


def test_generate_refuses_a_broken_image_and_a_wrong_level(run_cli, model_folder, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    words = ("generate", "--model", model_folder, "--question", "What?", "--image")
    assert "a.png" in run_cli(*words, str(tmp_path / "a.png"))[2]
    tiny_image(1).save(tmp_path / "b.png")
    status, _, error = run_cli(*words, str(tmp_path / "b.png"), "--noise-level", "1.5")
    assert status == 2 and "--noise-level: 1.5 is outside [0, 1]" in error


def test_playground_show_writes_pictures(run_cli, tmp_path):
    words = ("playground", "show", "--rows", "2", "--split", "more")
    status, text, _ = run_cli(*words, "--output-dir", str(tmp_path))
    assert status == 0
    pictures = sorted(tmp_path.glob("*.png"))
    assert len(pictures) == 2 and text.count("answer: ") == 2
    assert Image.open(pictures[0]).size == (400, 100)


def test_evaluate_needs_a_model(run_cli):
    status, _, error = run_cli("evaluate")
    assert status == 2 and "--model" in error


def test_evaluate_on_a_benchmark_and_compare(run_cli, model_folder, tmp_path):
    words = ("evaluate", "--model", model_folder, "--benchmark", "playground-test", "--rows", "3")
    short = ("--max-new-tokens", "3")
    for name, noise in (("clean", "0"), ("noisy", "0.9")):
        folder = ("--output-dir", str(tmp_path / name), "--noise-level", noise)
        status, text, _ = run_cli(*words, *short, *folder)
        assert status == 0 and "n = 3" in text
    runs = (f"clean={tmp_path / 'clean'}", f"noisy={tmp_path / 'noisy'}")
    status, text, _ = run_cli("compare", *runs, "--plot", str(tmp_path / "plot.png"))
    assert status == 0 and "noisy - clean" in text
    assert (tmp_path / "plot.png").is_file()


def test_a_benchmark_has_no_recipe_to_override(run_cli):
    words = ("evaluate", "--model", "playground", "--benchmark", "nlvr", "--training.seed", "1")
    status, _, error = run_cli(*words)
    assert status == 2 and "--training.seed" in error


def test_an_unknown_benchmark_lists_them(run_cli):
    words = ("evaluate", "--model", "playground", "--benchmark", "nlvr3")
    status, _, error = run_cli(*words)
    assert status == 2 and "nlvr" in error and "mathvision" in error
