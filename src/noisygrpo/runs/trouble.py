"""What a machine does to a run, said in one line: a full disk, a dead worker, a dead server.

None of it is a mistake in the recipe and none a bug, so neither a setting is blamed nor a traceback
shown. Checkpoints are written under another name (``models.sealed``), so the older ones are whole.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noisygrpo.errors import RunStopped
from noisygrpo.terminal import one_line

OF_A_DISK = {
    number: name
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EFBIG", "EIO", "ESTALE")
    if (number := getattr(errno, name, None)) is not None
}
_IN_WORDS = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
_TORCH = re.compile(
    r"PytorchStreamWriter failed|unexpected pos \d+ vs \d+|file write failed|iostream error"
)
_WORKER = re.compile(r"DataLoader worker \(pid[^)]*\).*")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_SERVER = ("EngineDeadError", "ConnectionError", "ConnectTimeout", "ReadTimeout", "ConnectError")


@contextmanager
def told(folder: Path, *, vllm: bool) -> Iterator[None]:
    """Say in one line what is of the machine, and let everything else pass.

    Args:
        folder: of the run.
        vllm: whether vLLM samples, so that a broken connection is one to it.

    Raises:
        RunStopped: with that line.
    """
    try:
        yield
    except Exception as error:
        line = trouble(error, folder, vllm=vllm)
        if line is None:
            raise
        raise RunStopped(line) from error


def trouble(error: BaseException | None, folder: Path, *, vllm: bool = False) -> str | None:
    """Return the line for an error, or for one that caused it; None where it is of another kind."""
    while error is not None:
        found = _disk(error, folder) or _gone(error) or _worker(error) or _state(error)
        found = found or (_server(error) if vllm else None)
        if found is not None:
            return found
        error = error.__cause__ or error.__context__
    return None


def _disk(error: BaseException, folder: Path) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    match = _IN_WORDS.search(str(error))
    if number is None and match is not None:  # of safetensors and pyarrow
        number = int(match[1] or match[2])
    where = error.filename if isinstance(error, OSError) and error.filename else folder
    after = f"what was saved before is whole: go on with --auto-resume ({folder})"
    if number is not None and number in OF_A_DISK:
        return f"cannot write {where}: {os.strerror(number)}; {after}"
    if _TORCH.search(str(error)):  # torch does not say why
        return f"cannot write {where}: is the disk full? {after}"
    return None


def _gone(error: BaseException) -> str | None:
    """A row's picture that was there when the run began."""
    name = os.fsdecode(error.filename or "") if isinstance(error, FileNotFoundError) else ""
    if Path(name).suffix.lower() not in PICTURES:
        return None
    return f"{name}: the picture is gone; put it back and go on with --auto-resume"


def _worker(error: BaseException) -> str | None:
    match = _WORKER.search(one_line(str(error)))
    if match is None:
        return None
    return f"{match[0][:200]}: it prepared the data; is memory short? go on with --auto-resume"


def _state(error: BaseException) -> str | None:
    """torch refuses to unpickle what would run code."""
    if type(error).__name__ != "UnpicklingError":
        return None
    return (
        "a state of the checkpoint (optimizer.pt, scheduler.pt, rng_state.pth) holds more than "
        "numbers, and is not read"
    )


def _server(error: BaseException) -> str | None:
    if not any(kind.__name__ in _SERVER for kind in type(error).__mro__):
        return None
    said = one_line(str(error))[:200]
    return (
        f"vLLM does not answer any more: {type(error).__name__}: {said}; go on with --auto-resume"
    )
