"""MMStar: 1,500 questions that cannot be answered without the image, six categories of 250."""

from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.evaluation.benchmarks.base import Benchmark, Item
from noisygrpo.evaluation.benchmarks.judges import judge_letter
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import accuracy_by, share
from noisygrpo.evaluation.reading import final_part
from noisygrpo.evaluation.samples import Sample

_OPTIONS = ("",) * 4
_OFFICIAL_BEGINNINGS = ("", "(", "option ", "the answer is ")


def convert(row: Mapping[str, Any]) -> Item:
    """A row of the hub data set; the options are part of the question."""
    return Item(
        question=row["question"],
        answer=row["answer"],
        example_id=f"mmstar-{row['index']}",
        kind=row["category"],
        meta={"l2_category": row["l2_category"]},
    )


def judge(completion: str, row: Row) -> Judgement:
    """Right if the chosen letter is the answer's."""
    return judge_letter(completion, row, _OPTIONS)


def official_correct(output: str, answer: str) -> bool:
    """The rule of the official script, on the final part of an output: its first letter, also in a
    bracket or behind "option" or "the answer is".

    Source: MMStar-Benchmark/MMStar at 88f243a, ``eval/vlmeval/evaluate/mmstar.py``.
    """
    text = final_part(output).lower().strip()
    return text.startswith(tuple(begin + answer.lower() for begin in _OFFICIAL_BEGINNINGS))


def metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """Accuracy by the 18 second-level categories, and the official script's accuracy; the six
    first-level categories are ``by_kind``.
    """
    by_detail = accuracy_by(samples, lambda s: f"{s['kind']} / {s['meta']['l2_category']}")
    official = share(official_correct(s["output"], s["answer"].strip()) for s in samples)
    return {"by_l2_category": by_detail, "official_accuracy": official}


BENCHMARK = Benchmark(
    name="mmstar",
    title="MMStar",
    source="Chen et al., 2024 (arXiv 2403.20330); MMStar-Benchmark/MMStar, eval/vlmeval/evaluate",
    licence="see the data set card",
    rows=1500,
    data="Lin-Chen/MMStar",
    split="val",
    columns=("index", "question", "answer", "category", "l2_category"),
    image=("image",),
    convert=convert,
    prompt="{question}\nAnswer with the option's letter from the given choices directly.",
    max_new_tokens=1024,
    judge=judge,
    metrics=metrics,
    headline=("official_accuracy",),
    metric="accuracy, overall and for each of six categories",
    note=(
        "The official rule compares the first letter of the output, so that 'Because' and 'B or C' "
        "are B; its number is official_accuracy. 'accuracy' needs one letter that stands alone or "
        "is announced."
    ),
)
