"""Every recipe for the built-in world trains: one small step of the real model."""

import json
from pathlib import Path

import pytest

from noisygrpo.cli import main
from noisygrpo.recipes.recipe import load_recipe, recipe_names

PLAYGROUND = [name for name in recipe_names() if name.startswith("playground")]
SMALL = {
    "num_generations": "4",
    "per_device_train_batch_size": "8",
    "gradient_accumulation_steps": "1",
    "max_completion_length": "12",
    "max_steps": "1",
    "use_cpu": "true",
}


def train(name: str, out: Path, more: list[str]) -> list[dict]:
    """Run the command; return the rollouts that it wrote."""
    words = [f"--training.{key}={value}" for key, value in SMALL.items()]
    words += ["--data.limit=8", "--evaluation=null", f"--output-dir={out}"]
    assert main(["train", name, *words, *more]) == 0
    lines = (out / "rollouts.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", PLAYGROUND)
def test_every_playground_recipe_trains(name, tmp_path) -> None:
    recipe = load_recipe(name)
    levels = recipe.training.get("noise_levels", [])
    seen = {"noisygrpo": levels[:4], "noisyrollout": [0.0, 0.0, *levels[:1] * 2]}
    # One batch is the whole run, over which NoisyRollout's noise would be gone.
    rollouts = train(name, tmp_path / "run", ["--training.noise_decay=none"])
    expected = seen.get(recipe.method, [0.0] * 4)
    assert [row["noise_level"] for row in rollouts[:4]] == pytest.approx(expected)
    assert (tmp_path / "run" / "checkpoint" / "model.safetensors").is_file()


def test_hints_of_the_recipe_reach_the_rollouts(tmp_path) -> None:
    """A reward that is only earned behind the longest hint, so that its level is selected."""
    reward = tmp_path / "mine.py"
    reward.write_text(
        "def hinted(completions, hint_level, **columns):\n"
        "    return [float(level == 2) for level in hint_level]\n"
    )
    out = tmp_path / "run"
    words = [f"--rewards=['{reward}:hinted']", "--training.hint_reward=hinted"]
    rollouts = train("playground-hint-grpo", out, words)
    assert {row["hint_level"] for row in rollouts} == {2}
    for row in rollouts:
        assert row["hint"].startswith("<think>Step 1: ") and " Step 2: " in row["hint"]
        assert row["completion"].startswith(row["hint"])
