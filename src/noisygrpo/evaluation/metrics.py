"""The official metrics of the benchmarks, as functions of judged samples.

A sample is a line of ``samples.jsonl``: ``correct`` (bool), ``extracted`` (str or None),
``output`` (str), ``kind``, ``cluster`` and ``meta`` (what the benchmark's file kept of the row).
Shares are in [0, 1], never rounded: an official script that rounds before it combines can differ
from us in the last printed digit.

Sources are named at each function. AMBER's generative metrics are in `amber_metrics`, MME-CoT's in
`mme_cot_metrics`.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.samples import Sample
from noisygrpo.evaluation.stats import accuracy_with_stderr

Key = Callable[[Sample], Hashable]


def share(flags: Iterable[bool]) -> float | None:
    """The share of true values; ``None`` of nothing."""
    values = list(flags)
    return sum(values) / len(values) if values else None


def grouped(samples: Sequence[Sample], key: Key) -> dict[Any, list[Sample]]:
    """Samples by ``key``, groups in order of first appearance."""
    groups: dict[Any, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[key(sample)].append(sample)
    return dict(groups)


def accuracy_by(samples: Sequence[Sample], key: Key) -> dict[str, dict[str, Any]]:
    """Accuracy, standard error and n of each group, in alphabetical order."""
    groups = grouped(samples, key)
    return {
        str(name): accuracy_with_stderr(
            [s["correct"] for s in groups[name]], [s["cluster"] for s in groups[name]]
        ).to_dict()
        for name in sorted(groups, key=str)
    }


def all_correct_share(samples: Sequence[Sample], key: Key) -> float | None:
    """The share of groups of which every sample is right."""
    return share(all(s["correct"] for s in group) for group in grouped(samples, key).values())


def nlvr_metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """NLVR: consistency beside accuracy (Suhr et al., 2017 and 2019).

    ``consistency``: share of statements that are judged rightly for all of their images and box
    permutations. ``permutation_consistency``: the same per image, over its permutations.
    ``permutation_agreement``: share of images of which all permutations get the same answer, right
    or wrong; moving boxes never changes the truth.
    """
    images = grouped(samples, lambda s: s["example_id"].rsplit("-", 1)[0])
    return {
        "consistency": all_correct_share(samples, lambda s: s["cluster"]),
        "permutation_consistency": share(all(s["correct"] for s in g) for g in images.values()),
        "permutation_agreement": share(
            len({(s["extracted"] or "").lower() for s in g}) == 1 for g in images.values()
        ),
        "majority_class": max(
            share(s["answer"] == a for s in samples) or 0 for a in ("true", "false")
        ),
    }


def hallusionbench_metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """HallusionBench (Guan et al., CVPR 2024): aAcc per question, qAcc per question pair, fAcc per
    figure.

    Source: tianyi-lab/HallusionBench at 744007c, ``utils.py``. A pair is all variants of one
    question of a set; a figure is all questions about one image, where visual supplements without
    an image (VS, figure 0) are no figure. ``easy`` and ``hard`` are qAcc without and with only the
    questions about edited images (``visual_input`` 2), the original's "per easy" and "per hard
    question". ``image_aAcc`` is aAcc of the rows that have an image, the number that NoisyRollout
    reports as HallusionBench.
    """

    def names(*fields: str) -> Key:
        return lambda s: tuple(str(s["meta"][field]) for field in fields)

    place = ("category", "subcategory", "set_id")
    figures = [
        s for s in samples if not (s["meta"]["category"] == "VS" and s["meta"]["figure_id"] == "0")
    ]
    edited = [s["meta"]["visual_input"] == "2" for s in samples]
    easy = [s for s, changed in zip(samples, edited, strict=True) if not changed]
    hard = [s for s, changed in zip(samples, edited, strict=True) if changed]
    question = names(*place, "question_id")
    return {
        "aAcc": share(s["correct"] for s in samples),
        "qAcc": all_correct_share(samples, question),
        "fAcc": all_correct_share(figures, names(*place, "figure_id")),
        "easy": all_correct_share(easy, question),
        "hard": all_correct_share(hard, question),
        "image_aAcc": share(s["correct"] for s in samples if s["meta"]["visual_input"] != "0"),
    }


def yes_no_metrics(samples: Sequence[Sample], epsilon: float = 1e-4) -> dict[str, Any]:
    """AMBER's discriminative metrics: accuracy, and precision, recall and F1 of answering "no".

    ``precision`` = right "no" / said "no"; ``recall`` = right "no" / "no" is right; ``F1 = 2PR /
    (P + R + epsilon)``. An answer that is neither yes nor no is wrong and no "no". A ratio over
    nothing is 0, as in the original.
    """
    said_no = [s for s in samples if s["extracted"] == "no"]
    is_no = [s for s in samples if s["answer"] == "no"]
    precision = share(s["answer"] == "no" for s in said_no) or 0.0
    recall = share(s["extracted"] == "no" for s in is_no) or 0.0
    f1 = 2 * precision * recall / (precision + recall + epsilon)
    accuracy = share(s["correct"] for s in samples)
    return {"accuracy": accuracy, "precision": precision, "recall": recall, "F1": f1}


# The original's F1 of existence alone has 0.001 where all others have 0.0001.
_AMBER_EPSILON = {"existence": 1e-3}


def amber_discriminative_metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """AMBER (Wang et al., 2023), discriminative: `yes_no_metrics` overall and by dimension.

    Source: junyangwang0410/AMBER at 534babf, ``inference.py``. ``kind`` is existence, state,
    number, action or relation; attribute is state, number and action together.
    """
    groups = grouped(samples, lambda s: s["kind"])
    attribute = [s for s in samples if s["kind"] in ("state", "number", "action")]
    named = {**groups, **({"attribute": attribute} if attribute else {})}
    by_dimension = {
        name: yes_no_metrics(named[name], _AMBER_EPSILON.get(name, 1e-4)) for name in sorted(named)
    }
    return {**yes_no_metrics(samples), "by_dimension": by_dimension}


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
