"""The table of what fits: its committed cells are what the plan gives, and the recipes' cards."""

import json
from dataclasses import replace

import pytest

from models import memory_table
from models.memory_table import BEGIN, CARDS, END, MODELS, PAGE, WAYS, cells, recipe_of
from noisygrpo.check.memory import GB, memory_share
from noisygrpo.check.plan import plan_rows, sizes
from noisygrpo.check.recipe import Prompts
from noisygrpo.playground import load_processor, model_path
from noisygrpo.recipes.recipe import load_recipe
from noisygrpo.runs.prepare import prepare


def committed():
    page = PAGE.read_text(encoding="utf-8")
    text = page[page.index(BEGIN) + len(BEGIN) : page.index(END)].strip()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return lines[0], lines[2:]


def test_it_has_every_model_every_way_on_every_card():
    header, rows = committed()
    assert header[2:] == [f"{gpus} x {memory} GB" for gpus, memory in CARDS]
    assert [tuple(row[:2]) for row in rows] == [(name, way) for name in MODELS for way in WAYS]


@pytest.mark.parametrize("way", WAYS)
def test_cells_are_what_the_plan_says(way, tmp_path):
    (row,) = [row for row in committed()[1] if row[:2] == ["Qwen2.5-VL-3B", way]]
    assert cells(MODELS["Qwen2.5-VL-3B"], way, tmp_path) == row[2:]


@pytest.mark.parametrize(
    ("recipe", "memory", "tokens"),
    [("qwen25vl-3b-lora-24gb", 24, 1500), ("qwen25vl-3b-lora-80gb", 80, 3300)],
)
def test_the_recipes_for_one_card_fit_it(recipe, memory, tokens, tmp_path):
    like = recipe_of(MODELS["Qwen2.5-VL-3B"], "LoRA", 1, tmp_path)
    changes = [("model.path", str(tmp_path)), ("data.source", str(tmp_path / "rows.jsonl"))]
    prepared = prepare(load_recipe(recipe, changes), "runs/none", load_processor(model_path()))
    assert prepared.batch.rollouts == 64 and prepared.batch.prompts == 16  # as published
    (row,) = plan_rows(*sizes(prepared, 1, Prompts(tokens, 220, 5120)), memory)[1]
    assert row[-1] == "yes"
    assert like.model.lora == prepared.recipe.model.lora


@pytest.mark.parametrize(
    ("way", "completion", "measured"), [("full", 256, 71.63), ("LoRA", 64, 53.96)]
)
def test_peaks_are_those_of_an_h100(way, completion, measured, tmp_path):
    """TRL's update on 8 rows of 1,052 tokens, nothing checkpointed (docs/performance.md)."""
    recipe = recipe_of(MODELS["Qwen2.5-VL-3B"], way, 1, tmp_path)
    recipe = replace(recipe, model=replace(recipe.model, dtype="bfloat16"))
    prepared = prepare(recipe, "runs/none", load_processor(model_path()))
    assert prepared.config.freeze_vision_tower
    size, load = sizes(prepared, 1, Prompts(1052, 28, 4096))
    load = replace(load, per_device=8, tokens=1052 + completion, reference=False)
    share = memory_share("ddp", size, replace(load, checkpointing=False, generates=False), 0.0)
    assert share.peak / GB == pytest.approx(measured, rel=0.03)


def test_sizes_are_those_of_the_published_models(tmp_path):
    """Parameters in billions, as their names and model cards have them; 3B counts its tower."""
    billions = {"Qwen2.5-VL-3B": 3.75, "Qwen2.5-VL-7B": 8.29, "Qwen3-VL-4B": 4.44}
    for name, expected in billions.items():
        prepared = prepare(
            recipe_of(MODELS[name], "full", 1, tmp_path), "runs/none", load_processor(model_path())
        )
        shape = sizes(prepared, 1, memory_table.PROMPTS)[0]
        assert shape.parameters / 1e9 == pytest.approx(expected, abs=0.01), name
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "qwen3_vl"
