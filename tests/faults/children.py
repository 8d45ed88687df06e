"""Commands in processes of their own, forked from one that has imported what takes long.

A child is a real process: it can be killed at any instant, leave with any code, hang until its time
is over, and it shares nothing with the next one.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

from two_processes import forks, free_port, place

MOST_SECONDS = 240.0
"""After which a command that should end counts as one that hangs (the machine may be busy)."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | None
    """Exit code; -9 for one that was killed; None for one whose time was over."""
    out: str
    err: str
    seconds: float

    @property
    def last_lines(self) -> str:
        """The end of what it said, for a report."""
        return " / ".join(line for line in self.err.splitlines()[-4:] if line)[-400:]


class Child:
    """A command that is running: one process, or two that train together."""

    def __init__(
        self, words: Sequence[str], log: Path, processes: int = 1, inside: Path | None = None
    ) -> None:
        """Start it.

        Args:
            words: of the command line.
            log: path, without an ending, of the files that take what it says.
            processes: 1 or 2.
            inside: the working directory; None: that of the parent.
        """
        self.log, self.started = log, time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        port = free_port() if processes == 2 else 0
        places = [place(rank, port) if processes == 2 else {} for rank in range(processes)]
        self.processes = [
            forks().Process(
                target=run_command, args=([str(w) for w in words], f"{log}-{rank}", of, inside)
            )
            for rank, of in enumerate(places)
        ]
        for process in self.processes:
            process.start()

    @property
    def running(self) -> bool:
        """Whether any of its processes is."""
        return any(process.is_alive() for process in self.processes)

    def wait_or_end(self, seconds: float) -> None:
        """Wait so long, or until one of its processes has ended."""
        connection.wait([process.sentinel for process in self.processes], timeout=seconds)

    def kill(self, order: Sequence[int] = (0,), between: float = 0.0) -> bool:
        """SIGKILL its processes in this order, seconds apart; whether the first was still there."""
        first = self.processes[order[0]]
        there = first.is_alive()
        first.kill()
        for rank in order[1:]:
            time.sleep(between)
            self.processes[rank].kill()
        for process in self.processes:
            process.join()
        return there and first.exitcode == -9

    def wait(self, seconds: float = MOST_SECONDS) -> Ended:
        """Wait for its end; where the time is over, or one of two failed, the rest is killed."""
        until = time.monotonic() + seconds
        while self.running and time.monotonic() < until:
            if any(process.exitcode for process in self.processes):
                until = min(until, time.monotonic() + 5)
            alive = [process.sentinel for process in self.processes if process.is_alive()]
            connection.wait(alive, timeout=1)
        hangs = self.running and not any(process.exitcode for process in self.processes)
        codes = [process.exitcode for process in self.processes]
        for process in self.processes:
            process.kill()
            process.join()
        code = next((code for code in codes if code), codes[0])
        read = [
            "".join(
                Path(f"{self.log}-{rank}.{kind}").read_text(encoding="utf-8", errors="replace")
                for rank in range(len(self.processes))
                if Path(f"{self.log}-{rank}.{kind}").exists()
            )
            for kind in ("out", "err")
        ]
        return Ended(None if hangs else code, *read, time.monotonic() - self.started)


def run(
    words: Sequence[str],
    log: Path,
    processes: int = 1,
    seconds: float = MOST_SECONDS,
    inside: Path | None = None,
) -> Ended:
    """Run a command to its end; arguments as ``Child`` and ``Child.wait``."""
    return Child(words, log, processes, inside).wait(seconds)


def run_command(
    words: list[str], log: str, environment: dict[str, Any], inside: Path | None
) -> None:
    """Be the command line, in a process that was just forked."""
    for number, kind in ((1, "out"), (2, "err")):
        file = os.open(f"{log}.{kind}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    os.environ |= environment
    if inside is not None:
        os.chdir(inside)
    from noisygrpo.cli import main

    sys.argv = ["noisygrpo", *words]
    sys.exit(main(words))
