"""HallusionBench: yes/no questions on images and edited images, in sets that belong together."""

from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.benchmarks import eval_data
from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import Key, all_correct_share, share
from noisygrpo.evaluation.reading import yes_or_no
from noisygrpo.evaluation.samples import Sample

_PLACE = ("category", "subcategory", "set_id", "figure_id", "question_id", "visual_input")


def convert(row: Mapping[str, Any]) -> Item:
    """A row; questions about the same set share a cluster."""
    meta = {name: str(row[name]) for name in _PLACE}
    place = [meta[name] for name in _PLACE[:5]]
    return Item(
        question=row["question"],
        answer="yes" if str(row["gt_answer"]) == "1" else "no",
        example_id="-".join(place),
        cluster="-".join(place[:3]),
        kind=meta["category"],
        asked=row["question"].split("?")[0]
        + "? You final answer can only be \\boxed{yes} or \\boxed{no}.",
        meta=meta,
    )


def judge(completion: str, row: Row) -> Judgement:
    """Right if yes or no is; "I do not know" is right too where the image was left out (VS, figure
    0).
    """
    answer = yes_or_no(completion, row.get("question", ""))
    if answer is None:
        meta = row["meta"]
        unsure_is_right = meta["category"] == "VS" and meta["figure_id"] == "0"
        why = "neither yes nor no" + (", right without an image" if unsure_is_right else "")
        return Judgement(None, unsure_is_right and bool(completion.strip()), why)
    return Judgement(answer, answer == row["answer"], f"answers {answer}")


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


BENCHMARK = Benchmark(
    name="hallusionbench",
    title="HallusionBench",
    source="Guan et al., CVPR 2024 (arXiv 2310.14566); tianyi-lab/HallusionBench at 744007c",
    licence="BSD-3-Clause",
    rows=1129,
    data="lmms-lab/HallusionBench",
    split="image+non_image",
    columns=(*_PLACE, "question", "gt_answer"),
    image=("image", "filename"),
    folders=("hallubench", "HallusionBench"),
    layout=eval_data.hallusionbench,
    convert=convert,
    prompt="{question}\nPlease answer yes or no.",
    max_new_tokens=1024,
    judge=judge,
    metrics=hallusionbench_metrics,
    headline=("aAcc", "qAcc", "fAcc", "image_aAcc"),
    metric="aAcc (questions), qAcc (question pairs), fAcc (figures)",
    note=(
        "The official judge is GPT-4; here a rule reads yes or no. The hub splits 'image' (951 "
        "rows) and 'non_image' (178) together are the 1,129 of the paper, and the default here; "
        "qAcc of one split (--split image) is not the paper's. Papers that report one number mean "
        "aAcc, some (NoisyRollout) of the image rows only: image_aAcc."
    ),
)
