"""MATH-Vision: 3,040 competition problems with figures, five levels, sixteen subjects."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.benchmarks import eval_data
from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.benchmarks.mathvision_rules import mathvision_correct
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import accuracy_by
from noisygrpo.evaluation.reading import final_part
from noisygrpo.evaluation.samples import Sample


def convert(row: Mapping[str, Any]) -> Item:
    """A row; options that are letters (they are in the figure) are not listed, as officially."""
    options = list(row["options"] or [])
    listed = "".join(f"\n({chr(65 + i)}) {option}" for i, option in enumerate(options))
    if "".join(options) == "ABCDE" or _lists(row["question"], options):
        listed = ""
    return Item(
        question=row["question"] + listed,
        answer=str(row["answer"]),
        example_id=f"mathvision-{row['id']}",
        kind=row["subject"],
        meta={"options": options, "level": row["level"]},
    )


def _lists(question: str, options: Sequence[str]) -> bool:
    """Whether a question has its options in it, as those of VLMEvalKit's copy do."""
    return bool(options) and "Choices:" in question


def judge(completion: str, row: Row) -> Judgement:
    """The official rules, on the final part of the completion."""
    extracted, correct = mathvision_correct(
        final_part(completion), row["answer"], row["meta"]["options"]
    )
    why = "official rules" if extracted else "no answer found"
    return Judgement(extracted or None, correct, why)


def metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """Accuracy by level; subjects are ``by_kind``."""
    return {"by_level": accuracy_by(samples, lambda s: f"level {s['meta']['level']}")}


BENCHMARK = Benchmark(
    name="mathvision",
    title="MATH-Vision test",
    source="Wang et al., NeurIPS 2024 (arXiv 2402.14804); mathllm/MATH-V at a1f5cc3, evaluation/",
    licence="MIT",
    rows=3040,
    data="MathLLMs/MathVision",
    split="test",
    columns=("id", "question", "options", "answer", "level", "subject"),
    image=("decoded_image", "image"),
    folders=("MathVision", "MATH-V"),
    layout=eval_data.mathvision,
    convert=convert,
    prompt=(
        'Please solve the problem and put your answer in one "\\boxed{}". If it is a multiple '
        'choice question, only one letter is allowed in the "\\boxed{}".\n{question}'
    ),
    judge=judge,
    metrics=metrics,
    metric="accuracy, overall, by level and by subject",
)

MINI = dataclasses.replace(
    BENCHMARK,
    name="mathvision-mini",
    title="MATH-Vision testmini",
    split="testmini",
    rows=304,
    folders=(),
    layout=None,
)
