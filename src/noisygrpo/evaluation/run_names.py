"""What runs are called: labels that are given, seeds, and the shortest paths that differ."""

import re
from collections.abc import Sequence
from pathlib import Path

from noisygrpo.errors import require

SEED = re.compile(r"(?:(?:^|[-_.])seed[-_]?|[-_.]s)\d+$")
"""What a folder's name has of a seed. A bare ``s`` needs its separator: ``views2``, ``steps100``
and ``rollouts8`` say what was varied, no seed."""


def labelled(text: str) -> tuple[str, Path]:
    """Label ("" without one) and folder of ``folder`` or ``label=folder``; either may have an
    equals sign of its own, and what is a folder as a whole is that folder.
    """
    whole = Path(text).expanduser()
    if whole.is_dir() or "=" not in text:
        return "", whole
    places = [place for place, letter in enumerate(text) if letter == "="]
    parts = [(text[:place], Path(text[place + 1 :]).expanduser()) for place in places]
    return next(((label, path) for label, path in parts if path.is_dir()), parts[0])


def refuse_twice(folders: Sequence[Path], command: str) -> None:
    """See that no folder is given twice, by whatever names."""
    found: set[Path] = set()
    for folder in folders:
        where = folder.resolve()
        require(where not in found, f"{command}: {folder} is given twice, allowed is once")
        found.add(where)


def shortest_names(paths: Sequence[Path], taken: Sequence[str] = ()) -> list[str]:
    """The last part of each path, with as many before it as tell it from the other paths and from
    the names that are ``taken``. The paths are absolute, and no two are equal.
    """
    names = []
    for path in paths:
        others = [other for other in paths if other != path]
        for count in range(1, len(path.parts) + 1):
            end = path.parts[-count:]
            name = "/".join(end).replace("//", "/")
            if name not in taken and all(other.parts[-count:] != end for other in others):
                break
        names.append(name)
    return names


def methods_of(paths: Sequence[Path]) -> list[Path]:
    """What each folder is a seed of, as a path without what its name has of the seed; folders with
    the same one are one method.

    ``grpo/seed0`` is a seed of ``grpo``. Seeds of one method may lie in different places
    (``a/grpo-seed0``, ``b/grpo-seed1``), unless one seed occurs in two of them: then each place has
    a method of its own.
    """
    whole = [path.resolve() for path in paths]
    bare = [_without_seed(path) for path in whole]
    found = []
    for own in bare:
        alike = [place for place, other in enumerate(bare) if other.name == own.name]
        seeds = [_last(whole[place], bare[place]) for place in alike]
        apart = len(set(seeds)) < len(seeds)
        found.append(own if apart else bare[alike[0]])
    return found


def _without_seed(path: Path) -> Path:
    name = SEED.sub("", path.name)
    if name or not path.parent.name:
        return path.with_name(name) if name else path
    return path.parent


def _last(path: Path, bare: Path) -> str:
    """A folder's own name, below that of its method."""
    return path.name if bare != path else bare.name
