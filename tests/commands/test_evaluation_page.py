"""The commands of the page on evaluation, as they stand there, on a tiny model and tiny files."""

import json
import re
import shlex
from pathlib import Path

import pytest
from tests.evaluation.eval_data_folder import write_eval_data
from tests.evaluation.fake_vllm import install

from noisygrpo.evaluation.judge_api import JudgeEndpoint

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
LISTED = [shlex.split(block.replace("\\\n", " "), comments=True) for block in BLOCKS]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_eval_data(tmp_path_factory.mktemp("eval_data"))


def command_of(words, model, archive, out):
    """The command's own words; what is on the hub or large there is small and here."""
    words = words[words.index("noisygrpo") + 1 :]
    small = {"--model": model, "--data": archive, "--output-dir": out, "--max-new-tokens": "3"}
    for name, value in small.items():
        if name in words:
            words[words.index(name) + 1] = str(value)
        else:
            words += [name, str(value)]
    return words


def test_four_commands_are_there():
    kinds = [" ".join(words) for words in LISTED]
    for part in ("geo3k,hallubench", "accelerate launch", "--engine vllm", "--judge-key"):
        assert sum(part in text for text in kinds) == 1, part


@pytest.mark.parametrize("words", LISTED, ids=lambda words: " ".join(words)[:40])
def test_a_command_of_the_page(words, run_cli, model_folder, archive, tmp_path, monkeypatch):
    given, keys = install(monkeypatch) if "vllm" in words else {}, []
    monkeypatch.setattr(JudgeEndpoint, "ask", lambda self, _: keys.append(self) or "right")
    monkeypatch.setattr(JudgeEndpoint, "require_reachable", lambda self: None)
    out = tmp_path / "out"
    status, printed, error = run_cli(*command_of(words, model_folder, archive, out))
    assert status == 0, error
    table = json.loads((out / "table.json").read_text())
    names = words[words.index("--benchmark") + 1].split(",")
    assert len(table) == len(names) and "benchmark" in printed
    if "vllm" in words:
        assert given["engine"]["tensor_parallel_size"] == 2
        assert given["engine"]["max_model_len"] == 8192
        assert given["engine"]["gpu_memory_utilization"] == 0.7
    if "--judge-url" in words:
        (endpoint,) = {(e.url, e.model, e.key_variable, e.workers) for e in keys}
        assert endpoint[2:] == ("GOOGLE_API_KEY", 24)
        assert all(entry["judge"]["accuracy"] == 1.0 for entry in table.values())
        assert "100.0 ± 0.0" in (out / "report.txt").read_text()
