"""NLVR: clusters, and the metrics by hand."""

import os
from pathlib import Path

import pytest
from tests.evaluation.judged import sample

from noisygrpo.evaluation.benchmarks import LoadOptions, get_benchmark
from noisygrpo.evaluation.benchmarks.nlvr import (
    nlvr_metrics,
)
from noisygrpo.evaluation.rows import Rows


def test_nlvr_by_hand():
    def row(name, said, truth):
        return sample(said == truth, said, truth, cluster=name.rsplit("-", 2)[0], example_id=name)

    found = nlvr_metrics(
        [
            row("test-1-0-0", "true", "true"),
            row("test-1-0-1", "true", "true"),
            row("test-1-1-0", "true", "false"),
            row("test-1-1-1", "true", "false"),
            row("test-2-0-0", "true", "true"),
            row("test-2-0-1", "false", "true"),
            row("test-3-0-0", "false", "false"),
        ]
    )
    assert found["consistency"] == 1 / 3  # statement 3
    assert found["permutation_consistency"] == 2 / 4  # images 1-0 and 3-0
    assert found["permutation_agreement"] == 3 / 4  # all but 2-0
    assert found["majority_class"] == 4 / 7


SHARED = Path(
    os.environ.get("NOISYGRPO_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data"
)


@pytest.mark.skipif(not (SHARED / "nlvr-test.parquet").exists(), reason="shared data is absent")
def test_nlvr_rows_are_clustered_by_statement():
    benchmark = get_benchmark("nlvr")
    rows = Rows(
        benchmark.load(benchmark, LoadOptions(data=str(SHARED / "nlvr-test.parquet"), limit=24))
    )
    for index in range(24):
        row = rows.text(index)
        assert row["example_id"].startswith(row["cluster"] + "-")
        assert row["cluster"].count("-") == 1
    assert rows.open(0)["images"][0].size == (400, 100)
    row = rows.text(0)
    assert benchmark.judge("<think>.</think><answer>True</answer>", row).correct == (
        row["answer"] == "true"
    )
