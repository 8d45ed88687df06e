"""Every benchmark from rows in its own layout to its official numbers, worked out by hand.

The answers are written here: what is tested is prompt, scorer, clusters and metrics together.
"""

import io
import json

import datasets
import pytest
from datasets import Dataset
from tests.evaluation.benchmarks.scored import score

from noisygrpo.errors import UserError
from noisygrpo.evaluation.benchmarks import amber
from tiny import tiny_image


def png():
    buffer = io.BytesIO()
    tiny_image(0).save(buffer, "PNG")
    return buffer.getvalue()


def parquet(tmp_path, rows, image="image"):
    """Rows as a parquet file; one image for each unless it says ``image: None``."""
    cell = {"bytes": png(), "path": None}
    data = Dataset.from_list([{image: cell, **row} for row in rows])
    data.cast_column(image, datasets.Image(decode=False)).to_parquet(str(tmp_path / "data.parquet"))
    return tmp_path / "data.parquet"


def test_mathverse_by_version(tmp_path):
    def row(index, problem, version, kind, answer):
        return {
            "sample_index": str(index), "problem_index": problem, "problem_version": version,
            "question": "How long?", "answer": answer, "question_type": kind,
            "query_cot": "Reason.\nQuestion: How long?", "question_for_eval": "A:1\nB:2\nC:12",
            "metadata": {"subject": "plane"},
        }  # fmt: skip

    choice, free = "multi-choice", "free-form"
    rows = [
        row(1, "p1", "Text Dominant", choice, "C"),
        row(2, "p1", "Vision Only", choice, "C"),
        row(3, "p2", "Text Dominant", free, "12"),
        row(4, "p2", "Vision Only", free, "12"),
    ]
    outputs = ["\\boxed{C}", "It is (B).", "The answer is 12.", "\\boxed{12.0}"]
    found = score(tmp_path / "out", "mathverse", parquet(tmp_path, rows), outputs)
    assert found["accuracy"] == 3 / 4
    # Problems are clusters: deviations -1/2 and +1/2, SE = sqrt(2/1 * (1/4 + 1/4)) / 4.
    assert (found["clusters"], found["stderr"]) == (2, 1 / 4)
    versions = {name: entry["accuracy"] for name, entry in found["by_kind"].items()}
    assert versions == {"Text Dominant": 1.0, "Vision Only": 1 / 2}
    assert found["metrics"]["by_subject"]["plane"]["n"] == 4


def test_mmstar_by_category(tmp_path):
    def row(index, category, detail, answer):
        return {
            "index": index, "question": "What?\nOptions: A: 1, B: 2", "answer": answer,
            "category": category, "l2_category": detail,
        }  # fmt: skip

    rows = [
        row(0, "math", "geometry", "A"),
        row(1, "math", "statistics", "B"),
        row(2, "math", "statistics", "B"),
        row(3, "coarse perception", "style", "A"),
    ]
    outputs = ["A", "<think>A</think><answer>B</answer>", "Because of A", "The answer is (A)."]
    found = score(tmp_path / "out", "mmstar", parquet(tmp_path, rows), outputs)
    assert found["accuracy"] == 3 / 4
    assert found["by_kind"]["math"]["accuracy"] == 2 / 3
    assert found["by_kind"]["coarse perception"]["accuracy"] == 1.0
    assert found["metrics"]["by_l2_category"]["math / statistics"]["accuracy"] == 1 / 2
    assert found["without_answer"] == 1  # "Because of A" is no letter, and wrong
    assert found["metrics"]["official_accuracy"] == 3 / 4  # "Because" is B, "(A)" no A


