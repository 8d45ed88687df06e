"""SIGKILL, at drawn times and inside saves; the same command then finishes the run.

What must hold after each kill: the command ends with 0 without anybody's help, weights and rollouts
are byte for byte those of a run that nobody disturbed, nothing temporary is left, and no step is
done again that the newest checkpoint of the moment of the kill held.
"""

import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.children import Child, run
from tests.faults.tiny_run import KINDS, Kind, last_logged, log_lines, result_of, saved_steps
from tests.faults.trial import Outcome, Part, Trial

UNIFORM = {"full": 9, "measured": 4, "lora": 8, "two": 8}
"""Kills at times drawn uniformly over the run, by kind of run."""
IN_SAVES = {"full": 12, "lora": 8, "two": 8}
"""Kills at a drawn time after a save was seen to begin."""

TRIES = 8
"""Attempts at one kill."""

POLL = 0.0005
"""Seconds between two looks at whether a save has begun."""


@dataclass(frozen=True)
class Undisturbed:
    """The run that nobody killed."""

    files: dict[str, bytes]
    """What must be the same: weights and rollouts."""
    seconds: float
    saving: float
    """Seconds that a save takes, of those that were seen."""


_KNOWN: dict[str, Undisturbed] = {}


def undisturbed(kind: Kind, shared: Path) -> Undisturbed:
    """The run that nobody killed; it is made once."""
    if kind.name not in _KNOWN:
        folder = shared / f"undisturbed-{kind.name}"
        shutil.rmtree(folder, ignore_errors=True)
        run(["env"], folder / "first")  # so that what is forked from is there, and is not measured
        child = Child(kind.words(shared, folder / "run"), folder / "log", kind.processes)
        seen = watch(child, folder / "run")
        ended = child.wait()
        assert ended.code == 0, ended.err[-3000:]
        typical = sorted(seen)[len(seen) // 2] if seen else 0.1
        _KNOWN[kind.name] = Undisturbed(result_of(folder / "run"), ended.seconds, typical)
    return _KNOWN[kind.name]


def watch(child: Child, folder: Path) -> list[float]:
    """The seconds of each save, seen from outside."""
    found: list[float] = []
    began = None
    while child.running:
        if saving(folder) and began is None:
            began = time.monotonic()
        elif not saving(folder) and began is not None:
            found.append(time.monotonic() - began)
            began = None
        time.sleep(POLL)
    return found


def saving(folder: Path) -> bool:
    """Whether something is written under another name at the moment."""
    return (folder / ".saving").exists() or (folder / "checkpoint.tmp").exists()


def kill_in_save(child: Child, folder: Path, number: int, delay: float) -> float | None:
    """Wait for the save of this number to begin, and some time; None if the run ended before."""
    for turn in range(number + 1):
        for state in (True, False) if turn < number else (True,):
            while saving(folder) != state:
                if not child.running:
                    return None
                time.sleep(POLL)
    time.sleep(delay)
    return delay


def trial(kind: Kind, inside: bool, seed: int, shared: Path, folder: Path) -> Outcome:
    """Kill once, go on, and compare."""
    draw = random.Random(f"{kind.name} {inside} {seed}")
    whole, run_folder = undisturbed(kind, shared), folder / "run"
    words = [*kind.words(shared, run_folder), "--auto-resume"]
    for attempt in range(TRIES):  # a kill that came too late was none
        shutil.rmtree(run_folder, ignore_errors=True)
        child = Child(words, folder / f"log-{attempt}", kind.processes)
        if inside:
            number = draw.randrange(kind.steps + 1)  # one save a step, and the final one
            shorter = 0.9 * whole.saving / (attempt + 1)  # a machine is not always as busy
            kill_in_save(child, run_folder, number, draw.uniform(0, shorter))
        else:
            child.wait_or_end(draw.uniform(0.0, whole.seconds))
        order = draw.sample(range(kind.processes), kind.processes)
        killed = child.kill(order, draw.uniform(0, 0.3))
        if killed and (not inside or saving(run_folder)):
            break
    else:
        return Outcome(
            "not killed", f"the run ended before, {TRIES} times: {child.wait().last_lines}"
        )
    saved, logged, before = saved_steps(run_folder), last_logged(run_folder), saving(run_folder)
    kept = log_lines(run_folder, max(saved, default=0))
    facts = {"inside a save": float(before), "steps lost": float(logged - max(saved, default=0))}
    ended = run(words, folder / "again", kind.processes)
    return judge(whole, run_folder, ended, kept, max(saved, default=0), facts)


def judge(whole, folder, ended, kept, saved, facts) -> Outcome:
    """Say whether the run that went on is the run that nobody killed."""
    if ended.code != 0 or "Traceback" in ended.err:
        return Outcome("lost", f"exit code {ended.code}: {ended.last_lines}", facts)
    found = result_of(folder)
    if other := [name for name in whole.files if found.get(name) != whole.files[name]]:
        return Outcome("lost", f"not the same: {', '.join(other)}", facts)
    if log_lines(folder, saved) != kept:
        return Outcome("lost", f"a step up to {saved} was done again", facts)
    left = [p.name for p in folder.iterdir() if p.name in LEFT or p.suffix in (".tmp", ".old")]
    if left:
        return Outcome("lost", f"left behind: {', '.join(left)}", facts)
    return Outcome("survived", "", facts)


LEFT = (".saving", ".lock", ".owner")


def trials(shared: Path) -> list[Trial]:
    """All kills, in an order in which every eighth has some of each."""
    found = []
    for inside, counts in ((False, UNIFORM), (True, IN_SAVES)):
        for name, count in counts.items():
            for seed in range(count):
                place = "in a save" if inside else "at a drawn time"
                found.append(
                    Trial(
                        f"{name}, {place}, {seed + 1}",
                        lambda f, k=KINDS[name], i=inside, s=seed: trial(k, i, s, shared, f),
                    )
                )
    return found


PART = Part("kills", "SIGKILLs survived", trials, ("survived",))
