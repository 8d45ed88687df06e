"""MathVista testmini: 1,000 questions on figures, multiple choice or free-form with a type."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from noisygrpo.evaluation.benchmarks import eval_data
from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import accuracy_by
from noisygrpo.evaluation.reading import (
    conclusion,
    nearest,
    options_by_letter,
    read_letter,
    read_number,
)
from noisygrpo.evaluation.samples import Sample
from noisygrpo.rewards.agreement import same
from noisygrpo.rewards.equality import equal
from noisygrpo.rewards.extract import extract_answer
from noisygrpo.rewards.lists import split_parts
from noisygrpo.rewards.numeric import Number, parse_number
from noisygrpo.rewards.options import only_mentioned
from noisygrpo.rewards.spelling import edit_distance, plain
from noisygrpo.rewards.statement import claim, refuses

_SPARE = 4
"""One slip in so many signs of a choice; what is further from all of them is none."""
_LONGEST = 200
_WORD = re.compile(r"[^\W\d_]{2}")
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
    """Extraction by the rules of the rewards, then the official normalization and comparison."""
    meta = row["meta"]
    if meta["question_type"] == "multi_choice":
        extracted = _choice(completion, meta["choices"])
    elif meta["answer_type"] in ("integer", "float"):
        return _judge_number(read_number(completion), row)
    else:
        extracted = extract_answer(completion)
    if not extracted:
        return Judgement(None, False, "no answer found")
    normal = normalize_answer(extracted, meta)
    right = normal == row["answer"] or _same_list(extracted, row["answer"])
    return Judgement(extracted, right, f"normalized to {normal!r}")


def _judge_number(number: Number | None, row: Row) -> Judgement:
    """The official comparison, which cuts and rounds; a percentage also answers for its share."""
    if number is None:
        return Judgement(None, False, "no answer found")
    whole = isinstance(number.value, Fraction) and number.value.denominator == 1
    extracted = str(number.value if whole else float(number.value))
    normal, target = normalize_answer(extracted, row["meta"]), parse_number(row["answer"])
    share = number.percent and target is not None and equal(number, target)
    return Judgement(extracted, normal == row["answer"] or share, f"normalized to {normal!r}")


def _same_list(extracted: str, answer: str) -> bool:
    """Whether two lists have the same parts in order; the official comparison is of their text."""
    said, wanted = split_parts(extracted), split_parts(answer)
    if said is None or wanted is None or len(said.items) != len(wanted.items):
        return False
    pairs = zip(said.items, wanted.items, strict=True)
    return not said.alternatives and all(same(mine, theirs) for mine, theirs in pairs)


def normalize_answer(extracted: str, meta: Mapping[str, Any]) -> str | None:
    """The official normalization: the nearest choice, an integer, a rounded float, or the text.

    Source: lupantech/MathVista at 53d5258, ``normalize_extracted_answer`` in
    ``evaluation/calculate_score.py``.
    """
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


def _choice(completion: str, choices: Sequence[str]) -> str | None:
    """The letter of a choice, or a text that is near one for the official script to find.

    Officially a language model extracts, and whatever it extracts is given the nearest choice.
    """
    letter = read_letter(completion, choices)
    said = extract_answer(completion)
    if letter is not None or said is None:
        return letter
    texts = {key: text for key, text in options_by_letter(choices).items() if _WORD.search(text)}
    for text in (said, conclusion(said)):
        text = claim(plain(text))
        mentioned = None if refuses(text) else only_mentioned(text, texts)
        if mentioned is not None:
            return mentioned
    close = nearest(said[:_LONGEST], choices)
    return close if edit_distance(said[:_LONGEST], close) <= len(close) // _SPARE else None


BENCHMARK = Benchmark(
    name="mathvista",
    title="MathVista testmini",
    source="Lu et al., ICLR 2024 (arXiv 2310.02255); lupantech/MathVista at 53d5258, evaluation/",
    licence="CC-BY-SA-4.0",
    rows=1000,
    data="AI4Math/MathVista",
    split="testmini",
    columns=("pid", "question", "query", "answer", *_META),
    image=("decoded_image", "image"),
    folders=("MathVista",),
    layout=eval_data.mathvista,
    pictures_alone=True,
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
