"""A comparison as tables and as a plot."""

import numpy as np
from tests.evaluation.written import write_evaluation

from noisygrpo.evaluation.compare import compare_runs
from noisygrpo.report.comparison import comparison_plot, comparison_table


def draws(seed, share, n=300):
    return np.random.default_rng(seed).random(n) < share


def test_table_and_plot(tmp_path):
    paths = [
        write_evaluation(tmp_path / name, draws(i, 0.4 + i / 9)) for i, name in enumerate("abc")
    ]
    found = compare_runs(paths)
    text = comparison_table(found)
    assert "b - a" in text
    assert "points [95 %]" in text
    assert comparison_table(found, "markdown").count("| --- |") == 2
    path = comparison_plot(found, tmp_path / "plot.png")
    assert path.read_bytes().startswith(b"\x89PNG")
