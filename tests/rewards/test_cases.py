"""The reward `accuracy` on labelled completions: `cases/own.jsonl` was written before the rules
that judge it, `cases/more.jsonl` and `cases/said.jsonl` while they were attacked,
`cases/fresh.jsonl` and `cases/sentences.jsonl` by other hands before they were run, and so were
`cases/field.jsonl` and `cases/field2.jsonl`: answers as stock models give them on the field's
benchmarks; `cases/field3.jsonl` has other examples of the kinds that were misjudged there, labelled
before the rules were mended; `cases/field4.jsonl` was labelled before it was run too. In these
four, `judged` says what the rules find where it is not what is right."""

from typing import Any

import pytest

from labelled_answers import HERE, SHARED, read, rewards_of

MISSED = {
    "fresh-choice-22",  # that "on" asks for a day must be known from the question
    "sentence-exist-12",  # nobody is no person
    "sentence-wh-06",  # what is written on a sign, it says
    "sentence-ordinal-04",  # "fourth from the left" for the position from the left
    "sentence-ordinal-08",  # in second place for 2
    *("sentence2-subj-03", "sentence2-subj-20", "sentence2-text-23"),  # in the passive
    *("sentence2-subj-17", "sentence2-choice-01", "sentence2-choice-26"),  # "than", and more words
    *("sentence2-yesno-24",),  # none of them
    *("sentence2-count-06", "sentence2-count-26"),  # one of several numbers
    *(
        "sentence2-ord-01",
        "sentence2-ord-21",
        "sentence2-attr-13",
        "sentence2-text-15",
    ),  # other words
}
"""Right answers that are missed."""

ACCEPTED = {"sentence2-count-04", "sentence2-num-15"}
"""Wrong answers that are accepted: a count of things of which the rules do not know that they are
others than those asked for, and 8 months for an age of 8."""


@pytest.mark.parametrize(
    "name",
    [
        "own.jsonl",
        "more.jsonl",
        "fresh.jsonl",
        "said.jsonl",
        "sentences.jsonl",
        "field.jsonl",
        "field2.jsonl",
        "field3.jsonl",
        "field4.jsonl",
    ],
)
def test_every_label(name: str) -> None:
    rows = read(HERE / name)
    judged = rewards_of(rows)
    wrong = [
        (row["id"], row["completion"][-60:], row["target"], reward)
        for row, reward in zip(rows, judged, strict=True)
        if reward != float(_expected(row))
    ]
    assert wrong == []


def _expected(row: dict[str, Any]) -> bool:
    if "judged" in row:
        return row["judged"]
    return row["id"] in ACCEPTED or (row["right"] and row["id"] not in MISSED)


def test_labels_are_of_many_kinds_and_both_signs() -> None:
    rows = read(HERE / "own.jsonl")
    kinds = {row["id"].rpartition("-")[0] for row in rows}
    assert len(kinds) >= 25
    assert 0.4 < sum(row["right"] for row in rows) / len(rows) < 0.6
    assert len({row["id"] for row in rows}) == len(rows)


@pytest.mark.skipif(not SHARED.exists(), reason=f"the shared cases are not at {SHARED}")
def test_shared_labels() -> None:
    rows = read(SHARED)
    judged = rewards_of(rows)
    accepted = [row["id"] for row, reward in zip(rows, judged, strict=True) if reward == 1]
    assert [row["id"] for row in rows if row["id"] in accepted and not row["right"]] == []
    missed = {row["id"] for row in rows if row["right"]} - set(accepted)
    assert missed == set()
    assert None not in judged
