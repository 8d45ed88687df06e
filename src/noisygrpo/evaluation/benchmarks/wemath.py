"""We-Math testmini: 525 composite problems, each split into its two or three steps; 1,740 rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.benchmarks.judges import judge_letter
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import accuracy_by, grouped
from noisygrpo.evaluation.samples import Sample

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
    return judge_letter(completion, row, _OPTIONS)


def wemath_metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """We-Math (Qiao et al., 2024): the four kinds of composite problems, and the two scores.

    Source: We-Math/We-Math at a57a0e8, ``four_dimensional_metrics.py``. A composite problem (its
    ``cluster``) has 2 or 3 steps and their combination (``meta.key`` ending in ``multi``)::

        insufficient knowledge     IK   some step wrong, combination wrong
        inadequate generalization  IG   all steps right, combination wrong
        complete mastery           CM   combination right, and steps: strict all, loose any
        rote memorization          RM   combination right, not CM

        score = (N - IG / 2 - RM - IK) / N,   N = 525 composites in testmini
    """
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
    by_steps = accuracy_by(samples, _wemath_step)
    return {
        "score_strict": (total - lost - counts["RM_strict"]) / total,
        "score_loose": (total - lost - counts["RM_loose"]) / total,
        **{name: counts[name] / total for name in ("IK", "IG", "CM_strict", "CM_loose")},
        **{f"RM_{mode}": _rote_share(counts, mode) for mode in ("strict", "loose")},
        "composites": total,
        "by_steps": by_steps,
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
