"""A level means the same for pictures of all sizes where noise is drawn at the model's pixels."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sizes():
    spec = importlib.util.spec_from_file_location("sizes", ROOT / "benchmarks/noise_by_size.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_a_model_sees_of_a_level_by_size(sizes):
    """The smallest and a large picture of the page's table; the others are the script's."""
    page = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    for size in ((150, 110), (560, 470), (1600, 1200)):
        model, file = sizes.row(size)
        assert model == pytest.approx(0.0246, rel=0.03)
        told = re.search(rf"\| {size[0]:,} x {size[1]:,} \| ([\d.]+) \| ([\d.]+) \|", page)
        assert [float(one) for one in told.groups()] == pytest.approx([model, file], rel=0.03)
    assert sizes.row((150, 110))[1] > 3.5 * model > 3.5 * file
