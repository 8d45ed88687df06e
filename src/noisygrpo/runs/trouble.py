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

from noisygrpo.data.images import ImageProblem
from noisygrpo.errors import OF_A_DISK, RunStopped
from noisygrpo.terminal import one_line

OF_BOTH = (errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, getattr(errno, "ESTALE", None))
"""What a system says of reading too."""
_IN_WORDS = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
_TORCH = re.compile(
    r"PytorchStreamWriter failed|unexpected pos \d+ vs \d+|file write failed|iostream error"
)
_FULL = re.compile(r"^OutOfMemoryError: |DefaultCPUAllocator: can't allocate memory")
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
        found = _picture(error) or _gone(error, folder) or _disk(error, folder)
        found = found or _worker(error) or _state(error)
        found = found or _memory(error) or (_server(error) if vllm else None)
        if found is not None:
            return found
        error = error.__cause__  # not what was being handled: that may have nothing to do with it
    return None


def _disk(error: BaseException, folder: Path) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    match = _IN_WORDS.search(str(error))
    if number is None and match is not None:  # of safetensors and pyarrow
        number = int(match[1] or match[2])
    where = error.filename if isinstance(error, OSError) and error.filename else folder
    after = f"what was saved before is whole: go on with --auto-resume ({folder})"
    if number is not None and number in OF_A_DISK:
        what = "cannot read or write" if number in OF_BOTH else "cannot write"
        return f"{what} {where}: {os.strerror(number)}; {after}"
    if _TORCH.search(str(error)):  # torch does not say why
        return f"cannot write {where}: is the disk full? {after}"
    return None


def _gone(error: BaseException, folder: Path) -> str | None:
    """The run's folder, or one in it, that was removed while something was written into it."""
    match = _IN_WORDS.search(str(error))
    number = int(match[1] or match[2]) if match is not None else getattr(error, "errno", None)
    if number != errno.ENOENT:
        return None
    name = error.filename if isinstance(error, OSError) else None
    where = Path(os.fsdecode(name)) if name else folder
    if not where.absolute().is_relative_to(folder.absolute()):
        return None
    return (
        f"cannot write {where}: was {folder} removed or moved while the run wrote there? what is "
        f"whole there is gone on from with --auto-resume"
    )


def _picture(error: BaseException) -> str | None:
    """A row's picture that could be read when the run began, or seemed so by its ends."""
    cause = error.__cause__ if isinstance(error, ImageProblem) else error
    name = os.fsdecode(cause.filename or "") if isinstance(cause, FileNotFoundError) else ""
    if Path(name).suffix.lower() in PICTURES:
        return f"{name}: the picture is gone; put it back and go on with --auto-resume"
    if isinstance(error, ImageProblem):
        return f"{error}; put a readable one in its place and go on with --auto-resume"
    return None


def _memory(error: BaseException) -> str | None:
    if not (isinstance(error, MemoryError) or _FULL.search(f"{type(error).__name__}: {error}")):
        return None
    said = one_line(str(error)).partition(". ")[0][:200] or "of the machine"
    return (
        f"memory is full: {said}; smaller are training.per_device_train_batch_size (with more "
        "gradient_accumulation_steps), max_completion_length and model.max_pixels, and "
        "gradient_checkpointing: `noisygrpo check --plan` says what needs how much"
    )


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
