"""Robustness curves as a plot and a table."""

import json

from PIL import Image

from noisygrpo.report.robustness import (
    robustness_plot,
    robustness_table,
    robustness_text,
    write_robustness_report,
)


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
