"""Plots of a run."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.report.plots import learning_curve, series, smooth


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
