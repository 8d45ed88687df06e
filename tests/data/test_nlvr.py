"""The adapter on the real NLVR file, where it is at hand."""

import os
from pathlib import Path

import pytest

from noisygrpo.data import DataSpec, check_example, load_examples

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("NOISYGRPO_DATA") or ROOT.parent / "shared" / "data")
FILE = FOLDER / "nlvr-dev.parquet"

pytestmark = pytest.mark.skipif(
    not FILE.is_file(),
    reason=f"{FILE} is absent; NOISYGRPO_DATA names the folder of nlvr-dev.parquet",
)


def test_nlvr_dev() -> None:
    data = load_examples(DataSpec(str(FILE), adapter="nlvr"))
    assert len(data) == 5934
    assert len(set(data["cluster"])) == 267  # statements; each has up to 4 images x 6 orders
    assert set(data["answer"]) == {"true", "false"}
    assert 0.5 < sum(answer == "true" for answer in data["answer"]) / len(data) < 0.6
    row = data[0]
    check_example(row)
    assert row["images"][0].size == (400, 100)
    assert row["cluster"] == "-".join(row["example_id"].split("-")[:2])
    assert row["question"].endswith(
        "Each grey box contains atleast one yellow object touching the edge"
    )


def test_subset_is_drawn_by_seed() -> None:
    data = load_examples(DataSpec(str(FILE), adapter="nlvr", limit=60, shuffle=True, seed=1))
    assert len(set(data["cluster"])) > 30
