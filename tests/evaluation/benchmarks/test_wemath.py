"""We-Math's metrics by hand."""

from tests.evaluation.judged import sample

from noisygrpo.evaluation.benchmarks.wemath import (
    wemath_metrics,
)


def composite(name, steps, multi):
    keys = [f"{len(steps)}steps_{i + 1}" for i in range(len(steps))]
    rows = [sample(right, cluster=name, key=key) for right, key in zip(steps, keys, strict=True)]
    return [*rows, sample(multi, cluster=name, key=f"{len(steps)}steps_multi")]


def test_wemath_by_hand():
    samples = [
        *composite("mastered", [True, True], True),
        *composite("lucky", [True, False], True),  # strict: rote; loose: mastery
        *composite("rote", [False, False, False], True),
        *composite("general", [True, True, True], False),  # IG
        *composite("ignorant", [True, False], False),  # IK
    ]
    found = wemath_metrics(samples)
    assert found["composites"] == 5
    assert found["score_strict"] == (5 - 0.5 - 1 - 2) / 5
    assert found["score_loose"] == (5 - 0.5 - 1 - 1) / 5
    assert (found["IK"], found["IG"]) == (1 / 5, 1 / 5)
    assert (found["CM_strict"], found["CM_loose"]) == (1 / 5, 2 / 5)
    assert (found["RM_strict"], found["RM_loose"]) == (2 / 3, 1 / 3)
    assert found["by_steps"]["2 steps"]["accuracy"] == 2 / 3
    assert found["by_steps"]["3 steps"]["accuracy"] == 1 / 2
    assert found["by_steps"]["1 step"]["n"] == 12


def test_wemath_of_a_perfect_model():
    found = wemath_metrics(composite("a", [True, True], True))
    assert (found["score_strict"], found["score_loose"], found["RM_strict"]) == (1.0, 1.0, 0.0)
