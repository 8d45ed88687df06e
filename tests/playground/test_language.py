"""What a question's words mean."""

import pytest

from noisygrpo.playground.language import Comparison, Filter
from noisygrpo.playground.scene import Item


def _item(**changes):
    return Item(
        **{"shape": "circle", "colour": "black", "size": "small", "x": 40, "y": 40, **changes}
    )


def test_filters_count_what_they_name():
    box = (_item(), _item(x=51, shape="square"), _item(x=0, y=0, colour="blue"))
    assert Filter(colour="black").count(box) == 2
    assert Filter(colour="black", beside=Filter(shape="square")).count(box) == 1
    assert Filter(edge=True).count(box) == 1
    assert Filter(edge=False, shape="circle").count(box) == 1
    assert Filter(size="big").count(box) == 0


@pytest.mark.parametrize(
    ("name", "n", "true_for"),
    [("exactly", 2, {2}), ("at least", 2, {2, 3}), ("at most", 1, {0, 1})],
)
def test_comparisons(name, n, true_for):
    assert {v for v in range(4) if Comparison(name, n).holds(v)} == true_for
