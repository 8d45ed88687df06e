"""MME-CoT: 1,130 questions, with and without step-by-step reasoning; key steps need a judge."""

import dataclasses
import string
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.benchmarks.judges import judge_letter, judge_math
from noisygrpo.evaluation.benchmarks.mme_cot_judge import judge_steps
from noisygrpo.evaluation.benchmarks.mme_cot_pair import add_direct_comparison
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.judge_api import JudgeEndpoint
from noisygrpo.evaluation.samples import Sample

_STEPS = (
    "\nPlease generate a step by step answer, include all your intermediate reasoning process, and "
    "provide the final answer at the end."
)
_STEPS_TOKENS = 4096  # the judge writes every step of an answer out
_DIRECT = "\nPlease directly provide the final answer without any other output."


def convert(row: Mapping[str, Any]) -> Item:
    """A row; annotated key steps are kept for the judge, one list for each reference solution."""
    letters = [c for c in string.ascii_uppercase if str(row.get(c) or "").strip()]
    listed = "".join(f"\n{letter}. {row[letter]}" for letter in letters)
    return Item(
        question=row["question"].strip() + listed,
        answer=str(row["answer"]),
        example_id=f"mme-cot-{row['index']}",
        kind=row["question_type"],
        meta={
            "options": [str(row[letter]) for letter in letters],
            "category": row.get("category", ""),
            "solutions": key_steps(row.get("key_annotation_steps") or {}),
            "captions": [text for text in row.get("reference_caption") or [] if text.strip()],
        },
    )


def key_steps(annotation: Mapping[str, Any]) -> list[list[str]]:
    """Key steps of each reference solution: its logical conclusions, then its image captions."""
    solutions = []
    for name in sorted(annotation):
        parts = annotation[name] or {}
        steps = [*parts.get("logical_conclusion", []), *parts.get("image_caption", [])]
        solutions.append([step.strip() for step in steps if step.strip()])
    return [steps for steps in solutions if steps]


def judge(completion: str, row: Row) -> Judgement:
    """A letter where the target is one, else equality of texts, numbers or formulas."""
    target = row["answer"].strip()
    if len(target) != 1 or not target.isupper():
        return judge_math(completion, row)
    return judge_letter(completion, row, row["meta"]["options"] or ("",) * 9)


def add_key_steps(samples: Sequence[Sample], endpoint: JudgeEndpoint) -> dict[str, Any]:
    """Precision, recall and F1 of key steps by the second judge."""
    ask = dataclasses.replace(endpoint, max_tokens=_STEPS_TOKENS).ask
    return {"key_steps": judge_steps(samples, ask, endpoint.workers)}


BENCHMARK = Benchmark(
    name="mme-cot",
    title="MME-CoT, step-by-step prompt",
    source="Jiang et al., 2025 (arXiv 2502.09621); CaraJ7/MME-CoT at 4cbdf81",
    licence="see the data set card",
    rows=1130,
    data="CaraJ/MME-CoT",
    split="test",
    columns=("index", "question", "answer", "question_type"),
    image=("image",),
    base64=True,
    convert=convert,
    prompt="{question}" + _STEPS,
    judge=judge,
    judge_more=add_key_steps,
    finish=add_direct_comparison,
    metric="precision, recall and F1 of key steps (judge), robustness (with mme-cot-direct)",
    note=(
        "Precision and recall need --judge-url; without it there is the accuracy by rules. "
        "Robustness is the gain over mme-cot-direct; evaluated into a neighbouring folder (the "
        "default), the two are brought together."
    ),
)

DIRECT = dataclasses.replace(
    BENCHMARK,
    name="mme-cot-direct",
    title="MME-CoT, direct prompt",
    prompt="{question}" + _DIRECT,
    max_new_tokens=512,
    judge_more=None,
    metric="accuracy",
)
