"""A language model as a second judge, beside the rules and never instead of them.

Any endpoint that speaks OpenAI's chat protocol will do. Verdicts go to ``judge.jsonl`` next to
``samples.jsonl`` (one line for each sample: verdict, the judge's words, its name), so an
interrupted judging continues, and the rules' verdicts stay what they are. A sample that could not
be judged after all retries has the verdict ``null``; it counts as wrong in the judge's accuracy,
which keeps its denominator, and the number of such samples is reported.

The key is read from an environment variable and never written anywhere. Redirects are not followed:
the key and the answers go to the host that the user named, and to no other. Only ``http`` and
``https`` are spoken.
"""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2

from noisygrpo.errors import require
from noisygrpo.evaluation.files import read_lines
from noisygrpo.evaluation.pairs import alone, together
from noisygrpo.evaluation.progress import Progress
from noisygrpo.evaluation.samples import ESCAPED, Sample, read_samples, write_atomic
from noisygrpo.evaluation.stats import accuracy_with_stderr
from noisygrpo.reach import connection_problem
from noisygrpo.rewards.references import readable
from noisygrpo.rewards.verdicts import read_verdict

JUDGE_FILE = "judge.jsonl"
KEY = "OPENAI_API_KEY"
"""Environment variable of the key, where none is named; it need not be there."""

PROMPT = """You compare a model's answer with the reference answer to a question. Ignore how the
answer was reached, its wording, its units if they are the usual ones, and its formatting. The
answer is right only if it means the same as the reference. An answer that stays open, or gives
several alternatives, is wrong.

Question:
{question}

Reference answer: {answer}

Model's answer:
{output}

Reply with one word: right or wrong."""

_PASSING = (408, 425, 429)  # statuses of the client's fault that may be another after a pause
_LONGEST_OUTPUT = 8000  # characters of the output that the judge sees, from its end

Ask = Callable[[str], str]
"""A prompt -> the judge's words. Raises ``JudgeUnavailable``."""


class JudgeUnavailable(Exception):
    """The judge did not answer; the message says why."""


@dataclass(frozen=True)
class JudgeEndpoint:
    """Where a judge is and how it is asked."""

    url: str
    """Base URL, e.g. ``http://localhost:8000/v1``."""
    model: str
    key_variable: str = KEY
    """Environment variable that holds the key, if one is needed."""
    workers: int = 8
    """Requests under way at once."""
    retries: int = 4
    """Further tries after a failure, with growing pauses."""
    timeout: float = 60.0
    """Seconds for one request."""
    max_tokens: int = 16

    def __post_init__(self) -> None:
        require(
            self.url.startswith(("http://", "https://")) and _has_host(self.url),
            f"judge url: {self.url!r}, allowed is http://HOST... or https://HOST...",
        )
        require(bool(self.model), "judge model: the name is empty")
        require(self.workers >= 1, f"judge workers: {self.workers}, allowed is 1 or more")

    @cached_property
    def client(self) -> httpx2.Client:
        """Connections that all requests share; threads may use it at once."""
        return httpx2.Client(timeout=self.timeout, follow_redirects=False)

    def require_reachable(self) -> None:
        """See that something listens there, so that nothing is generated for a judge that is not.

        Raises ``UserError``, also where a variable was named for the key and is not set.
        """
        named = self.key_variable != KEY
        require(
            not named or bool(os.environ.get(self.key_variable)),
            f"judge key: the environment variable {self.key_variable} is not set",
        )
        problem = connection_problem(self.url)
        require(not problem, f"judge url: {self.url} cannot be reached: {problem}")

    def ask(self, prompt: str) -> str:
        """The judge's words, greedy. Raises `JudgeUnavailable` after the last try."""
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": self.max_tokens,
        }
        problem = ""
        for attempt in range(self.retries + 1):
            if attempt:
                time.sleep(min(30.0, 2.0 ** (attempt - 1)))
            try:
                return _post(self, body)
            except (httpx2.HTTPError, ValueError, LookupError, TypeError) as error:
                problem = f"{type(error).__name__}: {error}"
        raise JudgeUnavailable(problem)


