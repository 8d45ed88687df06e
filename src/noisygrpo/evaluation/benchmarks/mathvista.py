"""MathVista testmini: 1,000 questions on figures, multiple choice or free-form with a type."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import accuracy_by
from noisygrpo.evaluation.reading import (
    final_part,
    last_number,
    nearest,
    only_mentioned,
    read_letter,
    short_answer,
)
from noisygrpo.evaluation.samples import Sample

# Words beyond the longest choice: a longer text is a sentence, and its nearest choice is noise.
_SPARE_WORDS = 2
_LETTER_IN_BRACKETS = re.compile(r"\(([a-zA-Z])\)")
_META = ("choices", "question_type", "answer_type", "precision")


def convert(row: Mapping[str, Any]) -> Item:
    """A row; ``query`` is the official prompt, a hint on the answer's form before the question."""
    details = row.get("metadata") or {}
    choices = list(row["choices"] or [])
    listed = "".join(f"\n({chr(65 + i)}) {choice}" for i, choice in enumerate(choices))
    return Item(
        question=row["question"] + (f"\nChoices:{listed}" if listed else ""),
        answer=row["answer"],
        example_id=f"mathvista-{row['pid']}",
        kind=details.get("task", ""),
        prompt=row["query"],
        meta={
            **{name: row[name] for name in _META},
            "choices": choices,
            "skills": details.get("skills", []),
        },
    )


def judge(completion: str, row: Row) -> Judgement:
    """Extraction by rules, then the official normalization and comparison."""
    meta, text = row["meta"], final_part(completion)
    if meta["question_type"] == "multi_choice":
        extracted = _choice(text, meta["choices"])
    elif meta["answer_type"] in ("integer", "float"):
        extracted = last_number(short_answer(text))
    else:
        extracted = short_answer(text)
    if not extracted:
        return Judgement(None, False, "no answer found")
    normal = normalize_answer(extracted, meta)
    return Judgement(extracted, normal == row["answer"], f"normalized to {normal!r}")


def normalize_answer(extracted: str, meta: Mapping[str, Any]) -> str | None:
    """The official normalization: the nearest choice, an integer, a rounded float, or the text."""
    if meta["question_type"] == "multi_choice":
        choices, text = meta["choices"], extracted.strip()
        letter = _LETTER_IN_BRACKETS.findall(text)
        text = letter[0].upper() if letter else text
        index = ord(text) - ord("A") if len(text) == 1 else -1
        return choices[index] if 0 <= index < len(choices) else nearest(text, choices)
    try:
        if meta["answer_type"] == "integer":
            return str(int(float(extracted)))
        if meta["answer_type"] == "float":
            return str(round(float(extracted), int(meta["precision"])))
    except (ValueError, OverflowError):
        return None
    return extracted


def metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """Accuracy by skill (a question can need several); tasks are ``by_kind``."""
    skills = sorted({skill for s in samples for skill in s["meta"]["skills"]})
    chosen = {skill: [s for s in samples if skill in s["meta"]["skills"]] for skill in skills}
    return {"by_skill": {k: accuracy_by(v, lambda s: "all")["all"] for k, v in chosen.items()}}


def _choice(text: str, choices: Sequence[str]) -> str | None:
    letter = read_letter(text, choices)
    if letter is not None:
        return letter
    short = short_answer(text)
    mentioned = only_mentioned(short, choices) or only_mentioned(text, choices)
    if mentioned is not None:
        return mentioned
    longest = max(len(choice.split()) for choice in choices) + _SPARE_WORDS
    return short if 0 < len(short.split()) <= longest else None


BENCHMARK = Benchmark(
    name="mathvista",
    title="MathVista testmini",
    source="Lu et al., ICLR 2024 (arXiv 2310.02255); lupantech/MathVista at 53d5258, evaluation/",
    licence="CC-BY-SA-4.0",
    rows=1000,
    data="AI4Math/MathVista",
    split="testmini",
    columns=("pid", "question", "query", "answer", *_META),
    image=("decoded_image",),
    convert=convert,
    prompt="{question}",
    judge=judge,
    metrics=metrics,
    note=(
        "The official extraction is a language model's; here rules extract. Officially an empty "
        "answer gets the nearest choice (a chance to be right); here it is wrong. Hint-GRPO "
        "reports a geometry subset."
    ),
)
