"""docs/your-own-variant.md pastes and runs: the file, the recipe, the commands, Python."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from tiny import tiny_qwen25vl, tiny_rows, tiny_settings

PAGE = Path(__file__).parents[1] / "docs" / "your-own-variant.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
SMALL = {
    "--training.num_generations": "4",
    "--training.per_device_train_batch_size": "8",
    "--training.gradient_accumulation_steps": "1",
    "--training.max_completion_length": "4",
    "--training.max_steps": "2",
    "--training.use_cpu": "true",
    "--evaluation.splits": "[test]",
    "--evaluation.rows": "4",
    "--evaluation.max_new_tokens": "4",
    "--data.limit": "8",
}
"""So that a command takes a second; all else is as it stands on the page."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the page's two files."""
    (_, file), (_, recipe) = BLOCKS[:2]
    (tmp_path / "mine.py").write_text(file)
    (tmp_path / "mine.yaml").write_text(recipe.replace("save_steps: 10", "save_steps: 1"))
    (tmp_path / "odd.py").write_text(
        "def odd(completions, rollout_index):\n    return [float(n % 2) for n in rollout_index]\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands():
    lines = BLOCKS[2][1].splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines]


def small(words, model):
    """The words of a command, on the tiny model and a few rows."""
    if words[0] == "compare":
        return words
    if words[0] == "evaluate":
        return [*words, "--rows", "4", "--max-new-tokens", "4"]
    # A random model is never right.
    more = ["--no-rollout"] if words[0] == "check" else ["--rewards", "['odd.py:odd']"]
    return [*words, *more, "--model", model, *(word for pair in SMALL.items() for word in pair)]


def weights(folder):
    return (folder / "checkpoint" / "model.safetensors").read_bytes()


def test_from_idea_to_comparison(here, run_cli, model_folder):
    check, train, resume, knob, published, compare, evaluate = commands()
    said = {}
    for words in (check, train, knob, published, compare, evaluate):
        status, said[" ".join(words[:4])], error = run_cli(*small(words, model_folder))
        assert status == 0, (words, error)
    (views,) = re.findall("^views .*", said["train mine.yaml --output-dir runs/mine"], re.MULTILINE)
    assert views.startswith("views    mine.py:stairs, mine.py:stripes noise")
    assert views.endswith("; advantage mine.py:tilted (alpha 0.5)")
    lines = Path("runs/mine/rollouts.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["noise_level"] for record in records[:4]] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert all(name in said[" ".join(compare[:4])] for name in ("mine-alpha2", "published"))
    curves = json.loads(next(here.rglob("robustness.json")).read_text())["curves"]
    levels = {name: [point["level"] for point in curve] for name, curve in curves.items()}
    assert levels == {name: [0.0, 0.3, 0.6] for name in ("gaussian", "mine.py:stripes")}

    run = here / "runs" / "mine"
    kept, odd = sorted((run / "functions").iterdir())
    assert odd.name.startswith("odd-")
    assert kept.read_text() == (here / "mine.py").read_text()
    before = weights(run)
    assert before != weights(here / "runs" / "mine-alpha2")
    for name in ("checkpoint", "checkpoint-2"):  # as if it had been stopped after step 1
        shutil.rmtree(run / name)
    assert run_cli(*small(resume, model_folder))[0] == 0
    assert weights(run) == before
    (here / "mine.py").write_text(kept.read_text() + "\n# another thought\n")
    status, _, error = run_cli(*small(resume, model_folder))
    assert (
        status == 2 and f"functions.mine.py: 'functions/{kept.name}' -> 'functions/mine-" in error
    )


def test_from_python(here):
    names = {}
    exec(compile(BLOCKS[3][1], str(PAGE), "exec"), names)
    config = names["config"]
    assert (config.noise_kind, config.advantage) == ("mine.py:stripes", "python:softer")
    assert config.knobs == {"advantage": {"power": 0.7}}


def test_the_clean_scoring_alone(here):
    from trl import GRPOConfig

    names = {}
    exec(compile(BLOCKS[4][1], str(PAGE), "exec"), names)
    model, processor = tiny_qwen25vl()
    trainer = names["Mine"](
        model,
        lambda completions, **columns: [1.0] * len(completions),
        GRPOConfig(**tiny_settings(here)),
        tiny_rows(4),
        processing_class=processor,
    )
    torch.manual_seed(0)
    names["require_clean_scoring"](trainer, [row for row in tiny_rows(2) for _ in range(4)])
