"""What an adapter is, and the pieces that all adapters share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from noisygrpo.errors import require

Fields = dict[str, Any]
"""``question``, ``answer`` and, where the source has them, reasoning, id, cluster, kind."""

FIELD_NAMES = ("question", "image", "answer", "reasoning", "id", "cluster", "kind")

_PLACEHOLDER = re.compile(r"[ \t]*<image\s*\d*>[ \t]*\n?")


class RowProblem(Exception):
    """A row that cannot be converted; the message says why, the caller adds file and row."""


@dataclass(frozen=True)
class Adapter:
    """How to read the rows of one kind of data set."""

    convert: Callable[[Mapping[str, Any]], list[Fields]]
    """A row without its images -> its examples (none: the row is left out)."""
    columns: tuple[str, ...]
    """Columns that have to be there."""
    image: tuple[str, ...] = ("images", "image")
    """Names of the image column; the first one that is there is taken."""
    image_required: bool = True
    """False for sources that may be text only."""
    image_in_row: bool = False
    """Whether ``convert`` sees the image column: only where it holds paths."""


def as_text(row: Mapping[str, Any], column: str) -> str:
    """Return a cell as text: numbers and booleans as people write them; raise if it is neither."""
    value = row.get(column)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    if value is None:
        raise RowProblem(f"column {column!r} is missing or null")
    raise RowProblem(f"column {column!r} is {value!r:.80}, expected text or a number")


def strip_placeholders(question: str) -> str:
    """Remove ``<image>`` and ``<image1>``: TRL puts the images in front of the question itself."""
    return _PLACEHOLDER.sub(" ", question).strip() if "<image" in question else question


def from_columns(columns: Mapping[str, str | None]) -> Adapter:
    """The adapter of a column map such as ``{"question": "problem", "image": "images"}``.

    Question and answer are required (default: columns of those names), and so is the image column
    (default: ``images`` or ``image``) unless ``"image": None`` says that there are no images; cells
    may be empty. Reasoning, id, cluster and kind are read where given.
    """
    for name in columns:
        require(
            name in FIELD_NAMES,
            f"data.columns: {name!r} is not a field; fields are {list(FIELD_NAMES)}",
        )
    source = {"question": "question", "answer": "answer", **columns}
    for name in ("question", "answer"):
        require(bool(source[name]), f"data.columns.{name} may not be empty")
    texts = {name: column for name, column in source.items() if column and name != "image"}

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        fields = {}
        for name, column in texts.items():
            optional = name in ("reasoning", "kind") and row.get(column) is None
            fields[name] = "" if optional else as_text(row, column)
        return [fields]

    image: tuple[str, ...] = ("images", "image")
    if "image" in source:
        image = tuple(name for name in (source["image"],) if name)
    return Adapter(
        convert,
        columns=tuple(texts.values()),
        image=image,
        image_required=bool(image),
    )


def finish(fields: Fields, default_id: str, cluster_pattern: str = "") -> dict[str, Any]:
    """Make the text part of an example (all keys but prompt and images) from an adapter's fields.

    Raises ``RowProblem`` for an empty question or answer and for an id that ``cluster_pattern``
    does not match.
    """
    question = strip_placeholders(fields["question"])
    for name, text in (("question", question), ("answer", fields["answer"])):
        if not text.strip():
            raise RowProblem(f"the {name} is empty")
    example_id = fields.get("id") or default_id
    cluster = fields.get("cluster") or example_id
    if cluster_pattern:
        match = re.search(cluster_pattern, example_id)
        if match is None:
            raise RowProblem(f"data.cluster_pattern {cluster_pattern!r} not in id {example_id!r}")
        cluster = match.group(1) if match.re.groups else match.group(0)
    return {
        "answer": fields["answer"].strip(),
        "reasoning": fields.get("reasoning", ""),
        "example_id": example_id,
        "cluster": cluster,
        "kind": fields.get("kind", ""),
        "question": question,
    }
