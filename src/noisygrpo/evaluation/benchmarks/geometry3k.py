"""Geometry3K: 601 test problems of school geometry, answered by a number or a formula."""

from collections.abc import Mapping
from typing import Any

from noisygrpo.evaluation.benchmarks import eval_data
from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.benchmarks.judges import judge_math


def convert(row: Mapping[str, Any]) -> Item:
    """A row of the hub copy that NoisyRollout and EasyR1 use; the value is the answer, not a
    letter.
    """
    return Item(
        question=row["problem"],
        answer=str(row["answer"]),
        example_id=f"geometry3k-{row['id']}" if row.get("id") is not None else "",
    )


BENCHMARK = Benchmark(
    name="geometry3k",
    title="Geometry3K test",
    source=(
        "Lu et al., ACL 2021 (arXiv 2105.04165); hub copy by hiyouga; scoring as in NoisyRollout"
    ),
    licence="MIT",
    rows=601,
    data="hiyouga/geometry3k",
    split="test",
    columns=("problem", "answer"),
    image=("images",),
    folders=("geo3k", "Geometry3K"),
    layout=eval_data.geometry3k,
    convert=convert,
    prompt="{question}\nReason step by step, and put the final answer in \\boxed{}.",
    judge=judge_math,
    note="Inter-GPS scored the choice among four; the numbers of RL papers score the value.",
)