def test_hallusionbench_from_answers_to_pairs_and_figures(tmp_path):
    def row(category, figure, question, visual_input, truth, image):
        return {
            "category": category, "subcategory": "chart", "set_id": "0", "figure_id": figure,
            "question_id": question, "visual_input": visual_input, "question": "Is it red?",
            "gt_answer": truth, **({} if image else {"image": None}),
        }  # fmt: skip

    rows = [
        row("VD", "0", "0", "1", "1", True),  # said yes: right
        row("VD", "0", "1", "1", "0", True),  # said yes: wrong
        row("VS", "0", "0", "0", "0", False),  # does not know, without an image: right
        row("VS", "1", "0", "1", "1", True),  # said yes: right
        row("VS", "2", "0", "2", "0", True),  # does not know, with an image: wrong
    ]
    outputs = ["Yes, it is.", "yes", "I cannot tell.", "<answer>Yes</answer>", "I cannot tell."]
    found = score(tmp_path / "out", "hallusionbench", parquet(tmp_path, rows), outputs)
    assert (found["n"], found["clusters"]) == (5, 2)
    metrics = found["metrics"]
    assert metrics["aAcc"] == found["accuracy"] == 3 / 5
    assert metrics["qAcc"] == 1 / 3  # VD question 0; not VD question 1, not VS question 0
    assert metrics["fAcc"] == 1 / 3  # VS figure 1; not VD figure 0, not VS figure 2
    assert (metrics["easy"], metrics["hard"]) == (2 / 3, 0.0)
    assert metrics["image_aAcc"] == 2 / 4


def test_wemath_from_letters_to_composites(tmp_path):
    rows = [
        {"ID": name, "key": key, "question": "Which?", "option": "A. 1; B. 2", "answer": "B"}
        for name in ("2steps_1", "2steps_2", "2steps_3")
        for key in ("2steps_1", "2steps_2", "2steps_multi")
    ]
    right, wrong = "<Answer>: <<B>>", "<Answer>: <<A. 1>>"
    outputs = [right, right, right, right, wrong, right, right, right, wrong]
    found = score(tmp_path / "out", "wemath", parquet(tmp_path, rows, "image_path"), outputs)
    assert found["accuracy"] == 7 / 9  # what NoisyRollout calls WeMath
    metrics = found["metrics"]
    # mastered, rote (loose: mastered), inadequate generalization
    assert metrics["score_strict"] == (3 - 0.5 - 1) / 3
    assert metrics["score_loose"] == (3 - 0.5) / 3
    assert (metrics["IK"], metrics["IG"], metrics["RM_strict"]) == (0.0, 1 / 3, 1 / 2)


def test_mathvista_and_mathvision_breakdowns(tmp_path):
    vista = {
        "question": "How tall?", "query": "Question: How tall?", "question_type": "free_form",
        "choices": None, "precision": 1.0,
    }  # fmt: skip
    rows = [
        {**vista, "pid": "1", "answer": "12", "answer_type": "integer",
         "metadata": {"task": "geometry", "skills": ["algebra", "counting"]}},
        {**vista, "pid": "2", "answer": "1.3", "answer_type": "float",
         "metadata": {"task": "figure", "skills": ["algebra"]}},
    ]  # fmt: skip
    data = parquet(tmp_path, rows, "decoded_image")
    found = score(tmp_path / "vista", "mathvista", data, ["The answer is 12 cm.", "1.2"])
    assert {k: v["accuracy"] for k, v in found["by_kind"].items()} == {"figure": 0, "geometry": 1}
    skills = {k: v["accuracy"] for k, v in found["metrics"]["by_skill"].items()}
    assert skills == {"algebra": 1 / 2, "counting": 1.0}
    rows = [
        {"id": str(i), "question": "<image1>", "options": [], "answer": answer, "level": level,
         "subject": "algebra"}
        for i, (answer, level) in enumerate([("1/2", 1), ("5", 2), ("3\\sqrt{2}", 2)])
    ]  # fmt: skip
    data = parquet(tmp_path, rows, "decoded_image")
    outputs = ["\\boxed{\\frac{1}{2}}", "\\boxed{5 \\text{ cm}}", "\\boxed{4.2426}"]
    found = score(tmp_path / "vision", "mathvision", data, outputs)
    levels = {k: v["accuracy"] for k, v in found["metrics"]["by_level"].items()}
    assert levels == {"level 1": 1.0, "level 2": 1 / 2}


