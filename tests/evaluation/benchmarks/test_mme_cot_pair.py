"""MME-CoT with and without steps, brought together."""

import json

from tests.evaluation.benchmarks.scored import score

from noisygrpo.evaluation.benchmarks.mme_cot_pair import add_direct_comparison


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
