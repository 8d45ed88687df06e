"""One process on a run's folder: the second one is told who has it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from noisygrpo.errors import UserError
from noisygrpo.terminal import one_line

LOCK_FILE = ".lock"
OWNER_FILE = ".owner"
"""Who holds the lock, as text; it is only believed while the lock is held."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder within this context; the system lets go where the process dies.

    Raises:
        UserError: another process has it, which the message says, or it cannot be written.
    """
    made = not folder.exists()
    lock, owner = FileLock(folder / LOCK_FILE), folder / OWNER_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        who = owner.read_text(encoding="utf-8").strip() if owner.is_file() else "another process"
        raise UserError(f"--output-dir: {folder} is in use by {who}") from None
    except (OSError, NotImplementedError) as error:  # read-only, full, or without locks
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"--output-dir: {folder} cannot be written: {one_line(why)}") from None
    try:
        with suppress(OSError):  # a full disk has room for the lock's name, and not for this
            owner.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        # While it is held: who opened the file before sees that it is gone, and makes another.
        with suppress(OSError):
            (folder / LOCK_FILE).unlink()
        lock.release()
        if made:  # for this lock alone, if nothing else came into it
            with suppress(OSError):
                folder.rmdir()
