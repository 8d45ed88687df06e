"""GeoQA test as R1-V and Hint-GRPO use it ("Geo170K"): 754 geometry questions with a number."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.benchmarks.judges import judge_math
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.rewards.judge import TIME_LIMIT
from noisygrpo.rewards.math_pool import math_equal


def convert(row: Mapping[str, Any]) -> Item:
    """A line of ``geoqa_test_prompts.jsonl``; images are found below ``--image-root``."""
    question, path = row["question"], str(row["image_path"])
    return Item(
        question=question,
        answer=str(row["ground_truth"]).strip().strip("$"),
        # The file has no id: the image and the question name a row.
        example_id=f"{path}: {question}",
        cluster=path,
        meta={"image_path": path},
    )


def judge_released(completion: str, row: Row) -> Judgement:
    """Hint-GRPO's ``test_model.py``: math-verify reads the whole output and the bare target, and is
    given them the wrong way round; a time-out or an exception is wrong.

    It reads nothing from ``<answer>140</answer>``: a solver that repeats the target has 61 of the
    754 right.
    """
    right, why = math_equal(completion, row["answer"], TIME_LIMIT, "hint_grpo")
    return Judgement(None, right is True, why)


BENCHMARK = Benchmark(
    name="geoqa",
    title="GeoQA / Geo170K test",
    source="Chen et al., 2021 (arXiv 2105.14517); Deep-Agent/R1-V, src/eval/prompts",
    licence="see the data",
    rows=754,
    columns=("image_path", "question", "ground_truth"),
    image=("image_path",),
    convert=convert,
    prompt=(
        "{question} Output the thinking process in <think> </think> and final answer (number) "
        "in <answer> </answer> tags."
    ),
    max_new_tokens=1024,
    judge=judge_math,
    note=(
        "--data is geoqa_test_prompts.jsonl of the R1-V repository, --image-root the folder "
        "that its image_path is relative to. The released scorer runs math-verify over the "
        "whole output, so that numbers in the reasoning can match; here only the answer counts."
    ),
)

RELEASED = replace(
    BENCHMARK,
    name="geoqa-released",
    title="GeoQA / Geo170K test, as Hint-GRPO scored it",
    judge=judge_released,
    note="With the released scorer and its defects, to be compared with Hint-GRPO's numbers alone.",
)
