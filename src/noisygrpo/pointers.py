"""Files of a clone that are not there: Git LFS leaves a pointer of a few lines in their place."""

from pathlib import Path

from noisygrpo.errors import require

SIGNATURE = b"version https://git-lfs"
"""How a pointer begins."""
MOST = 1024
"""Bytes of a pointer, by the format's specification."""


def require_no_pointers(folder: Path) -> None:
    """See that a model's folder holds its files.

    Raises:
        UserError: some are pointers of Git LFS.
    """
    found = sorted(path.name for path in folder.iterdir() if is_pointer(path))
    require(
        not found,
        f"model.path: the folder {str(folder)!r} holds pointers of Git LFS in the place of "
        f"{', '.join(found)}; run `git lfs pull` there",
    )


def is_pointer(path: Path) -> bool:
    """Tell whether a file is one."""
    if not path.is_file() or path.stat().st_size > MOST:
        return False
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE
