"""Layouts of rows, told by their columns, and how each is read.

==================  ===========================================================================
layout              rows
==================  ===========================================================================
``messages``        ``messages`` of role and content (ms-swift, LLaMA-Factory)
``conversations``   ``conversations`` of from and value (LLaVA, ShareGPT, VLM-R1, LLaMA-Factory)
``prompt``          ``prompt``, a list of turns (TRL, verl)
``columns``         a question and an answer in columns (EasyR1, Geometry3K, csv, image folders)
``alpaca``          ``instruction``, ``input``, ``output`` (LLaMA-Factory)
``query``           ``query``, ``response``, ``history`` (ms-swift)
==================  ===========================================================================

Published layouts: ms-swift's *Custom Dataset*, LLaMA-Factory's ``data/README.md``, VLM-R1's *For
your own data*, EasyR1's ``verl/utils/dataset.py``, verl's ``examples/data_preprocess/geo3k.py``,
TRL's *Dataset formats*.

The answer is a column (``answer``, ``solution``, ``ground_truth``), or else the last turn if that
is the assistant's. An answer of text, a number or a list stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from noisygrpo.data.answers import (
    ANSWER,
    REFERENCES,
    Target,
    answer_label,
    completion_of,
    find_target,
    references_of,
)
from noisygrpo.data.contents import listed, parts_of_text, text_of, turns_in
from noisygrpo.data.options import chosen, find_options, with_options
from noisygrpo.data.raw import RawRows
from noisygrpo.data.rows import (
    FIELD_NAMES,
    Adapter,
    Fields,
    RowProblem,
    as_answer,
    as_text,
    is_missing,
)
from noisygrpo.data.spec import TOOLS
from noisygrpo.data.turns import Turn, read_turns
from noisygrpo.data.usual import (
    Names,
    image_columns,
    read_texts,
    system_column,
    system_turn,
    text_columns,
)
from noisygrpo.errors import UserError, require
from noisygrpo.rewards.references import each
from noisygrpo.schema import shown

QUESTION = ("question", "problem", "query", "prompt", "instruction")
ANSWER_OF_COLUMNS = (*ANSWER, "completion", "response", "output", "label")
TURNS = {
    "messages": ("messages",),
    "conversations": ("conversations", "conversation"),
    "prompt": ("prompt",),
}
"""Layout -> columns that hold its turns."""


def choose_format(raw: RawRows, wanted: str, columns: Names) -> tuple[str, Adapter]:
    """The layout of the rows (that of ``wanted`` if given) and how it is read.

    Raises ``UserError`` where the rows have none of the layouts, naming their columns.
    """
    allowed = TOOLS.get(wanted, (wanted,) if wanted else ())
    if allowed:
        found = next((name for name in allowed if _fits(name, raw, columns)), None)
        if found is None and "columns" in allowed:
            found = "columns"  # says which column is missing
        require(
            found is not None,
            f"data.format: {wanted!r} has the column {' or '.join(map(repr, _needs(allowed)))}; "
            f"{raw.label} has {list(raw.columns)}",
        )
    else:
        found = _detect(raw, columns)
    return str(found), _make(str(found), raw, columns)


def _detect(raw: RawRows, columns: Names) -> str:
    # A question and an answer in columns of these names are meant so, whatever else there is.
    if columns.get("question") or {"question", "answer"} <= set(raw.columns):
        return "columns"
    order = ("messages", "conversations", "prompt", "alpaca", "query")
    return next((name for name in order if _fits(name, raw, columns)), "columns")


def _needs(layouts: Sequence[str]) -> list[str]:
    needed = {**TURNS, "alpaca": ("instruction",), "query": ("query",)}
    return [column for name in layouts for column in needed.get(name, ())]


def _fits(layout: str, raw: RawRows, columns: Names) -> bool:
    there = set(raw.columns)
    if layout in TURNS:
        column = next((name for name in TURNS[layout] if name in there), None)
        return column is not None and isinstance(turns_in(raw.first(column)), list)
    if layout == "alpaca":
        return "instruction" in there and bool({"output", "input", "history"} & there)
    if layout == "query":
        return "query" in there and bool({"response", "history"} & there)
    question = columns.get("question")
    return question in there if question else bool(set(QUESTION) & there)


def _make(layout: str, raw: RawRows, columns: Names) -> Adapter:
    for name in columns:
        require(
            name in FIELD_NAMES,
            f"data.columns: {name!r} is not a field; fields are {list(FIELD_NAMES)}",
        )
    if layout == "columns":
        return _columns(raw, columns)
    require(
        not columns.get("question"),
        f"data.columns.question: the layout {layout!r} has its question in "
        f"{_needs([layout])[0]!r}; leave it out, or set data.format: columns",
    )
    system = system_column(raw, columns)
    read = _turn_reader(layout, raw, system)
    replies = {"alpaca": ("output",), "query": ("response",)}.get(layout, ())
    target = find_target(raw, columns, (*ANSWER, *replies))
    more = text_columns(raw, columns)

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        turns, reply = _split_off(read(row))
        return [{"turns": turns, "answer": target.of(row, reply), **read_texts(row, more)}]

    used = [name for name in (target.column, system, *more.values()) if name]
    return Adapter(
        convert,
        columns=tuple(name for name in used if name in columns.values()),
        image=image_columns(columns),
        image_required=bool(columns.get("image")),
        fields={
            "answer": answer_label(raw, target),
            **({"system": system} if system else {}),
            **more,
        },
        prompt="plain" if layout == "prompt" else "",
    )


def _turn_reader(
    layout: str, raw: RawRows, system: str | None
) -> Callable[[Mapping[str, Any]], list[Turn]]:
    """A function from a row to all of its turns."""
    if layout in TURNS:
        column = next(name for name in TURNS[layout] if name in raw.columns)

        def of_turns(row: Mapping[str, Any]) -> list[Turn]:
            first, turns = system_turn(row, system), read_turns(row.get(column), column)
            if first and turns[0]["role"] == "system":
                if text_of(first[0]["content"]).strip() != text_of(turns[0]["content"]).strip():
                    raise RowProblem(
                        f"it has a system turn in {column!r} and another in {system!r}"
                    )
                return turns
            return first + turns

        return of_turns
    question, reply = ("instruction", "output") if layout == "alpaca" else ("query", "response")

    def read(row: Mapping[str, Any]) -> list[Turn]:
        asked = as_text(row, question)
        if layout == "alpaca" and not is_missing(row.get("input")) and row["input"] != "":
            asked = f"{asked}\n{as_text(row, 'input')}"
        turns = system_turn(row, system) + _history(row)
        turns.append({"role": "user", "content": parts_of_text(asked)})
        if isinstance(row.get(reply), str):  # what is no text is an answer all the same
            turns.append({"role": "assistant", "content": parts_of_text(row[reply])})
        return turns

    return read


def _history(row: Mapping[str, Any]) -> list[Turn]:
    """The turns of earlier questions and replies."""
    pairs = listed(row.get("history"))
    if is_missing(pairs) or pairs == "":
        return []
    if not isinstance(pairs, list):
        raise RowProblem(f"column 'history' is {pairs!r:.80}, expected pairs of question and reply")
    turns: list[Turn] = []
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise RowProblem(f"column 'history': {pair!r:.80} is no pair of question and reply")
        for role, said in zip(("user", "assistant"), pair, strict=True):
            text = as_text({"history": said}, "history")
            turns.append({"role": role, "content": parts_of_text(text)})
    return turns


def _refuse_history(row: Mapping[str, Any]) -> None:
    """Refuse earlier turns beside a question in a column; another ``history`` is a column."""
    pairs = listed(row.get("history"))
    if isinstance(pairs, list) and pairs and all(isinstance(pair, (list, dict)) for pair in pairs):
        raise RowProblem("column 'history' has turns, which the layouts alpaca and query read")


def _split_off(turns: list[Turn]) -> tuple[list[Turn], str | None]:
    """The turns up to the last question, and the reply behind it if there is one."""
    if turns[-1]["role"] != "assistant":
        return turns, None
    reply = turns[-1]["content"]
    if any(part["type"] == "image" and part["cell"] is not None for part in reply):
        raise RowProblem("its last turn, the answer, holds a picture")
    return turns[:-1], text_of(reply)


def _columns(raw: RawRows, columns: Names) -> Adapter:
    """Question and answer in columns: those that are named, else the first of the usual names."""
    for name in ("question", "answer"):
        require(name not in columns or bool(columns[name]), f"data.columns.{name} may not be empty")
    question = columns.get("question") or _first(raw, QUESTION, "question")
    target = find_target(raw, columns, ANSWER_OF_COLUMNS)
    if target.column is None and REFERENCES in raw.columns:
        target = Target(REFERENCES, several=True)
    answer = target.column or _first(raw, ANSWER_OF_COLUMNS, "answer")
    more = text_columns(raw, columns)

    options = find_options(raw, columns)
    system = system_column(raw, columns)

    def convert(row: Mapping[str, Any]) -> list[Fields]:
        asked = as_text(row, question)
        offered = options.of(row, asked) if options else []
        asked = with_options(asked, offered)
        wanted = _target(row, answer, target.several)
        wanted = each(wanted, lambda one: chosen(one, offered, answer, options))
        found = {"answer": wanted, **read_texts(row, more)}
        _refuse_history(row)
        first = system_turn(row, system)
        if not first:
            return [{"question": asked, **found}]
        return [{"turns": [*first, {"role": "user", "content": parts_of_text(asked)}], **found}]

    seen = {"options": options.label} if options else {}
    seen |= {"system": system} if system else {}
    return Adapter(
        convert,
        columns=tuple(
            dict.fromkeys(
                name
                for name in (question, answer, *more.values(), *columns.values())
                if name and name != columns.get("image")
            )
        ),
        image=image_columns(columns),
        image_required=columns.get("image", "") is not None,
        fields={"question": question, "answer": answer_label(raw, target), **seen, **more},
    )


def _target(row: Mapping[str, Any], column: str, several: bool) -> Any:
    if several:
        return references_of(row, column)
    return completion_of(row) if column == "completion" else as_answer(row, column)


def _first(raw: RawRows, names: Sequence[str], field: str) -> str:
    found = next((name for name in names if name in raw.columns), None)
    if found is None:
        raise UserError(
            f"{raw.label}: no column for the {field}: none of {', '.join(names)}; it has "
            f"{shown(list(raw.columns), 200)}; data.columns.{field} names one, data.adapter: "
            f"my.py:function reads any row{raw.hint}"
        )
    return found
