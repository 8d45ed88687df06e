"""The time of a step, from measurements alone."""

import json

import pytest
from tests.check.measured_run import run_folder

from noisygrpo.check import duration as throughput
from noisygrpo.check.duration import Measurement, measure, shipped, time_lines
from noisygrpo.errors import UserError


def test_a_run_is_measured_without_its_first_steps(tmp_path):
    found = measure(run_folder(tmp_path / "run"))
    assert (found.model, found.engine, found.processes) == ("m", "generate", 2)
    assert (found.seconds, found.rollouts, found.completion_tokens) == (2.0, 16, 50)
    assert found.seconds_per_rollout == 2.0 * 2 / 16
    assert found.device == "CPU, 2 threads"
    # 64 rollouts on 4 GPUs: 16 each, at a quarter of a second
    assert time_lines(found, 64, 4, 90)[0] == "4.0 s for 64 rollouts, 6.0 minutes for 90 of these"
    with pytest.raises(UserError, match="no step after the first 2"):
        measure(run_folder(tmp_path / "short", steps=2))
    with pytest.raises(UserError, match=r"holds no metrics\.jsonl"):
        measure(tmp_path)


def test_shipped_measurements_are_read():
    text = (throughput.resources.files("noisygrpo.check") / "throughput.json").read_text()
    entries = [Measurement(**entry) for entry in json.loads(text)]
    assert entries and all(entry.seconds > 0 and entry.source for entry in entries)
    assert shipped("playground", "generate") and not shipped("another/model", "generate")
