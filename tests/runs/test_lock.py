"""A run's folder belongs to one process at a time, and to nobody after it died."""

import os
import signal
import subprocess
import sys
import time

import pytest

from noisygrpo.errors import UserError
from noisygrpo.runs.lock import only_one

HOLD = """
import sys, time
from pathlib import Path
from noisygrpo.runs.lock import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_is_told_who_has_it_and_a_killed_one_has_it_no_more(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert other.stdout.readline() == "held\n"
    with (
        pytest.raises(UserError, match=rf"is in use by process {other.pid} on "),
        only_one(tmp_path),
    ):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait(20)
    deadline = time.monotonic() + 10
    while True:
        try:
            with only_one(tmp_path):
                break
        except UserError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def test_one_after_the_other_and_after_an_error(tmp_path):
    with only_one(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    with pytest.raises(ZeroDivisionError), only_one(tmp_path / "new"):
        1 / 0  # noqa: B018
    with only_one(tmp_path / "new"):
        pass
