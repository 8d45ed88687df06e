import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks.evidence.plan import Job
from benchmarks.evidence.pool import Pool


class Forks(Pool):
    """The pool with processes forked from the test, whose functions they can run."""

    def __init__(self, *args):
        super().__init__(*args)
        self._context = multiprocessing.get_context("fork")


@pytest.fixture
def jobs(tmp_path):
    return [Job(tmp_path / f"run{n}", ((str(n),),), "done.json", "made") for n in range(4)]


def begun(jobs):
    path = jobs[0].folder.parent / "begun"
    return path.read_text().split() if path.exists() else []


def finish(job):
    job.folder.mkdir(exist_ok=True)
    with (job.folder.parent / "begun").open("a") as file:
        file.write(f"{job.folder.name}\n")
    (job.folder / job.done).write_text(json.dumps({"minutes": 1.0}))


def test_a_finished_run_is_never_repeated_and_a_killed_one_is(jobs):
    def killed_at_one(job):
        if job.folder.name == "run1":
            with (job.folder.parent / "begun").open("a") as file:
                file.write("run1\n")
            os.kill(os.getpid(), signal.SIGKILL)
        finish(job)

    assert Forks(1).run(jobs, killed_at_one) is False
    assert begun(jobs) == ["run0", "run1", "run2", "run3"]
    assert not jobs[1].failed.exists()
    assert Forks(2).run(jobs, finish) is True
    assert begun(jobs) == ["run0", "run1", "run2", "run3", "run1"]
    assert Forks(2).run(jobs, finish) is True
    assert len(begun(jobs)) == 5


def test_a_run_that_gives_up_is_told_and_not_tried_again(jobs, capfd):
    def fails(job):
        if job.folder.name == "run2":
            os.write(1, b"stopped: the loss is not a number\n")
            raise SystemExit(1)
        finish(job)

    assert Forks(2).run(jobs, fails) is False
    assert json.loads(jobs[2].failed.read_text())["why"] == "stopped: the loss is not a number"
    assert "failed with status 1" in capfd.readouterr().err
    assert Forks(2).run(jobs, finish) is False
    assert "run2" not in begun(jobs)
    jobs[2].failed.unlink()
    assert Forks(2).run(jobs, finish) is True


@pytest.mark.parametrize("status", [75, 130])
def test_a_run_that_was_asked_to_stop_has_not_failed(jobs, status):
    def stops(job):
        raise SystemExit(status)

    assert Forks(2).run(jobs[:1], stops) is False
    assert not jobs[0].failed.exists()


def test_nothing_is_started_when_the_time_is_over(jobs):
    assert Forks(2, time.monotonic() - 1).run(jobs, finish) is False
    assert begun(jobs) == []


def test_two_run_side_by_side_and_what_is_left_is_told(jobs, capfd):
    def meets(job):
        """Wait for the other one: alone it would wait for ever."""
        job.folder.mkdir()
        other = job.folder.parent / f"run{int(job.folder.name[3:]) ^ 1}"
        until = time.monotonic() + 60
        while not other.is_dir() and time.monotonic() < until:
            time.sleep(0.01)
        assert other.is_dir()
        finish(job)

    assert Forks(2).run(jobs, meets) is True
    assert "to begin, " in capfd.readouterr().out


def test_what_a_killed_experiment_had_begun_does_not_go_on(jobs):
    beat = jobs[0].folder.parent / "beat"

    def beats(job):
        while True:
            with beat.open("a") as file:
                file.write(".")
            time.sleep(0.05)

    experiment = multiprocessing.get_context("fork").Process(
        target=lambda: Forks(1).run(jobs, beats)
    )
    experiment.start()
    _until(beat.exists)
    experiment.kill()
    experiment.join()

    def silent():
        many = beat.stat().st_size
        time.sleep(0.3)
        return beat.stat().st_size == many

    _until(silent)
    assert not jobs[0].failed.exists()


def _until(happens):
    until = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.02)


SLEEPER = """
import os, pathlib, time
from benchmarks.evidence import pool
from benchmarks.evidence.plan import Job

def sleep(job):
    pathlib.Path("pid").write_text(str(os.getpid()))
    time.sleep(120)

if __name__ == "__main__":
    pool.PRELOADED = []
    pool.Pool(1).run([Job(pathlib.Path("run"), (("x",),), "done.json", "made")], sleep)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_ends_with_the_experiment(tmp_path, how):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    root = str(Path(__file__).parents[2])
    experiment = subprocess.Popen(
        [sys.executable, "sleeper.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}
    )
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and pid.read_text())
    run = int(pid.read_text())
    assert is_there(run)
    experiment.send_signal(how)
    experiment.wait()
    wait_until(lambda: not is_there(run))


def wait_until(holds, seconds=40):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
