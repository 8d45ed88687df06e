import http.server
import json
import threading

import pytest

from noisygrpo.errors import UserError
from noisygrpo.evaluation.benchmarks.mme_cot_judge import judge_steps, read_json_list
from noisygrpo.evaluation.judge_api import (
    JudgeEndpoint,
    JudgeUnavailable,
    judge_evaluation,
)
from noisygrpo.evaluation.samples import read_samples


def write_samples(folder, outputs, correct):
    lines = [
        json.dumps(
            {
                "example_id": f"row-{i}", "cluster": f"row-{i}", "question": "How many {x}?",
                "answer": "4", "output": output, "correct": right, "failure": None,
            }
        )
        for i, (output, right) in enumerate(zip(outputs, correct, strict=True))
    ]  # fmt: skip
    (folder / "samples.jsonl").write_text("\n".join(lines) + "\n")


def generous(prompt):
    return "Right." if "four" in prompt.split("Model's answer:")[1] else "Wrong."


def test_verdicts_stand_beside_the_rules(tmp_path):
    write_samples(tmp_path, ["four", "4", "five", "four"], [False, True, False, True])
    before = (tmp_path / "samples.jsonl").read_bytes()
    summary = judge_evaluation(tmp_path, generous, "tester", progress=False)
    assert (tmp_path / "samples.jsonl").read_bytes() == before
    assert summary["accuracy"] == 2 / 4
    assert summary["agreement_with_rules"] == 2 / 4
    assert (summary["right_by_judge_only"], summary["right_by_rules_only"]) == (1, 1)
    verdicts = read_samples(tmp_path / "judge.jsonl")
    assert [line["correct"] for line in verdicts] == [True, False, False, True]
    assert verdicts[0]["judge"] == "tester"


def test_an_unreachable_judge_shrinks_no_denominator_and_is_asked_again(tmp_path):
    write_samples(tmp_path, ["four", "four"], [True, True])
    asked = []

    def flaky(prompt):
        asked.append(prompt)
        if len(asked) == 1:
            raise JudgeUnavailable("rate limit")
        return "right"

    summary = judge_evaluation(tmp_path, flaky, "tester", workers=1, progress=False)
    assert (summary["n"], summary["unjudged"], summary["accuracy"]) == (2, 1, 0.5)
    summary = judge_evaluation(tmp_path, flaky, "tester", workers=1, progress=False)
    assert (summary["unjudged"], summary["accuracy"], len(asked)) == (0, 1.0, 3)
    with pytest.raises(UserError, match="holds verdicts of 'tester'"):
        judge_evaluation(tmp_path, flaky, "another", progress=False)


def test_an_unclear_reply_is_no_verdict(tmp_path):
    write_samples(tmp_path, ["four"], [True])
    summary = judge_evaluation(tmp_path, lambda prompt: "Hmm.", "tester", progress=False)
    assert summary["unjudged"] == 1
    assert summary["agreement_with_rules"] is None


class Handler(http.server.BaseHTTPRequestHandler):
    requests: list = []  # noqa: RUF012
    replies: list = []  # noqa: RUF012

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, self.headers.get("Authorization"), body))
        status, content = self.replies.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    Handler.requests, Handler.replies = [], []
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/v1"
        running.shutdown()
        thread.join()


def reply(text):
    return 200, {"choices": [{"message": {"content": text}}]}


def test_the_openai_protocol(server, monkeypatch):
    monkeypatch.setenv("TEST_JUDGE_KEY", "secret")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    Handler.replies += [(500, {}), reply("right")]
    endpoint = JudgeEndpoint(server, "judge-7b", key_variable="TEST_JUDGE_KEY")
    assert endpoint.ask("Is it?") == "right"
    path, authorization, body = Handler.requests[-1]
    assert path == "/v1/chat/completions"
    assert authorization == "Bearer secret"
    assert body["model"] == "judge-7b"
    assert body["temperature"] == 0
    assert body["messages"] == [{"role": "user", "content": "Is it?"}]
    assert len(Handler.requests) == 2


def test_giving_up_says_why(server, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    Handler.replies += [(429, {}), (200, {"unexpected": 1})]
    with pytest.raises(JudgeUnavailable, match="KeyError"):
        JudgeEndpoint(server, "judge", retries=1).ask("?")


@pytest.mark.parametrize("wrong", [{"url": "file:///etc/passwd"}, {"model": ""}, {"workers": 0}])
def test_wrong_endpoints(wrong):
    with pytest.raises(UserError, match="judge"):
        JudgeEndpoint(**{"url": "http://localhost", "model": "m", **wrong})


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


def test_reading_json_out_of_a_reply():
    assert read_json_list('```json\n[{"a": [1]}]\n```') == [{"a": [1]}]
    assert read_json_list("none") is None
    assert read_json_list("[1, 2]") is None
    assert read_json_list("] [") is None
