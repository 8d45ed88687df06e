"""What an adapter is, and the pieces that all adapters share."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from noisygrpo.rewards.references import ANY_OF, has_references, readable

Fields = dict[str, Any]
"""``question`` or ``turns``, ``answer`` and, where the source has them, reasoning, id, cluster,
kind, pair, images (cells that stand for the row's own) and more (further columns)."""

FIELD_NAMES = (
    "question", "image", "answer", "answers", "reasoning", "id", "cluster", "kind", "pair",
    "system", "options",
)  # fmt: skip

_PLACEHOLDER = re.compile(r"[ \t]*<image[ _]?\d*>[ \t]*\n?")


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
    """Names of image columns; each row's images are in one of those that are there."""
    image_required: bool = True
    """False for sources that may be text only."""
    image_in_row: bool = False
    """Whether ``convert`` sees the image columns."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Which column became which field, where that was found out."""
    prompt: str = ""
    """Template where the recipe names none."""


def as_text(row: Mapping[str, Any], column: str) -> str:
    """Return a cell as text: numbers and booleans as people write them; raise if it is neither."""
    value = row.get(column)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if is_missing(value):
        raise RowProblem(f"column {column!r} is missing or null")
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise RowProblem(f"column {column!r} is {value!r:.80}, expected text or a number")


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: null, or the NaN that pandas writes for it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def as_answer(row: Mapping[str, Any], column: str) -> Any:
    """Return a cell as the target that reaches reward functions: text, a number, a list as it is.

    Raises ``RowProblem`` for what is missing or empty, and for NaN and infinity at any depth: JSON
    files of other tools hold them for a missing value.
    """
    value = row.get(column)
    if value is None:
        raise RowProblem(f"column {column!r} is missing or null")
    if isinstance(value, str):
        if not value.strip():
            raise RowProblem(f"the answer is empty (column {column!r})")
        return value.strip()
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if not _is_json(value):
        raise RowProblem(
            f"column {column!r} is {value!r:.80}, expected text, a number, or a list of those"
        )
    inner: Any = value[ANY_OF] if isinstance(value, dict) and has_references(value) else value
    if isinstance(inner, (list, dict)) and (not inner or inner in ([None], [""])):
        raise RowProblem(f"the answer is empty (column {column!r} is {value!r})")
    if not _is_finite(value):
        raise RowProblem(f"column {column!r} is {value!r:.80}, which is no answer")
    if has_references(value) and not isinstance(inner, list):
        raise RowProblem(f"column {column!r} is {value!r:.80}, expected a list of answers")
    return value


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_is_finite(item) for item in inner)


def answer_text(answer: Any) -> str:
    """An answer as people write it, where only text will do: 3.0 is "3", a list is JSON; of several
    references those that count, as "a" or "b"."""
    answer = readable(answer)
    if isinstance(answer, (list, dict)):
        return json.dumps(answer, ensure_ascii=False)
    return as_text({"answer": answer}, "answer")


def strip_placeholders(question: str) -> str:
    """Remove ``<image>`` and ``<image1>``: for benchmarks whose images stand in front."""
    return _PLACEHOLDER.sub(" ", question).strip() if "<image" in question else question
