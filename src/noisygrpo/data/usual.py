"""The fields that every layout reads alike: system turn, texts such as id and kind, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noisygrpo.data.contents import parts_of_text
from noisygrpo.data.raw import RawRows
from noisygrpo.data.rows import Fields, RowProblem, as_text, is_missing
from noisygrpo.data.turns import Turn

IMAGE = ("images", "image", "image_path", "image_paths", "img", "file_name", "decoded_image")

Names = Mapping[str, str | None]
"""Field -> the column that ``data.columns`` names for it."""


def system_column(raw: RawRows, columns: Names) -> str | None:
    """The column of system prompts: the one that is named, or ``system``."""
    return columns.get("system", "system" if "system" in raw.columns else None)


def system_turn(row: Mapping[str, Any], column: str | None) -> list[Turn]:
    """A row's system turn from its column, as a list of one; empty where there is none."""
    text = row.get(column) if column else None
    if is_missing(text):
        return []
    if not isinstance(text, str):
        raise RowProblem(
            f"column {column!r} is {text!r:.80}, expected text; data.columns.system: null leaves "
            "it alone"
        )
    if not text.strip():
        return []
    return [{"role": "system", "content": parts_of_text(text)}]


def text_columns(raw: RawRows, columns: Names) -> dict[str, str]:
    """Columns of the fields that are text: those named, and those that are called like a field."""
    found = {"id": columns.get("id") or ("example_id" if "example_id" in raw.columns else None)}
    for name in ("reasoning", "cluster", "kind", "pair"):
        found[name] = columns.get(name, name if name in raw.columns else None)
    return {name: column for name, column in found.items() if column}


def read_texts(row: Mapping[str, Any], texts: Mapping[str, str]) -> Fields:
    """The texts of a row by field; reasoning, kind and pair may be missing."""
    fields = {}
    for name, column in texts.items():
        optional = name in ("reasoning", "kind", "pair") and is_missing(row.get(column))
        try:
            fields[name] = "" if optional else as_text(row, column)
        except RowProblem as problem:
            raise RowProblem(f"{problem}; data.columns.{name}: null leaves it alone") from problem
    return fields


def image_columns(columns: Names) -> tuple[str, ...]:
    """Columns in which pictures may be: the one that is named, or the usual ones."""
    if "image" not in columns:
        return IMAGE
    return (str(columns["image"]),) if columns["image"] else ()
