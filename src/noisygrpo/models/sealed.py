"""Folders that are whole or are not there: a checkpoint, a trained model, a merged one.

A folder is written under another name. Then every file is put on the disk (fsync), a manifest with
each file's size and hash is written last, and the folder gets its name by one rename. Whatever
stops the writer, at any moment, leaves a whole folder or none under that name (one that is replaced
lies beside it as NAME.old for the moment between two renames), and what a disk or a hand damages
later does not fit the manifest.

The hash is XXH3 with 128 bits: it finds damage at the speed of the disk; it is no protection from
somebody who also writes a new manifest.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xxhash

MANIFEST = "manifest.json"
"""``{"files": {path within the folder: {"bytes": …, "xxh3_128": …}}}``"""

ARGUMENTS = "training_args.bin"
"""A pickle, so whoever opens it runs its code; it may hold keys, and nothing here reads it."""

CHUNK = 1 << 22
"""Bytes that are read at a time."""


def seal(written: Path, folder: Path) -> None:
    """Give a written folder its manifest and its name; one that had the name is removed.

    The trainer's arguments, which Transformers pickles beside every model, are left out.

    Args:
        written: the folder under another name, on the same disk.
        folder: its name from now on.
    """
    (written / ARGUMENTS).unlink(missing_ok=True)
    files = {str(path.relative_to(written)): describe(path) for path in _files(written)}
    _write(written / MANIFEST, json.dumps({"files": files}, indent=1))
    for path in [*(path for path in written.rglob("*") if path.is_dir()), written]:
        _sync(path)
    old = folder.with_name(folder.name + ".old")
    if folder.is_symlink() or folder.is_file():  # no folder of ours
        folder.unlink()
    if folder.exists():  # a rename onto a folder that is not empty is refused
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    written.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def describe(path: Path) -> dict[str, Any]:
    """Return a file's size and hash, once it is on the disk."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "xxh3_128": digest.hexdigest()}


def damage(folder: Path, *, hashes: bool = True) -> str | None:
    """Return what is wrong with a sealed folder; None if it is as it was written.

    ``hashes``: read every file; without, only names and sizes are compared.
    """
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        expected = {str(name): (int(f["bytes"]), str(f["xxh3_128"])) for name, f in files.items()}
    except FileNotFoundError:
        return f"it has no {MANIFEST}: it was not written to its end"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"its {MANIFEST} cannot be read"
    for name, (size, _) in expected.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} bytes, not {size}"
    for name, (_, digest) in expected.items():
        if hashes and describe(folder / name)["xxh3_128"] != digest:
            return f"{name} is not as it was written"
    return None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Put a folder's names on the disk; on systems that open no folders there is nothing to do."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
