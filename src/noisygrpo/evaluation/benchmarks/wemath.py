"""We-Math testmini: 525 composite problems, each split into its two or three steps; 1,740 rows."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.benchmarks import eval_data
from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import accuracy_by, grouped, share
from noisygrpo.evaluation.reading import final_part, read_letter
from noisygrpo.evaluation.samples import Sample

_LETTERS = tuple("ABCDEFGH")


def convert(row: Mapping[str, Any]) -> Item:
    """A row; ``ID`` names the composite problem, ``key`` the step or ``multi``."""
    return Item(
        question=f"Question: {row['question']}\nOption: {row['option']}",
        answer=row["answer"],
        example_id=f"{row['ID']}-{row['key']}",
        cluster=row["ID"],
        kind=row["key"],
        asked=f"{row['question']}\n\nOptions: {row['option']}",
        meta={"key": row["key"]},
    )


def official_letter(response: str) -> str | None:
    """The letter that the official script reads: the first sign behind the last "Answer", brackets,
    colons and stops apart.

    Source: We-Math/We-Math at a57a0e8, ``load_and_process_data`` in ``evaluation/accuracy.py`` and
    ``evaluation/four_dimensional_metrics.py``.
    """
    text = re.sub(r"[<>:.]", "", response.split("Answer")[-1].strip()).strip()
    return text[0] if text[:1] in _LETTERS else None


def judge(completion: str, row: Row) -> Judgement:
    """Right by the official rule, on the final part of the completion."""
    letter = official_letter(final_part(completion))
    why = "no letter behind 'Answer'" if letter is None else f"answers {letter}, officially read"
    return Judgement(letter, letter == row["answer"].strip(), why)


def wemath_metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """We-Math (Qiao et al., 2024): the four kinds of composite problems, and the two scores.

    Source: We-Math/We-Math at a57a0e8, ``four_dimensional_metrics.py``. A composite problem (its
    ``cluster``) has 2 or 3 steps and their combination (``meta.key`` ending in ``multi``)::

        insufficient knowledge     IK   some step wrong, combination wrong
        inadequate generalization  IG   all steps right, combination wrong
        complete mastery           CM   combination right, and steps: strict all, loose any
        rote memorization          RM   combination right, not CM

        score = (N - IG / 2 - RM - IK) / N,   N = 525 composites in testmini

    ``read``: accuracy and scores by the letter that `read_letter` finds, in whatever form it is
    given (a box, a sentence, an option's letter and text); hedges choose nothing there.
    """
    known = [""] * len(_LETTERS)
    read = [
        {**s, "correct": read_letter(s["output"], known) == s["answer"].strip()} for s in samples
    ]
    scores = _scores(read)
    return {
        **_scores(samples),
        "by_steps": accuracy_by(samples, _wemath_step),
        "read": {
            "accuracy": share(s["correct"] for s in read),
            **{name: scores[name] for name in ("score_strict", "score_loose")},
        },
    }


def _scores(samples: Sequence[Sample]) -> dict[str, Any]:
    """The scores and the kinds of composites behind them."""
    counts: dict[str, int] = defaultdict(int)
    groups = grouped(samples, lambda s: s["cluster"])
    for group in groups.values():
        combined = all(s["correct"] for s in group if s["meta"]["key"].endswith("multi"))
        steps = [s["correct"] for s in group if not s["meta"]["key"].endswith("multi")]
        if not combined:
            counts["IG" if all(steps) else "IK"] += 1
            continue
        counts["CM_strict" if all(steps) else "RM_strict"] += 1
        counts["CM_loose" if any(steps) else "RM_loose"] += 1
    total, lost = len(groups), counts["IG"] / 2 + counts["IK"]
    return {
        "score_strict": (total - lost - counts["RM_strict"]) / total,
        "score_loose": (total - lost - counts["RM_loose"]) / total,
        **{name: counts[name] / total for name in ("IK", "IG", "CM_strict", "CM_loose")},
        **{f"RM_{mode}": _rote_share(counts, mode) for mode in ("strict", "loose")},
        "composites": total,
    }


def _rote_share(counts: Mapping[str, int], mode: str) -> float | None:
    """Rote memorization among the combinations answered rightly, as the paper reports it."""
    right = counts[f"CM_{mode}"] + counts[f"RM_{mode}"]
    return counts[f"RM_{mode}"] / right if right else None


def _wemath_step(sample: Sample) -> str:
    steps, _, which = str(sample["meta"]["key"]).partition("steps_")
    return f"{steps} steps" if which == "multi" else "1 step"


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
    folders=("We-Math", "we-math"),
    layout=eval_data.wemath,
    convert=convert,
    prompt=(
        "Now, we require you to solve a multiple-choice math question. Please briefly describe "
        "your thought process and provide the final answer(option).\n{question}\nRegarding the "
        "format, please answer following the template below, and be sure to include two <> "
        "symbols:\n<Thought process>: <<your thought process>> <Answer>: <<your option>>"
    ),
    judge=judge,
    metrics=wemath_metrics,
    headline=("score_strict", "score_loose", "read/accuracy"),
    metric="strict and loose score over 525 composites",
    note=(
        "Read by the official rule, which needs the template: an answer in another form (a box, a "
        "sentence around the letter) is wrong. 'read' has the same numbers with the letter read in "
        "any form; NoisyRollout's WeMath, plain accuracy over the 1,740 rows, is its 'accuracy'."
    ),
)
