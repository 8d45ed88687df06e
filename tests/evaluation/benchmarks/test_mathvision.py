"""MATH-Vision on real problems."""

import os
from pathlib import Path

import pytest

from noisygrpo.evaluation.benchmarks import LoadOptions, get_benchmark, load_table
from noisygrpo.evaluation.rows import Rows

SHARED = Path(
    os.environ.get("NOISYGRPO_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data"
)


@pytest.mark.skipif(
    not (SHARED / "mathvision-400.parquet").exists(), reason="shared data is absent"
)
def test_mathvision_sample_of_real_problems():
    benchmark = get_benchmark("mathvision")
    rows = Rows(load_table(benchmark, LoadOptions(data=str(SHARED / "mathvision-400.parquet"))))
    assert len(rows) == 400
    right = 0
    for index in range(len(rows)):
        row = rows.text(index)
        right += benchmark.judge(f"\\boxed{{{row['answer']}}}", row).correct
    # One published answer keeps the degrees that the rules take from responses: none equals it.
    assert right == 399
    assert rows.open(3)["images"][0].mode == "RGB"
