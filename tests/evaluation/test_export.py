"""Results in lmms-eval's files."""

import json

import pytest
from tests.evaluation.nlvr_request import request, write_rows

from noisygrpo.evaluation.export import export_lmms_eval
from noisygrpo.evaluation.files import read_lines
from noisygrpo.evaluation.run import run_evaluation
from noisygrpo.evaluation.samples import read_samples
from tiny import tiny_qwen25vl


@pytest.fixture
def data(tmp_path):
    return write_rows(tmp_path / "nlvr.parquet")


def retold(folder, tmp_path):
    """A copy of an evaluation as if its model lay in a deep folder."""
    copy = tmp_path / "copy"
    copy.mkdir()
    result = json.loads((folder / "result.json").read_text())
    result["settings"]["model"] = "/data/runs/demo/checkpoint/"
    (copy / "result.json").write_text(json.dumps(result))
    (copy / "samples.jsonl").write_bytes((folder / "samples.jsonl").read_bytes())
    return copy


def test_lmms_eval_files(tmp_path, data):
    asked = request(tmp_path, data)
    result = run_evaluation(asked, tiny_qwen25vl)
    path = export_lmms_eval(asked.folder, tmp_path / "logs", "20260301_120000")
    assert path == tmp_path / "logs" / "tiny" / "20260301_120000_results.json"
    exported = json.loads(path.read_text())
    assert exported["results"]["nlvr"]["accuracy,none"] == result.accuracy
    assert exported["n-samples"]["nlvr"] == {"original": 6, "effective": 6}
    exported_lines = read_lines(path.with_name("20260301_120000_samples_nlvr.jsonl"))
    samples = [line for _, line in exported_lines]
    assert [sample["doc_id"] for sample in samples] == list(range(6))
    own = read_samples(asked.folder / "samples.jsonl")
    assert samples[0]["target"] == "false"
    assert samples[0]["input"] == own[0]["prompt"][-1]["content"]
    assert samples[0]["resps"] == [own[0]["output"]]  # left out where it is the answer itself
    assert samples[0]["filtered_resps"] == ""
    assert samples[0]["token_counts"] == [{"output_tokens": 3}]
    assert exported["model_name_sanitized"] == "tiny"
    deep = export_lmms_eval(retold(asked.folder, tmp_path), tmp_path / "logs", "20260301_120000")
    assert deep.parent.name == "demo__checkpoint"  # the last two parts, as there
