"""Work in a process of its own: its end, its limit, and that nothing of it is left."""

import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from alone import alone, last_line


def write(path: Path, text: str) -> None:
    path.write_text(text)


def fail() -> None:
    print("before")
    raise ValueError("the reason")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def with_a_child(pids: Path) -> None:
    """Start a process that would outlive this one, and wait for long."""
    child = subprocess.Popen(["sleep", "60"])
    pids.write_text(f"{os.getpid()} {child.pid}")
    time.sleep(60)


def leaves_a_child(pids: Path) -> None:
    pids.write_text(str(subprocess.Popen(["sleep", "60"]).pid))


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has collected yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(holds) -> bool:
    until = time.monotonic() + 20
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


@pytest.mark.parametrize("fresh", [False, True])
def test_it_ends(tmp_path, fresh):
    done = alone(
        Path.write_text, tmp_path / "x", "hello", limit=60, log=tmp_path / "log", fresh=fresh
    )
    assert done == 0
    assert (tmp_path / "x").read_text() == "hello"


def test_a_failure_leaves_its_reason_in_the_log(tmp_path):
    log = tmp_path / "log"
    assert alone(fail, limit=60, log=log, fresh=False) == 1
    assert last_line(log) == "ValueError: the reason"
    assert log.read_text().startswith("before\n")


def test_a_kill_is_a_status(tmp_path):
    assert alone(killed, limit=60, log=tmp_path / "log", fresh=False) == -signal.SIGKILL
    assert last_line(tmp_path / "log") == "it said nothing"


def test_the_watchdog_leaves_nothing_of_it(tmp_path):
    pids = tmp_path / "pids"
    assert alone(with_a_child, pids, limit=2, log=tmp_path / "log", fresh=False) is None
    assert wait_until(lambda: all(gone(int(pid)) for pid in pids.read_text().split()))


def test_what_it_leaves_behind_is_ended(tmp_path):
    pids = tmp_path / "pids"
    assert alone(leaves_a_child, pids, limit=60, log=tmp_path / "log", fresh=False) == 0
    assert wait_until(lambda: gone(int(pids.read_text())))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_does_not_outlive_its_parent(tmp_path, number):
    pids, log = tmp_path / "pids", tmp_path / "log"
    given = (with_a_child, pids)
    parent = multiprocessing.get_context("fork").Process(
        target=alone, args=given, kwargs={"limit": 60, "log": log, "fresh": False}
    )
    parent.start()
    assert wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    work, child = map(int, pids.read_text().split())
    os.kill(parent.pid, number)
    parent.join(20)
    assert wait_until(lambda: gone(work))
    if number == signal.SIGTERM:  # what a parent that is killed outright cannot see to
        assert parent.exitcode == 128 + signal.SIGTERM
        assert wait_until(lambda: gone(child))
    else:
        os.kill(child, signal.SIGKILL)
