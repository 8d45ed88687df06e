"""MME-CoT's key steps: two questions to a judge about every reasoning answer.

The judge splits the answer into steps and says of each whether it matches the reference
(precision), and says of each annotated key step whether the answer contains it (recall);
`mme_cot_metrics` does the arithmetic. The wording of both requests is ours, their content follows
the paper's prompts (CaraJ7/MME-CoT, ``prompt/``); so numbers depend on judge and wording, and
compare only among themselves.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from noisygrpo.evaluation.benchmarks.mme_cot_metrics import REASONING, mme_cot_quality
from noisygrpo.evaluation.judge_api import Ask, JudgeUnavailable
from noisygrpo.evaluation.samples import Sample

PRECISION_PROMPT = """Split the solution of a problem about an image into atomic steps, in order,
leaving nothing out, and judge each.

Types of steps: "logical inference" (one deduction with a new conclusion; stating the final answer
is one), "image description" (only what can be seen), "background information" (knowledge from
elsewhere, or the question retold).

Judgments: "Match" (agrees with or follows directly from the reference), "Reasonable" (not in the
reference, but valid and in no conflict with it or with the correct answer), "Wrong", and "N/A" for
background information.

At most 35 steps; always include the last one. Repetitions are one step. Reply with a JSON list
only: [{{"step_type": "...", "conclusion": "...", "judgment": "..."}}]

Problem: {question}

Correct answer: {answer}

Reference: {reference}

Solution: {output}"""

RECALL_PROMPT = """Say for each numbered reference step whether the solution contains it: the same
content in all details and values, or something from which it follows directly. Judge every step,
in order: "Matched" or "Unmatched".

Reply with a JSON list only: [{{"step_index": 0, "judgment": "Matched"}}]

Problem: {question}

Correct answer: {answer}

Reference steps:
{steps}

Solution: {output}"""


def judge_steps(samples: Sequence[Sample], ask: Ask, workers: int = 8) -> dict[str, Any]:
    """Precision, recall and F1 of key steps over the reasoning questions of an ``mme-cot``
    evaluation.
    """
    reasoning = [s for s in samples if s["kind"] == REASONING and s["meta"]["solutions"]]
    with ThreadPoolExecutor(workers) as pool:
        return mme_cot_quality(list(pool.map(lambda sample: _judged(sample, ask), reasoning)))


def _judged(sample: Sample, ask: Ask) -> dict[str, Any] | None:
    meta = sample["meta"]
    key_steps = [step for solution in meta["solutions"] for step in solution]
    common = {name: sample[name] for name in ("question", "answer", "output")}
    reference = json.dumps([*key_steps, *meta["captions"]], ensure_ascii=False)
    listed = "\n".join(f"{index}. {step}" for index, step in enumerate(key_steps))
    try:
        steps = read_json_list(ask(PRECISION_PROMPT.format(reference=reference, **common)))
        found = read_json_list(ask(RECALL_PROMPT.format(steps=listed, **common)))
    except JudgeUnavailable:
        return None
    if steps is None or found is None:
        return None
    said = {item.get("step_index"): item.get("judgment") == "Matched" for item in found}
    matched = [bool(said.get(index, False)) for index in range(len(key_steps))]
    return {"steps": steps, "matched": matched, "solutions": [len(s) for s in meta["solutions"]]}


def read_json_list(text: str) -> list[Mapping[str, Any]] | None:
    """The JSON list of objects in a reply, whatever stands around it; ``None`` if there is none."""
    start, end = text.find("["), text.rfind("]")
    if start < 0 or end < start:
        return None
    try:
        value = json.loads(text[start : end + 1])
    except json.JSONDecodeError:
        return None
    return (
        value if isinstance(value, list) and all(isinstance(item, dict) for item in value) else None
    )
