"""A user's function, named ``path.py:function``: how it is found, loaded and known by its content.

Whoever names such a function in a recipe or on the command line asks for its code to be run. A
recipe that was merely found beside a model may name none (``recipes.found``).
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import random
import shutil
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noisygrpo.contained import UserCodeError, contained
from noisygrpo.errors import UserError, require
from noisygrpo.writing import write_whole

IMPORT_LIMIT = 600.0
"""Seconds for a file to be imported; it may load a model."""

FOLDER = "functions"
"""In a run's folder: the files with the user's functions, called by their content."""


def is_user_function(name: Any) -> bool:
    """Tell whether a name is that of a function in a file."""
    return isinstance(name, str) and ".py:" in name


def user_file(name: str, field: str = "rewards") -> Path:
    """Return the file of ``path.py:function``; the path is relative to the working folder.

    Raises:
        UserError: there is no such file; it names ``field``.
    """
    path = name.rpartition(":")[0]
    require(Path(path).expanduser().is_file(), f"{field}: file {path!r} of {name!r} not found")
    return Path(path).expanduser()


def content_name(path: Path) -> str:
    """Return a name for a file that says what is in it: ``mine-<12 hexadecimal digits>.py``."""
    digest = hashlib.sha256(_content(path)).hexdigest()
    return f"{path.stem}-{digest[:12]}{path.suffix}"


_loaded: dict[str, bytes] = {}
"""Resolved path to what was in the file when it was run last."""


def _content(path: Path) -> bytes:
    """What runs of a file: by now it may hold something else on the disk, or be gone."""
    return _loaded.get(str(path.resolve())) or path.read_bytes()


def copies(names: Mapping[str, str]) -> dict[str, str]:
    """Return each named file with the name of its copy in a run's folder, which says its content.

    Args:
        names: field to ``path.py:function``.

    Raises:
        UserError: a file is not there and was not loaded before; it names the field.
    """
    paths = {field: Path(name.rpartition(":")[0]).expanduser() for field, name in names.items()}
    unread = {field for field, path in paths.items() if str(path.resolve()) not in _loaded}
    files = {str(user_file(names[f], f) if f in unread else path) for f, path in paths.items()}
    return {file: f"{FOLDER}/{content_name(Path(file))}" for file in sorted(files)}


def keep_files(names: Mapping[str, str], folder: Path) -> None:
    """Copy the named files, as they were loaded, into a run's folder, called by their content.

    A copy is whole under its name: it is written under another one and renamed, and what a kill or
    a hand left under its name with another content is replaced.
    """
    for file, copy in copies(names).items():
        path, content = folder / copy, _content(Path(file))
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.read_bytes() == content:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        write_whole(path, content)


def load_user_function(name: str, field: str = "rewards") -> Callable[..., Any]:
    """Import ``path.py:function``; the path is relative to the working folder.

    A file is run once for each content that it has, and leaves the global generators of random
    numbers as they were.

    Raises:
        UserError: there is no such file or function, or the file cannot be imported; the message
            names ``field``.
    """
    path, attribute = user_file(name, field), name.rpartition(":")[2]
    try:
        with contained(IMPORT_LIMIT, "being imported for"):
            content = path.read_bytes()
            members = _members(str(path.resolve()), content)
    except UserCodeError as error:  # anything may be wrong in a user's file
        raise UserError(f"{field}: {path} {error}") from error
    _loaded[str(path.resolve())] = content
    function = members.get(attribute)
    has = sorted(key for key, value in members.items() if inspect.isfunction(value))
    require(callable(function), f"{field}: no function {attribute!r} in {path}; it has {has}")
    assert callable(function)
    return function


@functools.cache
def _members(path: str, content: bytes) -> dict[str, Any]:
    """Run a file's content once; what is on the disk by now does not matter."""
    name = f"noisygrpo_user_{Path(path).stem}_{hashlib.sha256(content).hexdigest()[:12]}"
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module  # dataclasses look there for what annotations name
    with generators_kept():
        exec(compile(content, path, "exec"), vars(module))
    return vars(module)


@contextmanager
def generators_kept() -> Iterator[Callable[[], list[str]]]:
    """A context after which the global generators are as before.

    It gives a function that returns the names of those that were used within it so far.
    """
    kept = {name: get() for name, (get, _) in _generators().items()}

    def used() -> list[str]:
        now = {name: get() for name, (get, _) in _generators().items()}
        return [name for name in kept if not _equal(kept[name], now[name])]

    try:
        yield used
    finally:
        for name, (_, put) in _generators().items():
            if name in kept:
                put(kept[name])


def _generators() -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """The global generators of the libraries that are imported: how to read and to set each."""
    found: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
        "random": (random.getstate, random.setstate)
    }
    if numpy := sys.modules.get("numpy"):
        found["numpy.random"] = numpy.random.get_state, numpy.random.set_state
    if torch := sys.modules.get("torch"):
        found["torch"] = torch.random.get_rng_state, torch.random.set_rng_state
    return found


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return all(_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool((one == other).all()) if hasattr(one, "all") else bool(one == other)
