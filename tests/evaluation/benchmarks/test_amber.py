"""AMBER: rows of a clone, and the metrics of its yes/no questions by hand."""

import json

import pytest
from tests.evaluation.judged import sample

from noisygrpo.evaluation.benchmarks import LoadOptions, get_benchmark
from noisygrpo.evaluation.benchmarks.amber import (
    amber_discriminative_metrics,
    yes_no_metrics,
)
from noisygrpo.evaluation.rows import Rows
from tiny import tiny_image


def answers(pairs, kind=""):
    return [sample(said == truth, said, truth, kind) for said, truth in pairs]


def test_yes_no_metrics():
    # truth no: said no, no, yes, nothing; truth yes: said no, yes, yes, yes
    pairs = [("no", "no"), ("no", "no"), ("yes", "no"), (None, "no")]
    pairs += [("no", "yes"), ("yes", "yes"), ("yes", "yes"), ("yes", "yes")]
    found = yes_no_metrics(answers(pairs))
    assert found["accuracy"] == 5 / 8
    assert found["precision"] == 2 / 3
    assert found["recall"] == 2 / 4
    assert found["F1"] == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5 + 1e-4))


def test_yes_no_metrics_without_any_no():
    found = yes_no_metrics(answers([("yes", "yes"), ("yes", "yes")]))
    assert found == {"accuracy": 1.0, "precision": 0.0, "recall": 0.0, "F1": 0.0}


def test_amber_discriminative_by_dimension():
    found = amber_discriminative_metrics(
        answers([("no", "no")], "existence")
        + answers([("yes", "no")], "state")
        + answers([("no", "no")], "number")
        + answers([("yes", "yes")], "relation")
    )
    by = found["by_dimension"]
    assert found["accuracy"] == 3 / 4
    assert by["attribute"]["recall"] == 1 / 2
    assert by["existence"]["F1"] == pytest.approx(2 / (2 + 1e-3))
    assert by["number"]["F1"] == pytest.approx(2 / (2 + 1e-4))
    assert set(by) == {"attribute", "existence", "number", "relation", "state"}


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
