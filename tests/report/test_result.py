"""One evaluation as text."""

import json

import pytest

from noisygrpo.errors import UserError
from noisygrpo.report.result import result_text, write_report


def test_result_as_text(tmp_path):
    result = {
        "name": "wemath", "accuracy": 0.5, "stderr": 0.01, "n": 1740, "clusters": 525,
        "without_answer": 3,
        "truncated": 0, "by_kind": {"2steps_1": {"accuracy": 0.4, "stderr": 0.02, "n": 360}},
        "metrics": {
            "score_strict": 0.312, "composites": 525, "RM_strict": None,
            "by_steps": {"1 step": {"accuracy": 0.61, "stderr": 0.02, "n": 1215}},
        },
        "failed": [{"example_id": f"row-{i}", "why": "image 0 cannot be read"} for i in range(7)],
        "judge": {"judge": "j", "accuracy": 0.52, "stderr": 0.01, "unjudged": 2},
    }  # fmt: skip
    text = result_text(result)
    assert text.startswith("wemath: 50.0 ± 1.0 % right (n = 1740 in 525 clusters)")
    for part in ("31.2", "525", "by_steps / 1 step", "61.0 ± 2.0", "3 without an answer", "row-4"):
        assert part in text
    assert "row-5" not in text
    assert "RM_strict" not in text
    assert "cut at" not in text
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert write_report(tmp_path) == text
    assert (tmp_path / "report.txt").read_text() == text + "\n"
    with pytest.raises(UserError, match="is the evaluation finished"):
        write_report(tmp_path / "nowhere")
