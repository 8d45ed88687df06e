"""Plots of a run."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from made_run import write_run
from noisygrpo.errors import UserError
from noisygrpo.report.curve import learning_curve, measured_lines, reward_lines
from noisygrpo.report.plots import local_mean, read_metrics, series


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


def test_a_local_mean_keeps_constants_and_ends_and_knows_its_error():
    mean, error = local_mean(np.full(9, 0.3), 2.0)
    assert np.allclose(mean, 0.3) and np.allclose(error, 0.0)
    mean, error = local_mean(np.arange(9.0), 1e-3)
    assert mean.tolist() == list(range(9)) and error.tolist() == [0.0] * 9
    values = np.random.default_rng(0).normal(size=400)
    mean, error = local_mean(values, 1e6)  # as wide as all: the mean and its error
    assert mean[7] == pytest.approx(values.mean())
    assert error[7] == pytest.approx(values.std(ddof=1) / 20)


def test_no_line_is_another_one_once_more():
    steps = range(1, 6)
    varying = [{"step": n, "rewards/accuracy/mean": n / 9, "rewards/format/mean": 1.0,
                "reward": 1 + n / 9} for n in steps]  # fmt: skip
    lines, constant = reward_lines(varying)
    assert [line.name for line in lines] == ["accuracy"] and constant == {"format": 1.0}
    both = [{**record, "rewards/format/mean": 1 / record["step"]} for record in varying]
    lines, constant = reward_lines(both)
    assert [line.name for line in lines] == ["reward", "accuracy", "format"] and constant == {}
    flat = [{"step": n, "rewards/format/mean": 1.0, "reward": 1.0} for n in steps]
    assert [line.name for line in reward_lines(flat)[0]] == ["reward"]


def test_measured_accuracies_go_from_before_to_after(tmp_path):
    folder = write_run(tmp_path / "run")
    record = {"step": 2, "evaluation/test/accuracy": 0.5, "evaluation/test/stderr": 0.2}
    (line,) = measured_lines(folder, [record, *read_metrics(folder / "metrics.jsonl")])
    assert line.name == "test" and line.steps.tolist() == [0, 2, 4]
    assert line.values == pytest.approx([100 / 3, 50, 200 / 3])
    assert line.errors == pytest.approx([10, 20, 10])
    with Image.open(learning_curve(folder)) as image:
        assert image.width > 2 * image.height
