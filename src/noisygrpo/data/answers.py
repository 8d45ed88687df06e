"""Where the answer of a row is, and what of a worked solution is the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noisygrpo.data.contents import listed, mapping, text_of
from noisygrpo.data.raw import RawRows
from noisygrpo.data.rows import Fields, RowProblem, as_answer, is_missing
from noisygrpo.data.turns import read_turns
from noisygrpo.errors import require
from noisygrpo.rewards.extract import boxes
from noisygrpo.rewards.references import any_of

ANSWER = ("answer", "final_answer", "ground_truth", "solution")
"""Columns of answers; a ``solution`` beside another one is its working."""
REFERENCES = "answers"
"""Column of several answers of which one suffices (VQAv2, TextVQA, DocVQA, SQuAD)."""

_TAGGED = re.compile(
    r"\s*(?P<before>(?:(?!<answer>).)*?)\s*<answer>(?P<answer>(?:(?!</?answer>).)*)</answer>\s*",
    re.DOTALL,
)
_THINK = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_HASHES = re.compile(r"(?P<before>.*\S)\s*\n####\s*(?P<answer>[^\n]+?)\s*", re.DOTALL)
_WORDS = re.compile(r"[^\W\d_]{2,}")
_PROSE = 3
"""Words around a box that make it the end of a worked solution."""


@dataclass(frozen=True)
class Target:
    """Where the answers of a source are."""

    column: str | None
    """None: verl's ground truth, TRL's completion, or the last turn."""
    several: bool = False
    """Whether the column holds references, of which one suffices."""

    def of(self, row: Mapping[str, Any], reply: str | None = None) -> Any:
        """The answer of a row whose last turn, if it is the assistant's, says ``reply``."""
        if self.several and self.column:
            return references_of(row, self.column)
        return answer_of(row, self.column, reply)


def find_target(raw: RawRows, columns: Mapping[str, Any], names: Sequence[str]) -> Target:
    """The column of answers: the one that is named, the first of ``names``, or ``answers``."""
    several = columns.get("answers")
    require(
        not (several and columns.get("answer")),
        "data.columns: answer names a column of one answer, and answers one of several of which "
        "one suffices; leave one of them out",
    )
    if several:
        return Target(several, several=True)
    found = (name for name in names if name in raw.columns)
    return Target(columns.get("answer") or next(found, None))


def references_of(row: Mapping[str, Any], column: str) -> Any:
    """The answers in a column, of which one suffices: a list of texts or numbers, of VQAv2's
    ``{answer, answer_id, …}``, or those by column (SQuAD's ``{text: […]}``).

    Raises ``RowProblem`` where none of them is an answer.
    """
    value = listed(row.get(column))
    if isinstance(value, Mapping):
        value = value.get("answer", value.get("text", value))
    if not isinstance(value, list):
        return as_answer(row, column)
    given = [
        one.get("answer", one.get("text")) if isinstance(one, Mapping) else one for one in value
    ]
    given = [one for one in given if not is_missing(one) and str(one).strip()]
    if not given:
        raise RowProblem(f"the answer is empty (column {column!r} is {row.get(column)!r:.80})")
    return any_of(as_answer({column: one}, column) for one in given)


def answer_of(row: Mapping[str, Any], column: str | None, reply: str | None) -> Any:
    """A row's answer: a column, verl's ground truth, TRL's completion, or the last turn's text."""
    checked = row.get("reward_model") if column in (None, "solution") else None  # verl
    if isinstance(checked, str) and checked.lstrip().startswith("{"):
        checked = mapping(checked)
    if isinstance(checked, Mapping) and checked.get("ground_truth") is not None:
        truth = checked["ground_truth"]
        if isinstance(truth, Mapping) and set(truth) == {"target"}:  # of search tasks
            return references_of(truth, "target")
        return as_answer(checked, "ground_truth")
    if column is not None:
        return as_answer(row, column)
    if row.get("completion") is not None:
        return completion_of(row)
    if reply is None and not is_missing(row.get(REFERENCES)):
        return references_of(row, REFERENCES)
    if reply is None:
        raise RowProblem(
            f"no answer: none of the columns {', '.join(ANSWER)}, and the last turn is not the "
            "assistant's; data.columns.answer names the column"
        )
    if "<image>" in reply:
        raise RowProblem("its last turn, the answer, has an <image>; answers are text")
    return as_answer({"the last turn": reply}, "the last turn")


def completion_of(row: Mapping[str, Any]) -> Any:
    """TRL's ``completion`` as an answer: text, a number, or turns that end with the assistant's."""
    value = listed(row["completion"])
    turns = [value] if isinstance(value, Mapping) else value
    if not isinstance(turns, list) or not any(isinstance(turn, Mapping) for turn in turns):
        return as_answer(row, "completion")
    last = read_turns(turns, "completion")[-1]
    if last["role"] != "assistant":
        raise RowProblem("column 'completion': its last turn is not the assistant's")
    return as_answer({"completion": text_of(last["content"])}, "completion")


def answer_label(raw: RawRows, target: Target) -> str:
    """Where the answers of a source are, for people."""
    column = target.column
    if target.several:
        return f"{column} (one of them suffices)"
    checked = raw.first("reward_model") if "reward_model" in raw.columns else None
    if column in (None, "solution") and checked is not None:
        return "reward_model.ground_truth"
    if column:
        return column
    if "completion" in raw.columns and raw.first("completion") is not None:
        return "completion"
    return "the last turn"


def taken_out(fields: Fields) -> Fields | None:
    """The fields with the answer taken out of a worked solution; None where it is none.

    R1-style files hold ``<answer> 4 </answer>`` as the solution, some with the thinking before it;
    MATH ends with ``\\boxed{4}`` in a sentence, GSM8K with a line ``#### 4``. What stands before is
    the reasoning where the row has none.
    """
    text = fields["answer"]
    if not isinstance(text, str):
        return None
    found = _TAGGED.fullmatch(text) or _HASHES.fullmatch(text)
    before, answer = (found["before"], found["answer"]) if found else _boxed(text)
    if answer is None:
        return None
    if not answer.strip():
        raise RowProblem(f"the answer is empty: {text.strip()[-60:]!r}")
    thought = _THINK.search(before)
    before = thought.group(1) if thought else before
    reasoning = fields.get("reasoning") or before.strip()
    return {**fields, "answer": answer.strip(), "reasoning": reasoning}


def _boxed(text: str) -> tuple[str, str | None]:
    """A worked solution up to the sentence with its only box, and what that holds; (text, None)
    where it is none.
    """
    spans, _ = boxes(text)
    if len(spans) != 1:
        return text, None
    start, end = spans[0]
    front, behind = (
        _WORDS.findall(part) for part in (text[: text.rindex("\\", 0, start)], text[end:])
    )
    announced = bool(front) and not behind  # "Answer: \\boxed{B}", but not "\\boxed{4} cm"
    if not (announced or len(front) + len(behind) >= _PROSE):
        return text, None
    sentence = max(text.rfind(stop, 0, start) for stop in ("\n", ". "))
    return text[: sentence + 1], text[start:end]
