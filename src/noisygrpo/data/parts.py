"""Several sources in one ``data`` section, with how many rows of each.

``data.source`` is then a list, or a .yaml file that holds one under ``datasets`` (LLaVA's and
VLM-R1's lists, NoisyGRPO's ``data_config/*.yaml``)::

    datasets:
        - json_path: a.json
          sampling_strategy: first:1000      # the first 1,000 rows
        - json_path: b.json
          sampling_strategy: end:10%         # the last tenth, rounded up
        - json_path: c.jsonl
          sampling_strategy: random:999      # drawn by data.seed, in the order of the file

``source`` and ``rows`` are our names of the two keys, ``image_root`` is a third.

Deliberate deviations from NoisyGRPO's release (Artanic30/NoisyGRPO at 1c92ccf, ``noisy_grpo.py``):
rows are drawn by the seed, not by whatever was drawn before; a strategy that it does not know, or
more rows than there are, is an error instead of all rows; a path is meant from the list's folder
if it leads to something there, else, as in the release, from the working directory.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from noisygrpo.data.texts import kind_of
from noisygrpo.errors import UserError, require
from noisygrpo.schema import nearest, shown
from noisygrpo.yaml_text import read_yaml

LISTS = (".yaml", ".yml")
ALL = "all"
Source = str | list[str | dict[str, Any]]
"""What ``data.source`` may be."""

_KEYS = {
    "source": "source", "json_path": "source", "rows": "rows", "sampling_strategy": "rows",
    "image_root": "image_root",
}  # fmt: skip
_ROWS = re.compile(r"(first|end|random):(\d+(?:\.\d+)?)(%?)")
_STRATEGIES = "all, first:N, end:N, random:N, or one of these with a share such as first:10%"


@dataclass(frozen=True)
class Part:
    """One source of several."""

    source: str
    rows: str = ALL
    """Which of its rows: ``all``, or ``first:``, ``end:``, ``random:`` with a number or a share."""
    image_root: str = ""
    named: str = ""
    """What messages call it: the list and the entry."""


def parts_of(source: Source, field: str = "data.source") -> list[Part] | None:
    """The sources of a list; None where ``source`` is one source.

    Raises ``UserError`` for a list that is wrong, naming the entry.
    """
    if isinstance(source, str):
        path = Path(source).expanduser()
        if path.suffix not in LISTS:
            return None
        require(path.is_file(), f"{field}: {source!r} does not exist")
        return [_beside(part, path.parent) for part in _read(path)]
    return _parts(source, field)


def _read(path: Path) -> list[Part]:
    try:
        document = read_yaml(path.read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8") from None
    entries = document.get("datasets") if isinstance(document, Mapping) else document
    if not isinstance(entries, list):
        raise UserError(f"{path}: expected a list of sources under 'datasets', each with json_path")
    return _parts(entries, path.name)


def _parts(entries: Sequence[Any], name: str) -> list[Part]:
    require(bool(entries), f"{name}: the list of sources is empty")
    return [_part(entry, f"{name}[{number}]") for number, entry in enumerate(entries)]


def _part(entry: Any, named: str) -> Part:
    entry = {"source": entry} if isinstance(entry, str) else entry
    require(isinstance(entry, Mapping), f"{named}: {shown(entry)} is no source: give json_path")
    values: dict[str, str] = {}
    for key, value in entry.items():
        require(key in _KEYS, f"{named}: {key} is not a known key{nearest(str(key), list(_KEYS))}")
        if value is None and _KEYS[key] != "source":
            continue
        require(isinstance(value, str) and bool(value), f"{named}.{key}: {shown(value)} is no text")
        require(_KEYS[key] not in values, f"{named}: {key} says again what another key says")
        values[_KEYS[key]] = value
    require("source" in values, f"{named}: no json_path (or source)")
    part = Part(**values, named=named)
    require(
        Path(part.source).suffix not in LISTS and part.source != "playground",
        f"{named}: {part.source!r}: a list holds files, folders and hub ids, no other list and not "
        "the playground",
    )
    _strategy(part)
    return part


def _beside(part: Part, folder: Path) -> Part:
    """A part with its path from the list's folder, or from the working directory."""
    values = dict(vars(part))
    for key in ("source", "image_root"):
        path = Path(values[key]).expanduser()
        if values[key] and not path.is_absolute() and (folder / path).exists():
            values[key] = str(folder / path)
    path = Path(values["source"]).expanduser()
    require(
        path.exists() or not kind_of(path),
        f"{part.named}: {part.source!r} is neither in {folder} nor in the working directory",
    )
    return Part(**values)


def _strategy(part: Part) -> tuple[str, Fraction, bool]:
    """(which end, number, whether it is a share in percent)."""
    found = _ROWS.fullmatch(part.rows)
    good = part.rows == ALL or (found is not None and _is_amount(found.group(2), found.group(3)))
    require(good, f"{part.named}: rows {part.rows!r}, allowed are {_STRATEGIES}")
    if found is None:
        return ALL, Fraction(100), True
    return found.group(1), Fraction(found.group(2)), bool(found.group(3))


def _is_amount(number: str, percent: str) -> bool:
    value = Fraction(number)
    return 0 < value <= 100 if percent else value >= 1 and value.denominator == 1


def chosen_rows(part: Part, count: int, seed: int) -> list[int]:
    """Numbers of the rows that are taken of ``count``, in the order of the file.

    ``random`` is a function of ``seed``, the file's name and ``count``. Raises ``UserError`` where
    there are fewer rows than are asked for.
    """
    which, number, share = _strategy(part)
    wanted = math.ceil(number * count / 100) if share else int(number)
    if wanted > count:
        raise UserError(
            f"{part.named}: rows {part.rows!r}, but {part.source} has {count:,} of them"
        )
    if which == "end":
        return list(range(count - wanted, count))
    if which == "random":
        name = hashlib.blake2b(Path(part.source).name.encode(), digest_size=8).digest()
        draw = np.random.default_rng([seed, int.from_bytes(name)])
        return sorted(int(row) for row in draw.permutation(count)[:wanted])
    return list(range(wanted))


def prefixes(parts: Sequence[Part]) -> list[str]:
    """What tells sources apart whose files have one name: the folders, as far as needed.

    "" where the name is enough, and for a file that is named twice. Raises ``UserError`` for two
    files in one folder that differ in their suffix alone: ids begin with the name without it.
    """
    paths = [Path(part.source).expanduser().resolve() for part in parts]
    found = []
    for path in paths:
        alike = {other for other in paths if other.stem == path.stem} - {path}
        for other in alike:
            require(
                other.parent != path.parent,
                f"{path.name} and {other.name} are in one folder, and their rows would have the "
                "same ids; rename one of them",
            )
        folders, depth = path.parent.parts, 1 if alike else 0
        while any(other.parent.parts[-depth:] == folders[-depth:] for other in alike):
            depth += 1
        found.append("".join(f"{folder}/" for folder in folders[len(folders) - depth :]))
    return found


def said(source: Source) -> str:
    """A source in a line."""
    if isinstance(source, str):
        return source
    return f"{len(source)} sources"
