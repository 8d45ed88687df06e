import base64
import dataclasses
import io
import json
import os
from pathlib import Path

import datasets
import pytest
from datasets import Dataset

from noisygrpo.errors import UserError
from noisygrpo.evaluation.benchmarks import BENCHMARKS, LoadOptions, get_benchmark, load_table
from noisygrpo.evaluation.rows import Rows
from tiny import tiny_image

SHARED = Path(
    os.environ.get("NOISYGRPO_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)


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


def test_mathvista_normalization_is_the_official_one():
    from noisygrpo.evaluation.benchmarks.mathvista import normalize_answer

    choice = {"question_type": "multi_choice", "choices": ["red", "blue", "dark blue"]}
    assert normalize_answer("(B) blue", choice) == "blue"
    assert normalize_answer("C", choice) == "dark blue"
    assert normalize_answer("blu", choice) == "blue"
    real = {"question_type": "free_form", "answer_type": "float", "precision": 1.0}
    assert normalize_answer("1.26", real) == "1.3"
    assert normalize_answer("many", real) is None
    assert normalize_answer("3.9", {"question_type": "free_form", "answer_type": "integer"}) == "3"


def test_an_option_outside_the_list_is_wrong_and_a_text_can_win(tmp_path):
    benchmark = get_benchmark("mathvista")
    row = {"answer": "blue", "meta": {"question_type": "multi_choice", "choices": ["red", "blue"]}}
    assert benchmark.judge("The answer is blue.", row).correct
    assert not benchmark.judge("", row).correct
    long = "I think about things and cars and many other things that are there, on and on"
    assert benchmark.judge(long, row).extracted is None


def test_hallusionbench_accepts_doubt_only_without_an_image():
    benchmark = get_benchmark("hallusionbench")
    meta = {"category": "VS", "figure_id": "0"}
    assert benchmark.judge("I cannot tell.", {"answer": "no", "meta": meta}).correct
    assert not benchmark.judge("", {"answer": "no", "meta": meta}).correct
    with_image = {"answer": "no", "meta": {**meta, "figure_id": "1"}}
    assert not benchmark.judge("I cannot tell.", with_image).correct


@pytest.fixture
def amber_folder(tmp_path):
    (tmp_path / "data" / "query").mkdir(parents=True)
    (tmp_path / "image").mkdir()
    tiny_image(1).save(tmp_path / "image" / "AMBER_1.png")
    queries = [(1, "Describe this image."), (1005, "Is it sunny?"), (1006, "Is there a dog?")]
    truths = [
        {"id": 1, "type": "generative", "truth": ["sky"], "hallu": ["dog"]},
        {"id": 1005, "type": "discriminative-attribute-state", "truth": "yes"},
        {"id": 1006, "type": "relation", "truth": "no"},
    ]
    files = {
        "query/query_all.json": [{"id": i, "image": "AMBER_1.png", "query": q} for i, q in queries],
        "annotations.json": truths,
        "relation.json": {"sky": [], "dog": ["puppy"]},
    }
    for name, content in files.items():
        (tmp_path / "data" / name).write_text(json.dumps(content))
    (tmp_path / "data" / "safe_words.txt").write_text("light\n")
    return tmp_path


def test_amber_from_a_clone(amber_folder):
    options = LoadOptions(data=str(amber_folder))
    questions = get_benchmark("amber-discriminative")
    rows = Rows(questions.load(questions, options))
    assert [rows.text(i)["kind"] for i in range(len(rows))] == ["state", "relation"]
    assert rows.text(0)["cluster"] == rows.text(1)["cluster"] == "AMBER_1.png"
    assert rows.open(1)["images"][0].size == (56, 56)
    assert questions.judge("Yes.", rows.text(0)).correct
    assert not questions.judge("Yes.", rows.text(1)).correct
    descriptions = get_benchmark("amber-generative")
    bound = descriptions.bind(descriptions, amber_folder)
    row = Rows(descriptions.load(descriptions, options)).text(0)
    assert bound.judge("A blue sky.", row).correct
    assert not bound.judge("Puppies under the sky.", row).correct
    sample = {**row, "output": "Dogs under the sky", "correct": False}
    assert bound.metrics([sample])["CHAIR"] == 1 / 2


def test_geoqa_finds_images_below_the_root(tmp_path):
    (tmp_path / "Geo170K").mkdir()
    tiny_image(2).save(tmp_path / "Geo170K" / "0.png")
    line = {"image_path": "Geo170K/0.png", "question": "How long?", "ground_truth": "$145°$"}
    gone = {**line, "image_path": "Geo170K/1.png"}
    path = tmp_path / "geoqa.jsonl"
    path.write_text(json.dumps(line) + "\n" + json.dumps(gone) + "\n")
    benchmark = get_benchmark("geoqa")
    rows = Rows(load_table(benchmark, LoadOptions(data=str(path), image_root=str(tmp_path))))
    assert rows.open(0)["images"][0].size == (56, 56)
    assert benchmark.judge("<think>3</think><answer>145</answer>", rows.text(0)).correct
    with pytest.raises(Exception, match=r"1\.png"):  # one broken row; its evaluation goes on
        rows.open(1)


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


def test_every_benchmark_says_what_it_is():
    for name, benchmark in BENCHMARKS.items():
        assert name == benchmark.name
        assert benchmark.title and benchmark.source and benchmark.licence and benchmark.rows > 0
        assert benchmark.load is not None or (benchmark.convert and benchmark.columns)
        assert "{question}" in benchmark.prompt
        assert dataclasses.is_dataclass(benchmark)


@pytest.mark.skipif(
    not (SHARED / "mathvision-400.parquet").exists(), reason="shared data is absent"
)
def test_mathvision_sample_of_real_problems():
    benchmark = get_benchmark("mathvision")
    rows = Rows(load_table(benchmark, LoadOptions(data=str(SHARED / "mathvision-400.parquet"))))
    assert len(rows) == 400
    right = 0
    for index in range(len(rows)):
        row = rows.text(index)
        right += benchmark.judge(f"\\boxed{{{row['answer']}}}", row).correct
    # One published answer keeps the degrees that the rules take from responses: none equals it.
    assert right == 399
    assert rows.open(3)["images"][0].mode == "RGB"


@pytest.mark.skipif(not (SHARED / "nlvr-test.parquet").exists(), reason="shared data is absent")
def test_nlvr_rows_are_clustered_by_statement():
    benchmark = get_benchmark("nlvr")
    rows = Rows(
        benchmark.load(benchmark, LoadOptions(data=str(SHARED / "nlvr-test.parquet"), limit=24))
    )
    for index in range(24):
        row = rows.text(index)
        assert row["example_id"].startswith(row["cluster"] + "-")
        assert row["cluster"].count("-") == 1
    assert rows.open(0)["images"][0].size == (400, 100)
    row = rows.text(0)
    assert benchmark.judge("<think>.</think><answer>True</answer>", row).correct == (
        row["answer"] == "true"
    )