def test_nlvr_consistency(tmp_path):
    rows = [
        {"identifier": f"test-{statement}-0-{order}", "statement": "There is a box",
         "label": "true"}
        for statement in (1, 2) for order in (0, 1, 2)
    ]  # fmt: skip
    outputs = [f"<think>.</think><answer>{word}</answer>" for word in ["true"] * 4 + ["false"] * 2]
    found = score(tmp_path / "out", "nlvr", parquet(tmp_path, rows), outputs)
    assert found["accuracy"] == 4 / 6
    assert found["metrics"]["consistency"] == 1 / 2
    # Statements are clusters: sums of deviations are 1 and -1, SE = sqrt(2 * 2) / 6.
    assert found["stderr"] == pytest.approx(2 / 6)


@pytest.fixture
def amber_folder(tmp_path):
    folder = tmp_path / "AMBER"
    (folder / "data" / "query").mkdir(parents=True)
    (folder / "image").mkdir()
    tiny_image(1).save(folder / "image" / "AMBER_1.png")
    kinds = {5: "discriminative-hallucination", 6: "discriminative-hallucination", 7: "relation"}
    truths = [{"id": 1, "type": "generative", "truth": ["sky", "dog"], "hallu": ["cat"]}]
    truths += [{"id": i, "type": kind, "truth": "no"} for i, kind in kinds.items()]
    queries = [{"id": t["id"], "image": "AMBER_1.png", "query": "?"} for t in truths]
    words = {"sky": [], "dog": ["puppy"], "cat": [], "light": []}
    files = {"query/query_all": queries, "annotations": truths, "relation": words}
    for name, content in files.items():
        (folder / "data" / f"{name}.json").write_text(json.dumps(content))
    (folder / "data" / "safe_words.txt").write_text("light\n")
    return folder


def test_amber_both_tasks(tmp_path, amber_folder):
    outputs = ["No.", "Yes", "I do not know"]
    found = score(tmp_path / "d", "amber-discriminative", amber_folder, outputs)
    metrics = found["metrics"]
    assert (metrics["accuracy"], metrics["precision"], metrics["recall"]) == (1 / 3, 1.0, 1 / 3)
    assert metrics["F1"] == pytest.approx(2 * (1 / 3) / (4 / 3 + 1e-4))
    assert metrics["by_dimension"]["existence"]["recall"] == 1 / 2
    # Thinking about a cat is no hallucination of the description; the light is safe.
    text = "<think>a cat?</think><answer>A cat and a puppy in the light.</answer>"
    metrics = score(tmp_path / "g", "amber-generative", amber_folder, [text])["metrics"]
    assert (metrics["CHAIR"], metrics["Cover"]) == (1 / 3, 1 / 2)
    assert (metrics["Hal"], metrics["Cog"]) == (1.0, 1.0)


def test_amber_officially_takes_the_original_words_or_says_what_is_missing(
    tmp_path, amber_folder, monkeypatch
):
    monkeypatch.setattr(amber, "nltk_nouns", lambda: str.split)
    monkeypatch.setattr(amber, "spacy_similar", lambda: lambda a, b: {a, b} == {"cat", "puppy"})
    name = "amber-generative-official"
    metrics = score(tmp_path / "g", name, amber_folder, ["cat"])["metrics"]
    assert (metrics["CHAIR"], metrics["Cover"], metrics["matching"]) == (0.0, 1 / 2, "official")

    def missing():
        raise UserError("AMBER's official nouns need NLTK: pip install nltk")

    monkeypatch.setattr(amber, "nltk_nouns", missing)
    with pytest.raises(UserError, match="NLTK"):
        score(tmp_path / "h", name, amber_folder, ["cat"])
