"""Multiple choice in columns: options become lines of the question, an index becomes a letter.

Read are lists (``choices``, ``options``: ScienceQA, MMMU, MathVista), mappings from letters,
``{text, label}`` (ARC), lists of such mappings, text with letters, and a column for each option
(``A``, ``B``: MMBench; ``choice_a``: SEED-Bench; ``option1``: WinoGrande). Numbers count from 0, as
in ScienceQA and MMLU, or as the columns do.
A question that is asked without its options cannot be answered, so cells that cannot be read are
refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noisygrpo.data.contents import brief, listed, mapping
from noisygrpo.data.raw import RawRows
from noisygrpo.data.rows import RowProblem, is_missing
from noisygrpo.rewards.options import LETTERS, options_of, split_options

LISTS = ("choices", "options")
_SINGLE = re.compile(r"(?:(?:choice|option|opt)[_ ]?)?([a-k])", re.IGNORECASE)
_NUMBER = re.compile(r"(?:choice|option|opt)[_ ]?(\d{1,2})", re.IGNORECASE)
_TEXT = ("text", "content", "value", "option", "choice")
_LABEL = ("label", "id", "key", "letter")

Offered = list[str | int | float]
"""Options as they stand in a row."""


@dataclass(frozen=True)
class Options:
    """Where the options of a row are."""

    columns: tuple[str, ...]
    """One column with a list, or one for each option."""

    def of(self, row: Mapping[str, Any], question: str) -> Offered:
        """The options of a row, none where it has none.

        Raises ``RowProblem`` for a cell that cannot be read, unless the question lists them itself.
        """
        single = len(self.columns) == 1
        value = row.get(self.columns[0]) if single else [row.get(name) for name in self.columns]
        if _is_empty(value):
            return []
        found = _read(value)
        if found is None and not options_of(question):
            raise RowProblem(
                f"column {self.label!r} is {brief(value)}, expected a list of 2 to {len(LETTERS)} "
                "options or a mapping from A, B, … to them; data.columns.options: null leaves it "
                "alone"
            )
        return found or []

    @property
    def label(self) -> str:
        """Their columns, for people."""
        return self.columns[0] + (f" to {self.columns[-1]}" if len(self.columns) > 1 else "")

    def place(self, text: str) -> int | None:
        """The place of the option whose column ``text`` names, by its name or its number."""
        by_name = {name.lower(): n for n, name in enumerate(self.columns) if len(name) > 1}
        if len(self.columns) == 1 or text.lower() in by_name:
            return by_name.get(text.lower()) if len(self.columns) > 1 else None
        first = _NUMBER.fullmatch(self.columns[0])
        return int(text) - int(first[1]) if first and text.isdecimal() else None


def find_options(raw: RawRows, columns: Mapping[str, str | None]) -> Options | None:
    """Where a source has its options; ``None`` if it has none.

    ``columns``: ``data.columns``, whose ``options`` names a list, or is null.
    """
    if "options" in columns:
        return Options((columns["options"],)) if columns["options"] else None
    there = {
        name: raw.first(name, lambda value: not _is_empty(value))
        for name in LISTS
        if name in raw.columns
    }
    readable = next((name for name, value in there.items() if _read(value)), None)
    if readable:
        return Options((readable,))
    single = _one_column_each(raw.columns)
    if single:
        return Options(single)
    meant = next((name for name, value in there.items() if _is_meant(value)), None)
    return Options((meant,)) if meant else None


def _is_meant(value: Any) -> bool:
    """Whether a cell that cannot be read is meant as options: a text, a list, or a mapping from
    letters or numbers. Other mappings and numbers may be settings.
    """
    if isinstance(value, Mapping):
        return all(re.fullmatch(r"[A-Za-z]|\d{1,2}", str(key)) for key in value)
    return isinstance(value, (str, list))


def _one_column_each(names: Sequence[str]) -> tuple[str, ...]:
    """The columns that hold an option each: ``A``, ``B``, or ``choice_a``, ``choice_b`` and on, or
    ``option1``, ``option2`` and on, from 1 or 0."""
    families: dict[str, dict[str, str]] = {}
    for name in names:
        found = _SINGLE.fullmatch(name) or _NUMBER.fullmatch(name)
        if found and (len(name) > 1 or name.isupper()):
            families.setdefault(name[: found.start(1)], {})[found.group(1).upper()] = name
    numbers = [str(number) for number in range(len(LETTERS) + 1)]
    for family in families.values():
        for order in (LETTERS, numbers[1:] if "0" not in family else numbers):
            count = next((n for n, mark in enumerate(order) if mark not in family), len(order))
            if 1 < count <= len(LETTERS):
                return tuple(family[mark] for mark in order[:count])
    return ()


def _is_empty(value: Any) -> bool:
    """Whether a cell holds no option: nothing, a list or a mapping of nothing, empty text."""
    value = listed(value)
    if isinstance(value, (list, tuple)):
        return all(_is_empty(item) for item in value)
    if isinstance(value, Mapping):
        return all(_is_empty(item) for item in value.values())
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def _read(value: Any) -> Offered | None:
    """The options of a cell, without letters of their own; ``None`` for anything else."""
    value = listed(value)
    if isinstance(value, str):
        text = value
        value = mapping(text)
        if isinstance(value, str):
            before, value = split_options(text)
            texts = [option.rstrip(",; ") for option in value.values()]
            return [*texts] if texts and not before.strip() else None
    if isinstance(value, Mapping):
        value = _of_mapping(value)
    if not isinstance(value, (list, tuple)):
        return None
    items = [_of_item(item) for item in _by_label(value)]
    while items and (is_missing(items[-1]) or items[-1] == ""):
        items.pop()
    if not 1 < len(items) <= len(LETTERS) or any(item is None or item == "" for item in items):
        return None
    return _without_letters(items)


def _of_mapping(value: Mapping[str, Any]) -> Any:
    """The list that a mapping holds under ``text``, or its values where its keys are letters."""
    if "text" in value:
        return value["text"]
    by_letter = {str(key).strip().upper(): item for key, item in value.items()}
    return [by_letter.get(letter) for letter in LETTERS] if set(by_letter) <= set(LETTERS) else None


def _by_label(items: Sequence[Any]) -> Sequence[Any]:
    """Mappings in the order of their letters, where all have one."""

    def label(item: Any) -> str:
        named = item if isinstance(item, Mapping) else {}
        return next((str(named[key]).strip().upper() for key in _LABEL if key in named), "")

    labels = {label(item) for item in items}
    whole = labels == set(LETTERS[: len(items)])
    return sorted(items, key=label) if whole else items


def _of_item(item: Any) -> str | int | float | None:
    if isinstance(item, Mapping):
        item = next((item[key] for key in _TEXT if key in item), None)
    if isinstance(item, str):
        return item.strip()
    return item if isinstance(item, (int, float)) and not is_missing(item) else None


def _without_letters(items: Sequence[Any]) -> Offered:
    """Options without their letters, where each begins with its own (``"A. ice"``)."""
    bare = []
    for letter, item in zip(LETTERS, items, strict=False):
        own = re.match(rf"[(\[]?{letter}[).:\]、．：]+\s*(?=\S)", str(item))
        if own is None:
            return [*items]
        bare.append(item[own.end() :])
    return bare


def with_options(question: str, options: Offered) -> str:
    """The question and a line for each option, unless it lists them all by letter itself."""
    texts = [str(option) for option in options]
    if not texts or (options_of(question) and all(text in question for text in texts)):
        return question
    lines = (f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=False))
    return "\n".join([question, *lines])


def chosen(answer: Any, options: Offered, column: str, source: Options | None = None) -> Any:
    """The letter of an answer that is the index of an option, or names its column in ``source``;
    any other answer as it is.

    Raises ``RowProblem`` for an index or a letter that no option has, and where it is not to be
    guessed whether an option or its place is meant: "1" is the first option or the second, 2 among
    the options 1, 2, 3 is one of them or the third.
    """
    if not options or isinstance(answer, bool):
        return answer
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    count = len(options)
    allowed = "give a letter, an option, or a number (0 is the first)"
    if source is not None and isinstance(answer, (int, str)):
        place = source.place(str(answer).strip())
        if place is not None:
            return _of_column(answer, options, f"column {column!r} is {answer!r}", source, place)
    if isinstance(answer, int):
        if not 0 <= answer < count:
            raise RowProblem(
                f"column {column!r} is {answer}, but the row has {count} options, 0 to {count - 1}"
            )
        if answer in options and options[answer] != answer:
            raise RowProblem(
                f"column {column!r} is {answer}, which is one of the options {options} and also "
                f"the place of another; {allowed}"
            )
        return LETTERS[answer]
    texts = [str(option) for option in options]
    if isinstance(answer, str) and answer.isdigit() and answer not in texts:
        raise RowProblem(
            f"column {column!r} is the text {answer!r}, which is none of the options "
            f"{texts}; {allowed}"
        )
    if isinstance(answer, str) and answer in LETTERS[count:] and answer not in texts:
        raise RowProblem(
            f"column {column!r} is {answer!r}, but the row has {count} options, A to "
            f"{LETTERS[count - 1]}"
        )
    return answer


def _of_column(answer: int | str, options: Offered, found: str, source: Options, place: int) -> str:
    """The letter of the option whose column an answer names; ``found`` says what the row has."""
    texts, text = [str(option) for option in options], str(answer).strip()
    if not 0 <= place < len(texts):
        raise RowProblem(
            f"{found}, but the row has {len(texts)} options in {source.label}, and a number is "
            "that of a column; data.adapter: my.py:function reads any row"
        )
    if text in texts and texts[place] != text:
        raise RowProblem(
            f"{found}, which is one of the options {texts} and also the number of another; give a "
            "letter"
        )
    return LETTERS[place]
