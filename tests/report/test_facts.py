"""What was run, out of a run's folder."""

import json
from pathlib import Path

import pytest
import yaml

from made_run import write_run
from noisygrpo.errors import UserError
from noisygrpo.recipes.recipe import dump_recipe, load_recipe
from noisygrpo.report.facts import (
    differences_from_base,
    facts,
    hours,
    metric_columns,
    named_folders,
)


def differing(arguments, overrides=(), name="playground"):
    recipe = yaml.safe_load(dump_recipe(load_recipe(name, overrides)))
    return differences_from_base(recipe, arguments)


def test_what_differs_from_the_recipe_that_was_named():
    command = ["train", "playground", "--training.seed", "3"]
    assert differing(command) == ("playground", [])
    overrides = [("training.seed", "3"), ("training.noise_levels", "[0, 0.6]"), ("data.limit", "9")]
    base, found = differing(command, overrides)
    assert base == "playground"
    assert sorted(found) == [
        ["data.limit", "2000", "9"],
        ["training.noise_levels", "[0.0, 0.083, 0.102, 0.115]", "[0, 0.6]"],
        ["training.seed", "0", "3"],
    ]


def test_what_differs_from_the_base_of_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: playground\ntraining: {beta: 0.5}\n")
    base, found = differing(["train", str(path)], name=str(path))
    assert (base, found) == ("playground", [["training.beta", "0.04", "0.5"]])
    path.unlink()  # of a file that is gone nothing is known
    assert differences_from_base({"name": "mine"}, ["train", str(path)]) == ("", [])


def test_facts_of_a_folder(tmp_path):
    write_run(tmp_path / "one")
    found = facts(named_folders([str(tmp_path / "one")])[0])
    assert found["label"] == "one" and found["hours"] == pytest.approx(4 * 9 / 3600)
    assert ["method", "noisygrpo"] in found["lines"]
    assert found["environment"]["torch"] == "2.13" and found["arguments"][0] == "train"
    assert found["metrics"]["steps"] == [1, 2, 3, 4]
    assert found["correct"] == {"reward": None, "at": 1.0}
    json.dumps(found, allow_nan=False)


def test_labels_are_told_apart_and_say_nothing_of_one_seed(tmp_path):
    for name in ("a/run", "b/run", "grpo-seed0", "noisy-seed0"):
        write_run(tmp_path / name)
    paths = [str(tmp_path / name) for name in ("a/run", "b/run")]
    assert [one.label for one in named_folders(paths)] == ["a/run", "b/run"]
    third = [f"run={tmp_path / 'grpo-seed0'}", f"run={tmp_path / 'noisy-seed0'}", *paths[:1]]
    assert [one.label for one in named_folders(third)] == ["run", "run (2)", "a/run"]
    with pytest.raises(UserError, match="given twice"):
        named_folders([paths[0], f"again={paths[0]}"])
    seeds = [str(tmp_path / name) for name in ("grpo-seed0", "noisy-seed0")]
    assert [one.label for one in named_folders(seeds)] == ["grpo", "noisy"]
    assert [one.label for one in named_folders([f"mine={paths[0]}"])] == ["mine"]


def test_a_folder_that_holds_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no run"):
        named_folders([str(tmp_path)])
    with pytest.raises(UserError, match="not a folder"):
        named_folders([str(Path(tmp_path) / "gone")])


def test_a_step_twice_keeps_its_last_values(tmp_path):
    lines = [{"step": 1, "kl": 1.0}, {"step": 2, "kl": 2.0}, {"step": 2, "kl": 3.0, "note": "x"}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"step": 3, "kl"')
    assert metric_columns(tmp_path) == {"steps": [1, 2], "columns": {"kl": [1.0, 3.0]}}
    assert hours(metric_columns(tmp_path)) is None
