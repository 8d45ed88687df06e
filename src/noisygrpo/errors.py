"""The error of mistakes that a user can make and mend, and that of runs that cannot go on."""

import errno
from pathlib import Path

OF_A_DISK = frozenset(
    getattr(errno, name)
    for name in ["ENOSPC", "EDQUOT", "EROFS", "EFBIG", "EIO", "ESTALE", "EACCES", "EPERM", "EMFILE"]
    if hasattr(errno, name)  # not every system has them all
)
"""What a disk, or its owner, says to who reads and writes: no bug, and no mistake in a recipe."""


class UserError(ValueError):
    """A mistake in a recipe, a data file or a command.

    The message names the field (for data: the file and row), the value found and what is allowed.
    The command line prints it without a traceback and exits with status 2.
    """


class RunStopped(RuntimeError):
    """A run that has begun cannot go on; the message says why, and no traceback explains more."""


def require_file_to_write(path: Path, option: str) -> None:
    """Raise ``UserError`` where no file can be written: at a folder, or below a file.

    Said before the work whose result would go there.
    """
    require(not path.is_dir(), f"{option}: {path} is a folder, allowed is a file")
    above = next((one for one in path.absolute().parents if one.exists()), path.absolute().parent)
    require(above.is_dir(), f"{option}: {path} lies below {above}, which is a file")


def require(condition: bool, message: str) -> None:
    """Raise ``UserError(message)`` unless ``condition`` holds."""
    if not condition:
        raise UserError(message)
