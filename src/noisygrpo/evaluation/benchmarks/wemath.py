"""We-Math testmini: 525 composite problems, each split into its two or three steps; 1,740 rows."""

from collections.abc import Mapping
from typing import Any

from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import wemath_metrics
from noisygrpo.evaluation.reading import choice_letter, final_part

_OPTIONS = ("",) * 8


def convert(row: Mapping[str, Any]) -> Item:
    """A row; ``ID`` names the composite problem, ``key`` the step or ``multi``."""
    return Item(
        question=f"Question: {row['question']}\nOption: {row['option']}",
        answer=row["answer"],
        example_id=f"{row['ID']}-{row['key']}",
        cluster=row["ID"],
        kind=row["key"],
        meta={"key": row["key"]},
    )


def judge(completion: str, row: Row) -> Judgement:
    """Right if the chosen letter, A to H, is the answer's."""
    letter = choice_letter(final_part(completion), _OPTIONS)
    why = "no option letter found" if letter is None else f"chooses {letter}"
    return Judgement(letter, letter == row["answer"].strip().upper(), why)


BENCHMARK = Benchmark(
    name="wemath",
    title="We-Math testmini",
    source="Qiao et al., 2024 (arXiv 2407.01284); We-Math/We-Math at a57a0e8, evaluation/",
    licence="CC-BY-NC-4.0",
    rows=1740,
    data="We-Math/We-Math",
    split="testmini",
    columns=("ID", "key", "question", "option", "answer"),
    image=("image_path",),
    convert=convert,
    prompt=(
        "Now, we require you to solve a multiple-choice math question. Please briefly describe "
        "your thought process and provide the final answer(option).\n{question}\nRegarding the "
        "format, please answer following the template below, and be sure to include two <> "
        "symbols:\n<Thought process>: <<your thought process>> <Answer>: <<your option>>"
    ),
    judge=judge,
    metrics=wemath_metrics,
    metric="strict and loose score over 525 composites",
    note="NoisyRollout's WeMath is plain accuracy over the 1,740 rows: 'accuracy' here.",
)
