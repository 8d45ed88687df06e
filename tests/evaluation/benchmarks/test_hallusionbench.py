"""HallusionBench: verdicts, both hub splits, and the metrics by hand."""

import io

import datasets
from datasets import Dataset
from tests.evaluation.judged import sample

from noisygrpo.evaluation.benchmarks import LoadOptions, get_benchmark, load_table
from noisygrpo.evaluation.benchmarks.hallusionbench import (
    hallusionbench_metrics,
)
from tiny import tiny_image


def figure(correct, question, figure_id, visual_input="1", category="VD", set_id="0"):
    return sample(
        correct, category=category, subcategory="chart", set_id=set_id, figure_id=figure_id,
        question_id=question, visual_input=visual_input,
    )  # fmt: skip


def test_hallusionbench_by_hand():
    samples = [
        # set 0, VD: two questions about figures 0 and 1 (1 is edited)
        figure(True, "0", "0"),
        figure(True, "1", "0"),
        figure(True, "0", "1", "2"),
        figure(False, "1", "1", "2"),
        # set 1, VS: figure 0 is no image
        figure(False, "0", "0", "0", "VS", "1"),
        figure(True, "0", "1", "1", "VS", "1"),
    ]
    found = hallusionbench_metrics(samples)
    assert found["aAcc"] == 4 / 6
    assert found["qAcc"] == 1 / 3  # VD question 0; not VD question 1, not VS question 0
    assert found["fAcc"] == 2 / 3  # VD figure 0 and VS figure 1; not VD figure 1
    assert found["hard"] == 1 / 2  # edited: VD question 0, not VD question 1
    assert found["easy"] == 2 / 3  # VD questions 0 and 1; not VS question 0, wrong without image
    assert found["image_aAcc"] == 4 / 5


def png(seed=0):
    buffer = io.BytesIO()
    tiny_image(seed).save(buffer, "PNG")
    return buffer.getvalue()


def test_hallusionbench_accepts_doubt_only_without_an_image():
    benchmark = get_benchmark("hallusionbench")
    meta = {"category": "VS", "figure_id": "0"}
    assert benchmark.judge("I cannot tell.", {"answer": "no", "meta": meta}).correct
    assert not benchmark.judge("", {"answer": "no", "meta": meta}).correct
    with_image = {"answer": "no", "meta": {**meta, "figure_id": "1"}}
    assert not benchmark.judge("I cannot tell.", with_image).correct


def test_hallusionbench_reads_explained_answers():
    judge = get_benchmark("hallusionbench").judge
    row = {"answer": "no", "question": "Is the left circle larger?", "meta": {"category": "VD"}}
    said = {
        "No, the right and left circles appear to be the same size.": "no",
        "No, both look alike. The arrows may make them seem different.": "no",
        "So, no, the left one is not larger.": "no",
        "Yes, the left one could hardly be larger than it is.": "yes",
        "<think>no</think> Yes.": "yes",
        "yes no yes no": None,
        "I cannot say yes or no": None,
        "<think>no, it is not": None,
    }
    read = {
        text: judge(text, {**row, "meta": {"category": "VD", "figure_id": "1"}}) for text in said
    }
    assert {text: found.extracted for text, found in read.items()} == said


def test_both_parts_of_hallusionbench_from_a_folder(tmp_path):
    names = ("category", "subcategory", "set_id", "figure_id", "question_id", "visual_input")
    texts = {name: datasets.Value("string") for name in (*names, "question", "gt_answer")}
    features = datasets.Features({**texts, "image": datasets.Image(decode=False)})
    for part, image in {"image": {"bytes": png(), "path": None}, "non_image": None}.items():
        row = {**dict.fromkeys(texts, "0"), "category": part, "image": image}
        path = tmp_path / "data" / f"{part}-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        Dataset.from_list([row], features=features).to_parquet(str(path))
    rows = load_table(get_benchmark("hallusionbench"), LoadOptions(data=str(tmp_path)))
    assert [len(row["images"]) for row in rows] == [1, 0]
    alone = load_table(get_benchmark("hallusionbench"), LoadOptions(str(tmp_path), "image"))
    assert len(alone) == 1
