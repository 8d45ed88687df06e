"""MathVerse testmini: 788 problems, each with less and less of it in the text and more in the
figure.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.benchmarks import eval_data
from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.benchmarks.judges import judge_letter, judge_math
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import accuracy_by
from noisygrpo.evaluation.samples import Sample
from noisygrpo.rewards.choices import options_of


def convert(row: Mapping[str, Any]) -> Item:
    """A row; all versions of a problem share a cluster. The prompt is ``query_cot``."""
    details = row.get("metadata") or {}
    return Item(
        question=row["question"] or row["query_cot"],
        answer=row["answer"],
        example_id=f"mathverse-{row['sample_index']}",
        cluster=f"problem-{row['problem_index']}",
        kind=row["problem_version"],
        prompt=row["query_cot"],
        meta={
            "question_type": row["question_type"],
            "subject": details.get("subject", ""),
            "options": list(options_of(row.get("question_for_eval") or row["question"]).values()),
        },
    )


def judge(completion: str, row: Row) -> Judgement:
    """Multiple choice by letter, else equality of formulas and numbers."""
    if row["meta"]["question_type"] != "multi-choice":
        return judge_math(completion, row)
    return judge_letter(completion, row, row["meta"]["options"] or ("",) * 4)


def metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """Accuracy by subject; versions are ``by_kind``."""
    return {"by_subject": accuracy_by(samples, lambda s: s["meta"]["subject"])}


BENCHMARK = Benchmark(
    name="mathverse",
    title="MathVerse testmini",
    source=(
        "Zhang et al., ECCV 2024 (arXiv 2403.14624); ZrrSkywalker/MathVerse at 937b090, "
        "evaluation/"
    ),
    licence="MIT",
    rows=3940,
    data="AI4Math/MathVerse",
    config="testmini",
    split="testmini",
    columns=(
        "sample_index", "problem_index", "problem_version", "question", "answer", "question_type",
        "query_cot",
    ),
    image=("image",),
    folders=("MathVerse",),
    layout=eval_data.mathverse,
    convert=convert,
    judge=judge,
    metrics=metrics,
    metric="accuracy ('w/o' score), overall and by problem version",
    note=(
        "Officially a language model extracts and judges; here rules do. The official 'w/o' "
        "score asks for a direct answer (query_wo); the prompt here is query_cot. CoT-E scores "
        "need a judge and are not computed."
    ),
)  # fmt: skip

TEXT_ONLY = dataclasses.replace(
    BENCHMARK,
    name="mathverse-text-only",
    title="MathVerse testmini, text only",
    config="testmini_text_only",
    split="testmini_text_only",
    rows=788,
    image=(),
    layout=None,
)
