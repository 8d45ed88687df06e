"""MME-CoT's metrics from a judge's verdicts on reasoning steps (Jiang et al., 2025, arXiv
2502.09621).

Source: CaraJ7/MME-CoT at 4cbdf81, ``final_score/``. The steps are found and judged by a language
model, so these numbers depend on it and need one; what is below is the arithmetic::

    precision   of an answer: (Match + Reasonable) / (logical inferences + image descriptions)
    recall      of an answer: matched / all key steps, of the reference solution that fits best
    F1          of the means of precision and of recall over answers
    stability   accuracy step by step - accuracy of direct answers, on perception questions
    efficacy    the same on reasoning questions
    robustness  (stability + efficacy) / 2

Deviations: the original counts steps of type "image caption", while its prompt asks the judge for
"image description"; both count here. An answer that the judge did not judge counts as precision
and recall 0 where the original drops it from the mean; how many there are is reported.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.metrics import share
from noisygrpo.evaluation.samples import Sample

COUNTED_STEPS = ("logical inference", "image description", "image caption")
PERCEPTION, REASONING = "Perception", "Reasoning"


def step_precision(steps: Sequence[Mapping[str, Any]]) -> float:
    """Share of an answer's counted steps that the judge calls Match or Reasonable; 0 without
    counted steps.
    """
    counted = [step for step in steps if step.get("step_type") in COUNTED_STEPS]
    return share(step.get("judgment") in ("Match", "Reasonable") for step in counted) or 0.0


def step_recall(matched: Sequence[bool], solutions: Sequence[int]) -> float:
    """Best share of matched key steps over reference solutions.

    ``matched``: for every key step, all solutions one after another, whether the answer has it;
    ``solutions``: the number of key steps of each solution. Steps that the judge left out count as
    not matched.
    """
    best, start = 0.0, 0
    for size in solutions:
        hits = sum(matched[start : start + size])
        start += size
        best = max(best, hits / size if size else 0.0)
    return best


def mme_cot_quality(judged: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Precision, recall and F1 over answers; ``None`` stands for an answer that was not judged.

    A judged answer has ``steps`` (see `step_precision`), ``matched`` and ``solutions`` (see
    `step_recall`).
    """
    if not judged:
        return {"precision": None, "recall": None, "F1": None, "unjudged": 0}
    done = [item for item in judged if item is not None]
    precision = sum(step_precision(item["steps"]) for item in done) / len(judged)
    recall = sum(step_recall(item["matched"], item["solutions"]) for item in done) / len(judged)
    both = precision + recall
    f1 = 2 * precision * recall / both if both else 0.0
    unjudged = len(judged) - len(done)
    return {"precision": precision, "recall": recall, "F1": f1, "unjudged": unjudged}


def mme_cot_robustness(cot: Sequence[Sample], direct: Sequence[Sample]) -> dict[str, Any]:
    """Stability, efficacy and robustness from samples of both prompts; ``kind`` is Perception or
    Reasoning.
    """

    def gain(kind: str) -> float | None:
        with_steps = share(s["correct"] for s in cot if s["kind"] == kind)
        without = share(s["correct"] for s in direct if s["kind"] == kind)
        return None if with_steps is None or without is None else with_steps - without

    stability, efficacy = gain(PERCEPTION), gain(REASONING)
    both = None if stability is None or efficacy is None else (stability + efficacy) / 2
    return {"stability": stability, "efficacy": efficacy, "robustness": both}
