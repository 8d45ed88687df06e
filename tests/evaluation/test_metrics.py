"""What metrics are made of."""

from tests.evaluation.judged import sample

from noisygrpo.evaluation.metrics import (
    accuracy_by,
)


def test_accuracy_by():
    found = accuracy_by(
        [sample(True, kind="b"), sample(False, kind="a"), sample(False, kind="b")],
        lambda s: s["kind"],
    )
    assert [*found] == ["a", "b"]
    assert found["b"]["accuracy"] == 0.5