def judge_evaluation(
    folder: str | Path, ask: Ask, name: str, workers: int = 8, progress: bool = True
) -> dict[str, Any]:
    """Judge every sample of a finished evaluation that has no verdict yet; returns the summary.

    ``folder``: an evaluation with ``samples.jsonl``; ``ask``: e.g. ``JudgeEndpoint(...).ask``;
    ``name``: the judge's name, recorded with each verdict. Writes ``judge.jsonl``.
    """
    path = Path(folder) / JUDGE_FILE
    samples = read_samples(Path(folder) / "samples.jsonl")
    verdicts = _earlier(path, name) if path.exists() else {}
    # Those that could not be judged are tried again.
    verdicts = {key: line for key, line in verdicts.items() if line["correct"] is not None}
    open_samples = [s for s in samples if s["failure"] is None and s["example_id"] not in verdicts]
    write_atomic(path, "".join(_line(line) for line in verdicts.values()))
    bar = Progress("judge", len(samples), len(samples) - len(open_samples)) if progress else None
    open_file = path.open("a", encoding="utf-8", errors=ESCAPED)
    with ThreadPoolExecutor(workers) as pool, open_file as file:
        for line in pool.map(lambda sample: _judged(sample, ask, name), open_samples):
            verdicts[line["example_id"]] = line
            file.write(_line(line))
            file.flush()
            if bar is not None:
                bar.advance(1)
    return summarize_verdicts(samples, verdicts, name)


def _earlier(path: Path, name: str) -> dict[str, dict[str, Any]]:
    """The verdicts of a file by example id."""
    found = {}
    for number, line in read_lines(path):
        for field in ("example_id", "judge", "correct"):
            require(field in line, f"{path}: line {number}: {field} is missing")
        judge, right = line["judge"], line["correct"]
        require(judge == name, f"{path}: holds verdicts of {judge!r}, asked is {name!r}")
        allowed = "allowed is true, false or null"
        known = right is None or isinstance(right, bool)
        require(known, f"{path}: line {number}: correct is {right!r:.80}, {allowed}")
        found[str(line["example_id"])] = line
    return found


def summarize_verdicts(
    samples: Sequence[Sample], verdicts: Mapping[str, Mapping[str, Any]], name: str
) -> dict[str, Any]:
    """The judge's accuracy over all samples, and how far it agrees with the rules."""
    said = [verdicts.get(s["example_id"], {}).get("correct") for s in samples]
    counted = together([bool(v) for v in said], samples)
    result = accuracy_with_stderr(counted, [s["cluster"] for s in samples])
    both = [(v, alone(s)) for v, s in zip(said, samples, strict=True) if v is not None]
    return {
        "judge": name,
        **{key: value for key, value in result.to_dict().items() if key != "failures"},
        "unjudged": sum(
            v is None and s["failure"] is None for v, s in zip(said, samples, strict=True)
        ),
        "agreement_with_rules": sum(a == b for a, b in both) / len(both) if both else None,
        "right_by_judge_only": sum(a and not b for a, b in both),
        "right_by_rules_only": sum(b and not a for a, b in both),
    }


def _judged(sample: Sample, ask: Ask, name: str) -> dict[str, Any]:
    prompt = PROMPT.format(
        question=sample["question"],
        answer=readable(sample["answer"]),
        output=sample["output"][-_LONGEST_OUTPUT:],
    )
    line = {"example_id": sample["example_id"], "judge": name, "correct": None}
    try:
        words = ask(prompt)
    except JudgeUnavailable as error:
        return {**line, "why": f"not judged: {error}"}
    return {**line, "correct": read_verdict(words), "why": words.strip()}


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _has_host(url: str) -> bool:
    try:
        return bool(httpx2.URL(url).host)
    except httpx2.InvalidURL:
        return False


def _post(endpoint: JudgeEndpoint, body: Mapping[str, Any]) -> str:
    """One request. Raises `JudgeUnavailable` where another try would end alike."""
    key = os.environ.get(endpoint.key_variable, "")
    reply = endpoint.client.post(
        endpoint.url.rstrip("/") + "/chat/completions",
        json=body,
        headers={"Authorization": f"Bearer {key}"} if key else {},
    )
    if reply.is_redirect:
        raise JudgeUnavailable(
            f"{endpoint.url} redirects to {reply.headers['Location']}, which is not followed; if "
            "that is the judge, give its address (--judge-url)"
        )
    if reply.is_client_error and reply.status_code not in _PASSING:
        raise JudgeUnavailable(f"{endpoint.url} answers {reply.status_code} {reply.reason_phrase}")
    reply.raise_for_status()
    return str(reply.json()["choices"][0]["message"]["content"])
