"""MME-CoT's key steps."""

import json

from noisygrpo.evaluation.benchmarks import get_benchmark
from noisygrpo.evaluation.benchmarks.mme_cot_judge import judge_steps, read_json_list
from noisygrpo.evaluation.benchmarks.mme_cot_pair import add_direct_comparison
from noisygrpo.evaluation.judge_api import JudgeEndpoint


def test_mme_cot_key_steps():
    sample = {
        "kind": "Reasoning", "question": "q", "answer": "4", "output": "2 + 2 = 4",
        "meta": {"solutions": [["two", "two more"], ["count"]], "captions": []},
    }  # fmt: skip

    def ask(prompt):
        if "Reference steps" in prompt:
            assert "1. two more" in prompt
            return 'Here: [{"step_index": 0, "judgment": "Matched"}]'
        steps = [{"step_type": "logical inference", "judgment": "Match"}]
        return json.dumps([*steps, {"step_type": "image description", "judgment": "Wrong"}])

    found = judge_steps([sample, {**sample, "kind": "Perception"}], ask)
    assert (found["precision"], found["recall"], found["unjudged"]) == (0.5, 0.5, 0)
    found = judge_steps([sample], lambda prompt: "I would rather not.")
    assert (found["precision"], found["unjudged"]) == (0.0, 1)


def test_both_prompts_have_the_pair_and_one_has_the_steps(monkeypatch):
    steps, direct = get_benchmark("mme-cot"), get_benchmark("mme-cot-direct")
    assert steps.finish is direct.finish is add_direct_comparison
    assert direct.judge_more is None
    lengths = []

    def ask(self, prompt):
        lengths.append(self.max_tokens)
        return "[]"

    monkeypatch.setattr(JudgeEndpoint, "ask", ask)
    sample = {
        "kind": "Reasoning", "question": "q", "answer": "4", "output": "4",
        "meta": {"solutions": [["two"]], "captions": []},
    }  # fmt: skip
    found = steps.judge_more([sample], JudgeEndpoint("http://judge", "j"))
    assert found == {"key_steps": {"precision": 0.0, "recall": 0.0, "F1": 0.0, "unjudged": 0}}
    assert lengths == [4096, 4096]  # steps are written out, one word would cut them


def test_reading_json_out_of_a_reply():
    assert read_json_list('```json\n[{"a": [1]}]\n```') == [{"a": [1]}]
    assert read_json_list("none") is None
    assert read_json_list("[1, 2]") is None
    assert read_json_list("] [") is None
