"""What the documentation says: every command is one, and every metric is explained."""

import json
import re
import shlex
from functools import partial
from pathlib import Path

import pytest

import tiny_hints
from commands.nlvr_file import write_nlvr
from noisygrpo.cli import COMMANDS, build_parser, main, split_overrides
from noisygrpo.recipes.layers import recipe_names
from noisygrpo.recipes.recipe import load_recipe
from noisygrpo.recipes.settings import check_settings
from tiny_trainer import by_index, length, make

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])


def commands(page):
    """The words of every `noisygrpo` command of a page, one list each, comments left out."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", text, re.DOTALL)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if "noisygrpo" in words and words[:2] != ["git", "clone"]:
            found = words[words.index("noisygrpo") + 1 :]
            yield found[: found.index(">")] if ">" in found else found


ALL = [(page.name, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize(("page", "words"), ALL, ids=[f"{p} {' '.join(w)[:60]}" for p, w in ALL])
def test_every_command_is_one(page, words):
    overrides = []
    if COMMANDS[words[0]].TAKES_RECIPE:
        words, overrides = split_overrides(words)
    args = build_parser().parse_args(words)
    name = getattr(args, "recipe", None)
    if name in recipe_names():
        load_recipe(name, overrides, partial(check_settings, here=False))


# What makes a command of the page short; nothing else about it is changed.
SHORTER = {
    "train": [
        "--training.max_steps=1",
        "--training.max_completion_length=8",
        "--data.limit=64",
        "--training.num_generations=4",
        "--training.per_device_train_batch_size=4",
        "--training.gradient_accumulation_steps=1",
        "--evaluation.rows=2",
        "--evaluation.max_new_tokens=4",
        "--evaluation.splits=[test]",
    ],
    "evaluate": ["--rows", "2", "--max-new-tokens", "4"],
    "generate": ["--max-new-tokens", "4"],
}


def test_the_quick_start_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    """Its commands for the built-in model, in order, in one empty folder."""
    monkeypatch.chdir(tmp_path)
    write_nlvr(tmp_path / "nlvr-test.parquet", rows=4)
    ran = []
    for words in commands(ROOT / "docs" / "quickstart.md"):
        if "mine.yaml" in words or words[0] == "recipes":  # a model from the hub
            continue
        if "--rows" in words and words[0] == "evaluate":
            words = words[: words.index("--rows")]
        assert main([*words, *SHORTER.get(words[0], [])]) == 0, words
        ran.append(words[0])
    assert " ".join(ran) == "train playground evaluate generate train train compare evaluate"
    assert "error" not in capsys.readouterr().err


def explained():
    """The metrics of the glossary, with what varies in their names as ``*``."""
    table = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    table = table.partition("## Every metric")[2].partition("\n## ")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {general(name) for cell in first for name in re.findall(r"`([^`]+)`", cell)}


def general(name):
    name = re.sub(r"level_[\d.]+", "level_*", name)
    name = re.sub(r"^rewards/.+/(mean|std)$", r"rewards/*/\1", name)
    return re.sub(r"^evaluation/.+/(accuracy|stderr)$", r"evaluation/*/\1", name)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "noisygrpo", "log_view_ratio": True, "off_view_negatives": "zero"}
        | {"level_weight": "shown", "luck_weight": 0.5},
        {"method": "hint_grpo", "hint_levels": 3, "hint_style": "step"},
    ],
)
def test_every_metric_is_explained(tmp_path, changes):
    rows = tiny_hints.rows() if "hint_levels" in changes else None
    make(tmp_path, rows, (by_index, length), max_steps=2, **changes).train()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {general(name) for line in lines for name in line} - explained() == set()


def test_every_field_of_a_rollout_is_explained(tmp_path):
    make(tmp_path, method="noisygrpo", max_steps=1).train()
    record = json.loads((tmp_path / "rollouts.jsonl").read_text().splitlines()[0])
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    fields = page.partition("## Every field of a rollout")[2]
    assert [name for name in record if f"`{name}`" not in fields] == []
