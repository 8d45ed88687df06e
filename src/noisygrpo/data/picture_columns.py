"""Which columns hold the pictures of a source, and which that are called like it are left aside.

One column of several holds a row's pictures (``image``, else ``image_path``), or all of them do, in
order: those that ``data.columns.image`` lists, numbered ones (``image_1``, ``image_2``: MMMU), and
``left_image``, ``right_image`` (NLVR2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from noisygrpo.data.cells import image_structs
from noisygrpo.data.convert import Draft
from noisygrpo.data.images import ImageProblem
from noisygrpo.data.raw import RawRows
from noisygrpo.data.rows import Adapter
from noisygrpo.errors import require

_NUMBERED = re.compile(r"((?:image|img)_?)(\d+)", re.IGNORECASE)
_SIDES = ("left_image", "right_image")
_CALLED = re.compile(
    r"(?:.*_)?(?:image|img|picture|photo|pic)s?(?:_?(?:path|file|name|url|id|\d+)s?)?"
)


class PictureColumns(NamedTuple):
    """Columns of pictures."""

    names: list[str]
    together: bool = False
    """Whether a row's pictures are those of all of them, in order, instead of one's."""

    @property
    def said(self) -> str:
        """What is to be said of them."""
        return f"images <- {', '.join(self.names)}, in this order" if self.together else ""


def picture_columns(
    adapter: Adapter, raw: RawRows, listed: Sequence[str], *, detect: bool
) -> PictureColumns:
    """Check that the adapter's columns are there; return those that hold images.

    Args:
        adapter: how the rows are read.
        raw: the rows.
        listed: what ``data.columns.image`` lists; empty where it names one column or none.
        detect: whether numbered columns and pairs count beside those of the adapter.
    """
    has = f"; it has {list(raw.columns)}"
    for column in (*adapter.columns, *listed):
        require(column in raw.columns, f"{raw.label}: no column {column!r} (data.columns){has}")
    if listed:
        return PictureColumns([*listed], together=True)
    found = [column for column in adapter.image if column in raw.columns]
    several = _in_order(raw, found) if detect else []
    if several:
        return PictureColumns(several, together=True)
    require(
        bool(found) or not adapter.image_required,
        f"{raw.label}: no image column {' or '.join(map(repr, adapter.image))}{has}; "
        "data.columns.image names it, and is null for text-only rows",
    )
    return PictureColumns(found)


def _in_order(raw: RawRows, found: Sequence[str]) -> list[str]:
    """Numbered columns of pictures, behind ``image`` where they go on from it; or a pair."""
    families: dict[str, dict[int, str]] = {}
    for name in raw.columns:
        match = _NUMBERED.fullmatch(name)
        if match and isinstance(raw.first(name), (str, bytes, Mapping, list)):
            families.setdefault(match.group(1), {})[int(match.group(2))] = name
    runs = [sorted(family.items()) for family in families.values() if min(family) < 3]
    if not runs:
        return [*_SIDES] if not found and set(_SIDES) <= set(raw.columns) else []
    several = [name for run in runs for _, name in run]
    goes_on = len(found) == 1 and runs[0][0][0] == 2
    starts = not found and runs[0][0][0] < 2
    require(
        len(runs) == 1 and (goes_on or starts),
        f"{raw.label}: pictures in {', '.join(map(repr, [*found, *several]))}; data.columns.image "
        "names the column that counts, or a list of those that do, in order",
    )
    return [*found, *several]


def _holds_pictures(raw: RawRows, name: str) -> bool:
    """Whether the first cell of a column that is not empty can be read as a picture."""
    try:
        return bool(image_structs(raw.first(name), raw.root))
    except ImageProblem:
        return False


def aside_lines(raw: RawRows, used: Sequence[str]) -> list[str]:
    """A line on columns with pictures that are not shown to the model."""
    aside = [
        repr(name)
        for name in raw.columns
        if name not in used and _CALLED.fullmatch(name.lower()) and _holds_pictures(raw, name)
    ]
    if not aside:
        return []
    return [
        f"pictures of {', '.join(aside)} are not shown to the model; data.columns.image may be a "
        "list of columns"
    ]


def require_pictures(raw: RawRows, drafts: Sequence[Draft]) -> None:
    """Refuse rows without a picture beside a column that is called like one."""
    called = [name for name in raw.columns if _CALLED.fullmatch(name.lower())]
    require(
        not called or any(made.images for made in drafts),
        f"{raw.label}: no row has a picture, but the column {called[:1]} is called like one; "
        "data.columns.image names it, and is null for text-only rows",
    )
