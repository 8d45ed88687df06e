"""Waiting is brief unless the user has said otherwise, and settled before torch is loaded."""

import os
import subprocess
import sys

import pytest

from noisygrpo.threads import SETTINGS, SPIN, wait_briefly


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_the_user_said_counts(without_torch, name):
    said = {name: "0"}
    assert not wait_briefly(said) and said == {name: "0"}


def test_brief_before_torch(without_torch):
    said = {}
    assert wait_briefly(said) and said == {"GOMP_SPINCOUNT": SPIN}


def test_not_behind_torch(monkeypatch):
    said = {}
    monkeypatch.setitem(sys.modules, "torch", os)
    assert not wait_briefly(said) and said == {}


def test_the_command_line_settles_it_before_anything_heavy():
    code = (
        "import sys, os, noisygrpo.cli as cli; sys.argv = ['noisygrpo', '--version']\n"
        "assert 'torch' not in sys.modules\n"
        "try: cli.entry_point()\n"
        "except SystemExit: print(os.environ['GOMP_SPINCOUNT'])"
    )
    environment = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.stdout.split()[-1] == SPIN, result.stderr


HANGS = """
import sys, threading, time, noisygrpo.threads as t
threading.Thread(target=time.sleep, args=(%s,)).start()
t.leave_soon(3, 0.5)
sys.exit(3)
"""


@pytest.mark.parametrize(("seconds", "said"), [(60, "left without it"), (0.1, "")])
def test_a_thread_that_hangs_keeps_no_process(seconds, said):
    done = subprocess.run(
        [sys.executable, "-c", HANGS % seconds], capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert said in done.stderr and bool(said) == bool(done.stderr)


def test_what_is_done_on_the_way_out_is_not_cut_short():
    code = (
        "import atexit, sys, time, noisygrpo.threads as t\n"
        "atexit.register(lambda: (time.sleep(1), print('uploaded')))\n"
        "t.leave_soon(0, 0.3); sys.exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("uploaded\n", "")
