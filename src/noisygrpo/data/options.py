"""Multiple choice in columns: options become lines of the question, an index becomes a letter.

Read are lists (``choices``, ``options``: ScienceQA, MMMU, MathVista), ``{text, label}`` (ARC) and
columns ``A``, ``B``, ``C`` … (MMBench). Numbers count from 0, as in ScienceQA and MMLU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from noisygrpo.data.contents import listed
from noisygrpo.data.readers import RawRows
from noisygrpo.data.rows import RowProblem, is_missing
from noisygrpo.rewards.options import LETTERS, options_of

LISTS = ("choices", "options")


@dataclass(frozen=True)
class Options:
    """Where the options of a row are."""

    columns: tuple[str, ...]
    """One column with a list, or one for each option."""

    def of(self, row: Mapping[str, Any]) -> list[str]:
        """The options of a row, none where it has none."""
        if len(self.columns) == 1:
            return _texts(row.get(self.columns[0])) or []
        cells = [row.get(name) for name in self.columns]
        while cells and (is_missing(cells[-1]) or cells[-1] == ""):
            cells.pop()
        return _texts(cells) or []

    @property
    def label(self) -> str:
        """Their columns, for people."""
        return self.columns[0] + (f" to {self.columns[-1]}" if len(self.columns) > 1 else "")


def find_options(raw: RawRows, columns: Mapping[str, str | None]) -> Options | None:
    """Where a source has its options; ``None`` if it has none.

    ``columns``: ``data.columns``, whose ``options`` names a list, or is null.
    """
    if "options" in columns:
        return Options((columns["options"],)) if columns["options"] else None
    for name in LISTS:
        if name in raw.columns and _texts(raw.first(name)):
            return Options((name,))
    count = next((n for n, letter in enumerate(LETTERS) if letter not in raw.columns), len(LETTERS))
    return Options(tuple(LETTERS[:count])) if count > 1 else None


def _texts(value: Any) -> list[str] | None:
    """A list of options as texts; ``None`` for anything else."""
    value = listed(value)
    if isinstance(value, Mapping):
        value = value.get("text")
    if not isinstance(value, (list, tuple)) or not 1 < len(value) <= len(LETTERS):
        return None
    if not all(isinstance(item, (str, int, float)) and not is_missing(item) for item in value):
        return None
    return [str(item).strip() for item in value]


def with_options(question: str, options: list[str]) -> str:
    """The question and a line for each option, unless it lists them all by letter itself."""
    if not options or (options_of(question) and all(option in question for option in options)):
        return question
    lines = (f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return "\n".join([question, *lines])


def chosen(answer: Any, options: list[str], column: str) -> Any:
    """The letter of an answer that is the index of an option; any other answer as it is.

    Raises ``RowProblem`` for an index that no option has, and for one that is text: whether "1" is
    the first option or the second is not to be guessed.
    """
    if not options or isinstance(answer, bool):
        return answer
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    count = len(options)
    if isinstance(answer, int):
        if not 0 <= answer < count:
            raise RowProblem(
                f"column {column!r} is {answer}, but the row has {count} options, 0 to {count - 1}"
            )
        return LETTERS[answer]
    if isinstance(answer, str) and answer.isdigit() and answer not in options:
        raise RowProblem(
            f"column {column!r} is the text {answer!r}, which is none of the options "
            f"{options}; give a letter, an option, or a number (0 is the first)"
        )
    return answer
