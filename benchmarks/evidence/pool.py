"""Jobs in processes of their own, a few at a time, each with one thread.

Processes are forked from a server that has imported what takes long (20 s a run) and in which
nothing has run, so a run is that of a fresh interpreter. A process whose parent is gone leaves:
what a killed experiment had begun does not go on beside the next one.
"""

import json
import multiprocessing
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import connection
from pathlib import Path

from noisygrpo.evaluation.samples import write_json
from noisygrpo.terminal import say
from noisygrpo.threads import wait_briefly

from .keep import keep
from .plan import Job

STOPPED = (75, 130)
"""Statuses of a command that was asked to stop: no failure."""
PRELOADED = [
    "trl.trainer.grpo_trainer",
    "peft",
    "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl",
    "noisygrpo.runs.train",
    "noisygrpo.runs.levels",
    "noisygrpo.commands.evaluate_splits",
    "pandas",
    "pyarrow.parquet",
    "scipy.stats",
]


class Pool:
    """Runs jobs, ``parallel`` at a time, until all are done or the time is over."""

    def __init__(self, parallel: int, until: float = float("inf")) -> None:
        """``until``: time of ``time.monotonic`` after which no job is started."""
        wait_briefly()
        os.environ["OMP_NUM_THREADS"] = "1"
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        self._parallel, self._until = parallel, until
        self._minutes: dict[str, list[float]] = {}

    def run(self, jobs: Sequence[Job], work: Callable[[Job], None] | None = None) -> bool:
        """Run what is not done; whether all of them are done now.

        A job that failed is not tried again while the file that says so is there.
        """
        waiting = [job for job in jobs if not job.is_done and not job.failed.exists()]
        for one in jobs:
            self._remember(one)
        running: dict[Job, tuple[multiprocessing.process.BaseProcess, float]] = {}
        while (waiting and time.monotonic() < self._until) or running:
            while waiting and len(running) < self._parallel and time.monotonic() < self._until:
                one = waiting.pop(0)
                running[one] = (self._start(one, work or do), time.monotonic())
            connection.wait([process.sentinel for process, _ in running.values()])
            for one, (process, started) in list(running.items()):
                if not process.is_alive():
                    process.join()
                    del running[one]
                    self._ended(one, process.exitcode or 0, time.monotonic() - started)
                    self._say_left(waiting, running)
        return all(job.is_done for job in jobs)

    def _remember(self, job: Job) -> None:
        """Take note of how long a job took that is done."""
        if job.is_done and job.done in ("done.json", "calibrated.json"):
            facts = json.loads((job.folder / job.done).read_text(encoding="utf-8"))
            self._minutes.setdefault(job.kind, []).append(facts["minutes"])

    def _start(self, job: Job, work: Callable[[Job], None]) -> multiprocessing.process.BaseProcess:
        say(f"{time.strftime('%H:%M:%S')} begins: {job.kind}, {job.folder}")
        process = self._context.Process(target=_alone, args=(work, job, os.getpid()))
        process.start()
        return process

    def _ended(self, job: Job, code: int, seconds: float) -> None:
        if job.is_done:
            self._minutes.setdefault(job.kind, []).append(seconds / 60)
            say(f"{time.strftime('%H:%M:%S')} done in {seconds / 60:.1f} min: {job.folder}")
            return
        why = _last_words(job.log)
        say(f"failed with status {code}: {job.folder}: {why}", error=True)
        # What gave up does so again; what was killed (below 0) or stopped is tried the next time.
        if code > 0 and code not in STOPPED:
            facts = {"status": code, "why": why, "commands": [list(w) for w in job.commands]}
            write_json(job.failed, facts)

    def _say_left(self, waiting: Sequence[Job], running: dict[Job, tuple[object, float]]) -> None:
        """Say how long what is left takes, by the jobs of its kind that are done."""
        known = [m for several in self._minutes.values() for m in several]
        if not (waiting and known):
            return
        left = 0.0
        for one in waiting:
            several = self._minutes.get(one.kind, known)
            left += sum(several) / len(several)
        takes = left / self._parallel
        budget = (self._until - time.monotonic()) / 60
        stops = f", of which {_time(max(0.0, budget))} are there" if budget < takes else ""
        say(f"{len(waiting)} to begin, {len(running)} running: about {_time(takes)}{stops}")


def do(job: Job) -> None:
    """Run a job's commands one after the other, and keep what the tables need."""
    from noisygrpo.cli import main

    started = time.monotonic()
    if job.commands[0][0] == "train" and not (job.folder / "checkpoint").is_dir():
        for stale in ("after", "calibrated"):  # of weights that are trained again
            shutil.rmtree(job.folder / stale, ignore_errors=True)
    for words in job.commands:
        sys.argv = ["noisygrpo", *words]
        status = main(list(words))
        if status:
            sys.exit(status)
    if job.run is not None:
        keep(job, (time.monotonic() - started) / 60)


def _alone(work: Callable[[Job], None], job: Job, experiment: int) -> None:
    threading.Thread(target=_leave_with, args=(experiment,), daemon=True).start()
    job.log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    work(job)


def _leave_with(experiment: int) -> None:
    """Leave when the experiment's process is gone. The server that forked this one is no sign of
    that: on its way out it waits for those whom it forked."""
    while _is_there(experiment):
        time.sleep(1)
    os._exit(1)


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _time(minutes: float) -> str:
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.0f} min"


def _last_words(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
