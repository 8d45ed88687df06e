"""A language model as a second judge."""

import http.server
import json
import threading

import pytest

from noisygrpo.errors import UserError
from noisygrpo.evaluation.files import read_lines
from noisygrpo.evaluation.judge_api import (
    JudgeEndpoint,
    JudgeUnavailable,
    judge_evaluation,
)


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
    verdicts = [line for _, line in read_lines(tmp_path / "judge.jsonl")]
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


def test_a_reply_is_read_as_in_the_rewards(tmp_path):
    write_samples(tmp_path, ["four"] * 4, [True] * 4)
    replies = [
        "Wrong. The right answer is 5.",
        "Right.",
        "Verdict: wrong",
        "The right answer is 5.",
    ]
    summary = judge_evaluation(
        tmp_path, lambda prompt: replies.pop(0), "tester", workers=1, progress=False
    )
    verdicts = [line["correct"] for _, line in read_lines(tmp_path / "judge.jsonl")]
    assert verdicts == [False, True, False, None]
    assert (summary["accuracy"], summary["unjudged"]) == (1 / 4, 1)


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
        if 300 <= status < 400:
            self.send_header("Location", content)
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
    assert len(Handler.requests) == 2


class Elsewhere(Handler):
    requests: list = []  # noqa: RUF012
    replies: list = []  # noqa: RUF012


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_neither_key_nor_answer_is_taken_to_another_host(server, monkeypatch, status):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    Elsewhere.requests, Elsewhere.replies = [], [reply("right")]
    with http.server.HTTPServer(("localhost", 0), Elsewhere) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        there = f"http://localhost:{other.server_port}/v1/chat/completions"
        Handler.replies += [(status, there)]
        with pytest.raises(JudgeUnavailable, match=f"redirects to {there}, which is not followed"):
            JudgeEndpoint(server, "judge").ask("?")
        other.shutdown()
        thread.join()
    assert (len(Handler.requests), Elsewhere.requests) == (1, [])


@pytest.mark.parametrize(("status", "tries"), [(401, 1), (404, 1), (408, 2), (429, 2), (503, 2)])
def test_only_what_may_pass_is_tried_again(server, monkeypatch, status, tries):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    Handler.replies += [(status, {})] * tries
    with pytest.raises(JudgeUnavailable, match=str(status)):
        JudgeEndpoint(server, "judge", retries=1).ask("?")
    assert len(Handler.requests) == tries


def test_no_one_there(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(JudgeUnavailable, match="ConnectError"):
        JudgeEndpoint("http://127.0.0.1:9", "judge", retries=1).ask("?")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "file:///etc/passwd"},
        {"url": "http://"},
        {"url": "https://[::1"},
        {"url": "http://host:port"},
        {"model": ""},
        {"workers": 0},
    ],
)
def test_wrong_endpoints(wrong):
    with pytest.raises(UserError, match="judge"):
        JudgeEndpoint(**{"url": "http://localhost", "model": "m", **wrong})
