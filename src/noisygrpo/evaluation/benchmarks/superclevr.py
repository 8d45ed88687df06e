"""Super-CLEVR counting: the 200 questions that Hint-GRPO ships, how many items there are."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.benchmarks.judges import judge_math
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import share
from noisygrpo.evaluation.samples import Sample

_TAGGED = re.compile(r"<answer>\s*(\d+)\s*</answer>")


def convert(row: Mapping[str, Any]) -> Item:
    """A line of ``superclevr_test200_counting_problems.jsonl``; the picture names it."""
    path = str(row["image_path"])
    return Item(
        question=row["question"],
        answer=str(int(row["ground_truth"])),
        example_id=f"{path}: {row['question']}",
        cluster=path,
    )


def judge(completion: str, row: Row) -> Judgement:
    """The released rule: the first whole number that stands alone in ``<answer>`` tags.

    Source: hqhQAQ/Hint-GRPO at 1ad557f, ``eval/test_qwen2vl_counting_superclevr.py``.
    """
    found = _TAGGED.search(completion)
    if found is None:
        return Judgement(None, False, "no whole number alone in <answer> tags")
    number = str(int(found.group(1)))
    return Judgement(number, number == row["answer"], f"answers {number}")


def metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """``read``: accuracy with the number read in any form, as the reward `accuracy` reads it."""
    read = (judge_math(s["output"], s).correct or False for s in samples)
    return {"read": {"accuracy": share(read)}}


BENCHMARK = Benchmark(
    name="superclevr",
    title="Super-CLEVR counting, 200 questions",
    source=(
        "Li et al., CVPR 2023 (arXiv 2212.00259); questions and rule of R1-V as in "
        "hqhQAQ/Hint-GRPO at 1ad557f, eval/"
    ),
    licence="see the data",
    rows=200,
    columns=("image_path", "question", "ground_truth"),
    image=("image_path",),
    convert=convert,
    prompt=(
        "{question} First output the thinking process in <think> </think> and final answer "
        "(number) in <answer> </answer> tags."
    ),
    max_new_tokens=256,
    judge=judge,
    metrics=metrics,
    headline=("read/accuracy",),
    note=(
        "--data is superclevr_test200_counting_problems.jsonl of the Hint-GRPO or the R1-V "
        "repository, --image-root the folder that its image_path is relative to."
    ),
)
