"""What a run is: the same for the same recipe and rows, and every difference has its name."""

import json

import pytest
from datasets import Dataset

from noisygrpo.recipes.recipe import load_recipe
from noisygrpo.runs.identity import (
    IDENTITY_FILE,
    changed_since,
    fingerprint,
    identity,
    lines_of,
    record_changes,
)

ROWS = Dataset.from_list(
    [
        {"example_id": f"r{n}", "prompt": [{"role": "user", "content": "?"}], "answer": str(n)}
        for n in range(3)
    ]
)


def of(*overrides, rows=ROWS):
    return identity(load_recipe("playground", overrides), rows)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (("training.seed", "1"), "training.seed: "),
        (("training.learning_rate", "1e-3"), "training.learning_rate: "),
        (("method", "grpo"), "method: 'noisygrpo' -> 'grpo'"),
        (("data.seed", "7"), "data.seed: 0 -> 7"),
        (("model.path", "other"), "model.path: 'playground' -> 'other'"),
        (("rewards", "[accuracy]"), "rewards: "),
        (("training.max_steps", "9"), "training.max_steps: "),
    ],
)
def test_what_changes_what_is_learnt_is_a_difference(tmp_path, override, line):
    (tmp_path / IDENTITY_FILE).write_text(json.dumps(of()))
    said, *more = lines_of(changed_since(tmp_path, of(override)))
    assert said.startswith(line)
    # Another method takes neither levels, nor advantage, nor correction over.
    own = ["training.advantage", "training.noise_levels", "training.view_correction"]
    assert sorted(o.partition(":")[0] for o in more) == (own if override[0] == "method" else [])


@pytest.mark.parametrize(
    "override",
    [
        ("training.save_steps", "7"),
        ("training.logging_steps", "5"),
        ("training.output_dir", "elsewhere"),
        ("evaluation.rows", "3"),
    ],
)
def test_what_changes_nothing_of_it_is_none(tmp_path, override):
    (tmp_path / IDENTITY_FILE).write_text(json.dumps(of()))
    assert changed_since(tmp_path, of(override)) == {}


def test_other_rows_are_a_difference(tmp_path):
    (tmp_path / IDENTITY_FILE).write_text(json.dumps(of()))
    fewer, turned = ROWS.select([0, 1]), ROWS.select([2, 1, 0])
    for rows in (fewer, turned):
        assert list(changed_since(tmp_path, of(rows=rows))) == ["rows"]
        assert fingerprint(rows) != fingerprint(ROWS)
    assert fingerprint(ROWS.select([0, 1, 2])) == fingerprint(ROWS)


def test_a_checkpoint_that_does_not_say_has_no_differences(tmp_path):
    assert changed_since(tmp_path, of()) == {}


def test_changes_are_recorded_one_after_the_other(tmp_path):
    record_changes(tmp_path, 3, {"training.seed": [0, 1]})
    record_changes(tmp_path, 5, {"method": ["grpo", "noisygrpo"]})
    found = json.loads((tmp_path / "changes.json").read_text())["changes"]
    assert [entry["after_step"] for entry in found] == [3, 5]
    assert found[0]["changed"] == {"training.seed": [0, 1]}
