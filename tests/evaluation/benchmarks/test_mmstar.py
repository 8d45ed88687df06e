"""MMStar: a letter with an explanation counts, a hedge does not; the official rule beside."""

import pytest
from tests.evaluation.judged import sample

from noisygrpo.evaluation.benchmarks import get_benchmark
from noisygrpo.evaluation.benchmarks.mmstar import metrics, official_correct


@pytest.mark.parametrize(
    ("output", "ours", "official"),
    [
        ("B", True, True),
        ("(B)", True, True),
        ("b) blue", True, True),
        ("Option B", True, True),
        ("The answer is B, since it fits", True, True),
        ("B because it is blue", True, True),
        ("B\nThe sky is blue", True, True),
        ("B - the sky", True, True),
        ("<think>A</think><answer>B</answer>", True, True),
        ("So it is (B).", True, False),
        ("Because", False, True),
        ("B or C", False, True),
        ("A or B", False, False),
        ("C", False, False),
        ("", False, False),
    ],
)
def test_both_rules(output, ours, official):
    assert get_benchmark("mmstar").judge(output, {"answer": "B", "meta": {}}).correct is ours
    assert official_correct(output, "B") is official


def test_the_official_accuracy_stands_beside():
    samples = [
        sample(output=output, answer="B", kind="math", l2_category="geometry")
        for output in ("B", "Because", "It is (B)", "C")
    ]
    assert metrics(samples)["official_accuracy"] == 2 / 4
