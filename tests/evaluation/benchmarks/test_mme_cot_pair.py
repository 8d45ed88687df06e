"""MME-CoT with and without steps, brought together."""

import json

from noisygrpo.evaluation.benchmarks.mme_cot_pair import add_direct_comparison
from noisygrpo.evaluation.evaluate import evaluate_answers
from noisygrpo.evaluation.generate import Completion, Generation
from noisygrpo.evaluation.request import EvaluationRequest
from noisygrpo.evaluation.run import load_benchmark


def score(folder, name, data, outputs, settings=None):
    """The ``result.json`` of a benchmark whose rows get ``outputs``, in the order of the rows."""
    request = EvaluationRequest(model="m", benchmark=name, data=str(data), out_dir=str(folder))
    benchmark, rows = load_benchmark(request)
    said = dict(zip([row["example_id"] for row in rows], outputs, strict=True))
    evaluate_answers(
        lambda batch: [Completion(said[row["example_id"]], 9, False) for row in batch],
        rows,
        folder,
        generation=Generation(batch_size=3),
        judge=benchmark.judge,
        metrics=benchmark.metrics,
        name=name,
        settings={"model": "m"} if settings is None else settings,
        progress=False,
    )
    return json.loads((folder / "result.json").read_text())


def test_mme_cot_robustness_of_a_pair(tmp_path):
    def row(index, kind):
        return {
            "index": index, "question": "Which?", "answer": "B", "question_type": kind,
            "A": "one", "B": "two", "category": "math", "reference_caption": ["a cat"],
            "image": [], "key_annotation_steps": {"s1": {"logical_conclusion": ["x is 2"]}},
        }  # fmt: skip

    rows = [row(0, "Perception"), row(1, "Perception"), row(2, "Reasoning")]
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cot, direct = tmp_path / "mme-cot", tmp_path / "mme-cot-direct"
    score(cot, "mme-cot", path, ["B", "A", "B"])
    assert add_direct_comparison(cot) is None
    score(direct, "mme-cot-direct", path, ["B", "B", "A"])
    expected = {"stability": -0.5, "efficacy": 1.0, "robustness": 0.25}
    assert add_direct_comparison(direct) == expected
    assert json.loads((cot / "result.json").read_text())["metrics"]["robustness"] == expected
    other = tmp_path / "other" / "mme-cot-direct"
    score(other.with_name("mme-cot"), "mme-cot", path, ["B", "A", "B"])
    score(other, "mme-cot-direct", path, ["B", "B", "A"], {"model": "m", "weights": "others"})
    assert add_direct_comparison(other) is None
