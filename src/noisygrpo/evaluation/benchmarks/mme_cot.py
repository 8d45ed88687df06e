"""MME-CoT: 1,130 questions, with and without step-by-step reasoning; key steps need a judge."""

import dataclasses
import string
from collections.abc import Mapping
from typing import Any

from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.benchmarks.geometry3k import judge_math
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.reading import choice_letter, final_part, short_answer

_STEPS = (
    "\nPlease generate a step by step answer, include all your intermediate reasoning process, and "
    "provide the final answer at the end."
)
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
    text = final_part(completion)
    options = row["meta"]["options"] or ("",) * 9
    letter = choice_letter(text, options) or choice_letter(short_answer(text), options)
    why = "no option letter found" if letter is None else f"chooses {letter}"
    return Judgement(letter, letter == target, why)


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
    metric="accuracy",
)
