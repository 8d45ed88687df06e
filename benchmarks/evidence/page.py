"""Tables between the marker comments of a page: ``<!-- evidence: NAME -->`` to ``<!-- end -->``."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from noisygrpo.errors import require
from noisygrpo.evaluation.samples import write_atomic

_PLACE = re.compile(r"<!-- evidence: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)


def fill(text: str, tables: Mapping[str, str], known: Collection[str] = ()) -> str:
    """The text of a page with its places filled; those of ``known`` without a table stay.

    Raises:
        UserError: a place that no table is for, or no place at all.
    """
    names = [match.group(1) for match in _PLACE.finditer(text)]
    require(bool(names), "--write: the page has no line <!-- evidence: NAME --> with <!-- end -->")
    there = dict.fromkeys((*known, *tables))
    unknown = ", ".join(name for name in names if name not in there)
    require(not unknown, f"--write: no table is called {unknown}; there are {', '.join(there)}")

    def filled(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in tables:
            return match.group()
        return f"<!-- evidence: {name} -->\n\n{tables[name]}\n\n<!-- end -->"

    return _PLACE.sub(filled, text)


def write(path: Path, tables: Mapping[str, str], known: Collection[str] = ()) -> None:
    """Fill a page in place, whole or not at all."""
    require(path.is_file(), f"--write: {path}: there is no such file")
    write_atomic(path, fill(path.read_text(encoding="utf-8"), tables, known))
