"""What a run is: the same for the same recipe and rows, and every difference has its name."""

import io
import json

import pytest
from datasets import Dataset, Features, List, Value
from datasets import Image as HubImage
from PIL import Image

from noisygrpo.errors import UserError
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


def of(*overrides, rows=ROWS, weights="f00"):
    return identity(load_recipe("playground", overrides), rows, weights)


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


def test_another_base_in_the_same_folder_is_a_difference(tmp_path):
    (tmp_path / IDENTITY_FILE).write_text(json.dumps(of()))
    assert lines_of(changed_since(tmp_path, of(weights="bad"))) == ["weights: 'f00' -> 'bad'"]
    earlier = {key: value for key, value in of().items() if key != "weights"}
    (tmp_path / IDENTITY_FILE).write_text(json.dumps(earlier))  # an earlier version did not look
    assert changed_since(tmp_path, of(weights="bad")) == {}


def test_other_rows_are_a_difference(tmp_path):
    (tmp_path / IDENTITY_FILE).write_text(json.dumps(of()))
    fewer, turned = ROWS.select([0, 1]), ROWS.select([2, 1, 0])
    for rows in (fewer, turned):
        assert list(changed_since(tmp_path, of(rows=rows))) == ["rows"]
        assert fingerprint(rows) != fingerprint(ROWS)
    assert fingerprint(ROWS.select([0, 1, 2])) == fingerprint(ROWS)


def picture(color, path=None):
    held = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(held, "png")
    return {"bytes": held.getvalue(), "path": path}


@pytest.mark.parametrize(
    "changed",
    [
        {"reasoning": "other"},
        {"kind": "numeric"},
        {"question": "?!"},
        {"width": 5},
        {"images": [picture("blue")]},
        {"images": [picture("red", "other.png")]},
    ],
)
def test_every_column_of_a_row_counts(changed):
    row = {"example_id": "r0", "prompt": "?", "answer": "1", "reasoning": "so", "kind": "auto"}
    row |= {"question": "?", "width": 4, "images": [picture("red")]}
    features = Features(
        {name: List(HubImage()) if name == "images" else Value("int64" if name == "width" else
         "string") for name in row}
    )  # fmt: skip
    rows, other = (Dataset.from_list([each], features) for each in (row, row | changed))
    assert fingerprint(rows) == fingerprint(Dataset.from_list([row], features))
    assert fingerprint(rows) != fingerprint(other)


@pytest.mark.parametrize("text", ["", "[1]", "{", "\xff"])
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / IDENTITY_FILE).write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=f"{IDENTITY_FILE}: "):
        changed_since(tmp_path, of())


def test_a_checkpoint_that_does_not_say_has_no_differences(tmp_path):
    assert changed_since(tmp_path, of()) == {}


def test_changes_are_recorded_one_after_the_other(tmp_path):
    record_changes(tmp_path, 3, {"training.seed": [0, 1]})
    record_changes(tmp_path, 5, {"method": ["grpo", "noisygrpo"]})
    found = json.loads((tmp_path / "changes.json").read_text())["changes"]
    assert [entry["after_step"] for entry in found] == [3, 5]
    assert found[0]["changed"] == {"training.seed": [0, 1]}
