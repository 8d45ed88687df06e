"""MME-CoT's metrics by hand."""

import pytest
from tests.evaluation.judged import sample

from noisygrpo.evaluation.benchmarks.mme_cot_metrics import (
    mme_cot_quality,
    mme_cot_robustness,
    step_precision,
    step_recall,
)


def test_mme_cot_by_hand():
    steps = [
        {"step_type": "logical inference", "judgment": "Match"},
        {"step_type": "logical inference", "judgment": "Wrong"},
        {"step_type": "image description", "judgment": "Reasonable"},
        {"step_type": "background information", "judgment": "N/A"},
    ]
    assert step_precision(steps) == 2 / 3
    assert step_precision([]) == 0.0
    # two reference solutions of 2 and 3 steps: 1/2 and 2/3
    assert step_recall([True, False, True, True, False], [2, 3]) == 2 / 3
    assert step_recall([], [2]) == 0.0
    judged = {"steps": steps, "matched": [True, False], "solutions": [2]}
    found = mme_cot_quality([judged, None])
    assert found["precision"] == pytest.approx(1 / 3)
    assert found["recall"] == 1 / 4
    assert found["F1"] == pytest.approx(2 * (1 / 3) * 0.25 / (1 / 3 + 0.25))
    assert found["unjudged"] == 1


def test_mme_cot_robustness():
    cot = [
        sample(True, kind="Perception"),
        sample(False, kind="Perception"),
        sample(True, kind="Reasoning"),
    ]
    direct = [
        sample(True, kind="Perception"),
        sample(True, kind="Perception"),
        sample(False, kind="Reasoning"),
    ]
    assert mme_cot_robustness(cot, direct) == {
        "stability": -0.5,
        "efficacy": 1.0,
        "robustness": 0.25,
    }
