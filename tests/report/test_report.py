import json
import re

import numpy as np
import pytest
from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.report.plots import learning_curve, series, smooth
from noisygrpo.report.result import result_text, write_report
from noisygrpo.report.robustness import (
    robustness_plot,
    robustness_table,
    robustness_text,
    write_robustness_report,
)
from noisygrpo.report.table import before_after_table, results_table

SUMMARY = {
    "test": {
        "before": {"accuracy": 0.5, "stderr": 0.02, "n": 600},
        "after": {"accuracy": 0.631, "stderr": 0.0197, "n": 600},
        "difference": {"difference": 0.131, "low": 0.09, "high": 0.17},
    },
    "more": {
        "before": {"accuracy": 0.4, "stderr": None, "n": 60},
        "after": {"accuracy": 0.38, "stderr": 0.06, "n": 60},
    },
}


def test_text_table():
    lines = before_after_table(SUMMARY).split("\n")
    assert len({len(line) for line in lines}) == 1
    assert "50.0 ± 2.0" in lines[2]
    assert "63.1 ± 2.0" in lines[2]
    assert lines[2].endswith("+13.1 [+9.0, +17.0]")
    assert lines[3].endswith("-2.0")


def test_markdown_table():
    lines = before_after_table(SUMMARY, "markdown").split("\n")
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: |"
    assert lines[3] == "| more | 60 | 40.0 | 38.0 ± 6.0 | -2.0 |"


def test_results_table_and_unknown_style():
    assert "0.0 ± 0.0" in results_table({"a": {"accuracy": 0.0, "stderr": 0.0, "n": 3}})
    with pytest.raises(UserError, match="html"):
        before_after_table(SUMMARY, "html")


def test_learning_curve_reads_trl_metrics(tmp_path):
    rng = np.random.default_rng(0)
    lines = [
        json.dumps(
            {
                "step": step,
                "reward": 0.4 + step / 100 + rng.normal() / 9,
                "rewards/accuracy/mean": step / 50,
            }
        )
        for step in range(1, 31)
    ]
    (tmp_path / "metrics.jsonl").write_text(
        "\n".join([*lines, '{"train_runtime": 3.0}', '{"step": 31, "rew'])
    )
    path = learning_curve(tmp_path)
    assert path == tmp_path / "learning_curve.png"
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width > image.height
        assert len(np.unique(np.asarray(image.convert("L")))) > 10
    assert not list(tmp_path.glob("*.tmp"))


def test_learning_curve_without_metrics(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        learning_curve(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 0.1}\n')
    with pytest.raises(UserError, match="holds no value"):
        learning_curve(tmp_path)


def test_a_step_logged_twice_keeps_its_last_value():
    found = series(
        [{"step": 1, "reward": 0.0}, {"step": 2, "reward": 1.0}, {"step": 1, "reward": 0.5}],
        re.compile("reward"),
    )
    assert found is not None
    assert found[0].tolist() == [1, 2]
    assert found[1].tolist() == [0.5, 1.0]


def test_smoothing_keeps_constants_and_ends():
    assert np.allclose(smooth(np.full(9, 0.3), 2.0), 0.3)
    assert smooth(np.arange(9.0), 1e-3).tolist() == list(range(9))


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


def test_robustness_report(tmp_path):
    points = [
        {"level": level, "accuracy": 0.6 - level / 4, "stderr": None, "n": 9} for level in (0, 1)
    ]
    text_only = {"accuracy": 0.3, "stderr": 0.1, "n": 9}
    curve = {"curves": {"gaussian": points, "blur": points}, "text_only": text_only}
    path = robustness_plot({"a": curve, "b": curve}, tmp_path / "curve.png")
    with Image.open(path) as image:
        assert image.width > image.height
    lines = robustness_table(curve).split("\n")
    assert lines[2].split() == ["gaussian", "60.0", "35.0"]
    assert lines[4].split() == ["text", "only", "30.0", "±", "10.0"]
    points[1]["failures"] = 2
    looking = {"difference": 0.3, "low": 0.1, "high": 0.5, "confidence": 0.95}
    curve["looking"] = looking
    text = robustness_text(curve)
    assert "the image is worth +30.0 points [95 %: +10.0, +50.0]" in text
    assert "2 of 9 rows failed and count as wrong" in text
    (tmp_path / "robustness.json").write_text(json.dumps(curve))
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "settings.json").write_text(json.dumps({"model": "runs/demo/checkpoint"}))
    assert write_robustness_report(tmp_path) == text
    assert (tmp_path / "robustness.png").is_file()


def test_eleven_kinds_fit_on_a_page(tmp_path):
    points = [{"level": 0.0, "accuracy": 0.6, "stderr": 0.1, "n": 9}]
    curve = {"curves": {f"kind-{i}": points for i in range(11)}}
    with Image.open(robustness_plot({"a": curve}, tmp_path / "curve.png")) as image:
        assert 1 < image.width / image.height < 2
