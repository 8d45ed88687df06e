"""Every benchmark's rows, prompt and verdict, on one row in its own columns."""

import base64
import dataclasses
import io
import json

import datasets
import pytest
from datasets import Dataset

from noisygrpo.errors import UserError
from noisygrpo.evaluation.benchmarks import BENCHMARKS, LoadOptions, get_benchmark, load_table
from noisygrpo.evaluation.rows import Rows
from tiny import tiny_image


def png(seed=0):
    buffer = io.BytesIO()
    tiny_image(seed).save(buffer, "PNG")
    return buffer.getvalue()


ROWS = {
    "mmstar": {
        "index": 7, "question": "What?\nOptions: A: a cat, B: a dog", "answer": "B",
        "category": "math", "l2_category": "geometry",
    },
    "hallusionbench": {
        "category": "VD", "subcategory": "chart", "set_id": "0", "figure_id": "1",
        "question_id": "2", "visual_input": "2", "question": "Is it red?", "gt_answer": "0",
    },
    "mathvista": {
        "pid": "3", "question": "How tall?", "query": "Hint: an integer.\nQuestion: How tall?",
        "answer": "12", "choices": None, "question_type": "free_form", "answer_type": "integer",
        "precision": None, "metadata": {"task": "geometry", "skills": ["algebra"]},
    },
    "mathvision": {
        "id": "9", "question": "<image1> Which?", "options": ["$1$", "$2$"], "answer": "B",
        "level": 2, "subject": "algebra",
    },
    "mathverse": {
        "sample_index": "1", "problem_index": "4", "problem_version": "Vision Only",
        "question": "", "answer": "C", "question_type": "multi-choice",
        "query_cot": "Please reason.\nQuestion: in the image",
        "question_for_eval": "Which?\nChoices:\nA:1\nB:2\nC:3", "metadata": {"subject": "plane"},
    },
    "wemath": {
        "ID": "2steps_1", "key": "2steps_multi", "question": "Which?", "option": "A. 1; B. 2",
        "answer": "B",
    },
    "geometry3k": {"problem": "<image>Find x.", "answer": "2 \\sqrt { 3 }", "id": 5},
    "mme-cot": {
        "index": 1, "question": "Which?", "answer": "B", "question_type": "Reasoning",
        "A": "one", "B": "two", "C": None, "category": "math", "reference_caption": ["a cat"],
        "key_annotation_steps": {
            "solution1": {"logical_conclusion": ["x is 2"], "image_caption": ["a cat", ""]},
            "solution2": None,
        },
    },
}  # fmt: skip


RIGHT = {
    "mmstar": "<think>A</think><answer>B</answer>",
    "hallusionbench": "No, it is not.",
    "mathvista": "The answer is 12.0",
    "mathvision": "\\boxed{2}",
    "mathverse": "\\boxed{C}",
    "wemath": "<Thought process>: <<A>> <Answer>: <<B>>",
    "geometry3k": "<answer>3.4641016151</answer>",
    "mme-cot": "It is clear. The answer is B.",
}


WRONG = {
    "mmstar": "A",
    "hallusionbench": "yes",
    "mathvista": "<answer>13</answer>",
    "mathvision": "\\boxed{A}",
    "mathverse": "The answer is (B).",
    "wemath": "Answer: A",
    "geometry3k": "\\boxed{3}",
    "mme-cot": "A",
}


def local_copy(tmp_path, name):
    """A parquet file with one row and one image, in the columns of the hub data set."""
    benchmark = BENCHMARKS[name]
    cell = base64.b64encode(png()).decode() if benchmark.base64 else {"bytes": png(), "path": None}
    row = {**ROWS[name], benchmark.image[0]: [cell] if name in ("geometry3k", "mme-cot") else cell}
    data = Dataset.from_list([row])
    if not benchmark.base64:
        image = datasets.Image(decode=False)
        data = data.cast_column(
            benchmark.image[0], datasets.List(image) if name == "geometry3k" else image
        )
    path = tmp_path / "data.parquet"
    data.to_parquet(str(path))
    return str(path)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_rows_prompt_and_verdict(tmp_path, name):
    benchmark = get_benchmark(name)
    rows = load_table(benchmark, LoadOptions(data=local_copy(tmp_path, name)))
    row = Rows(rows).open(0)
    assert row["images"][0].size == (56, 56)
    assert "<image" not in row["prompt"][-1]["content"]
    assert benchmark.judge(RIGHT[name], row).correct is True
    wrong = benchmark.judge(WRONG[name], row)
    assert wrong.correct is False
    assert wrong.why
    if benchmark.metrics is not None:
        sample = {**row, "correct": True, "extracted": "", "output": "", "failure": None}
        json.dumps(benchmark.metrics([sample]), allow_nan=False)


def test_pinned_prompts(tmp_path):
    def prompt(name, **options):
        rows = load_table(get_benchmark(name), LoadOptions(local_copy(tmp_path, name), **options))
        return rows[0]["prompt"]

    assert prompt("mmstar")[0]["content"].endswith(
        "\nAnswer with the option's letter from the given choices directly."
    )
    assert prompt("mathvista")[0]["content"] == "Hint: an integer.\nQuestion: How tall?"
    assert prompt("mathvision")[0]["content"].endswith("Which?\n(A) $1$\n(B) $2$")
    other = prompt("mathvista", prompt="think_answer", system="Be brief.")
    assert other[0] == {"role": "system", "content": "Be brief."}
    assert other[1]["content"].startswith("How tall?\n")
    assert "<think>" in other[1]["content"]


def test_missing_columns_and_data_are_one_message(tmp_path):
    with pytest.raises(UserError, match="geoqa: --data is needed"):
        load_table(get_benchmark("geoqa"), LoadOptions())
    path = local_copy(tmp_path, "mmstar")
    with pytest.raises(UserError, match=r"wemath: data\.parquet has no column 'ID'"):
        load_table(get_benchmark("wemath"), LoadOptions(data=path))
    with pytest.raises(UserError, match="benchmark: 'mmmu' is unknown"):
        get_benchmark("mmmu")


def test_a_hub_out_of_reach_names_the_way_out(monkeypatch):
    def unreachable(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'Lin-Chen/MMStar' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(UserError, match=r"mmstar: .*Couldn't reach.*--data takes a local copy"):
        load_table(get_benchmark("mmstar"), LoadOptions())


def test_every_benchmark_says_what_it_is():
    for name, benchmark in BENCHMARKS.items():
        assert name == benchmark.name
        assert benchmark.title and benchmark.source and benchmark.licence and benchmark.rows > 0
        assert benchmark.load is not None or (benchmark.convert and benchmark.columns)
        assert "{question}" in benchmark.prompt
        assert dataclasses.is_dataclass(benchmark)
