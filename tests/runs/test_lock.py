"""A run's folder belongs to one process at a time, and to nobody after it died."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from filelock import FileLock

from noisygrpo.errors import UserError
from noisygrpo.runs.lock import LOCK_FILE, only_one

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


def test_who_waits_gets_a_lock_that_the_next_one_sees(tmp_path):
    """One that opened the file before it was removed must not hold what has no name any more."""
    waiting = FileLock(tmp_path / LOCK_FILE, thread_local=False)
    thread = threading.Thread(target=waiting.acquire, kwargs={"timeout": 20})
    with only_one(tmp_path):
        thread.start()
        time.sleep(0.3)  # it has opened the file and tries again and again
    thread.join()
    assert waiting.is_locked
    with pytest.raises(UserError, match="is in use"), only_one(tmp_path):
        pass
    waiting.release()
