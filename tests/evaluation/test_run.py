"""One evaluation from request to result."""

import dataclasses
import json

import pytest
import torch
from tests.evaluation.nlvr_request import request, write_rows

from noisygrpo.errors import UserError
from noisygrpo.evaluation.benchmarks import BENCHMARKS
from noisygrpo.evaluation.judge_api import JudgeEndpoint
from noisygrpo.evaluation.run import EvaluationRequest, run_evaluation
from noisygrpo.evaluation.samples import read_samples
from noisygrpo.report.result import write_report
from tiny import tiny_qwen25vl


@pytest.fixture
def data(tmp_path):
    return write_rows(tmp_path / "nlvr.parquet")


def test_a_benchmark_from_request_to_result(tmp_path, data):
    asked = request(tmp_path, data)
    result = run_evaluation(asked, tiny_qwen25vl)
    assert (result.n, result.clusters) == (6, 3)
    summary = json.loads((asked.folder / "result.json").read_text())
    assert summary["metrics"]["majority_class"] == 4 / 6
    assert summary["settings"]["benchmark"] == "nlvr"
    assert summary["settings"]["generation"]["temperature"] == 0.0

    def never():
        raise AssertionError("a finished evaluation needs no model")

    assert run_evaluation(asked, never) == result


def test_views_are_part_of_the_question(tmp_path, data):
    noisy = request(tmp_path, data, noise_level=0.5)
    run_evaluation(noisy, tiny_qwen25vl)
    settings = json.loads((noisy.folder / "settings.json").read_text())
    assert settings["view"]["level"] == 0.5
    with pytest.raises(UserError, match="view"):
        run_evaluation(request(tmp_path, data, noise_level=0.6), tiny_qwen25vl)


def test_pixel_limits(tmp_path, data):
    model, processor = tiny_qwen25vl()
    asked = request(tmp_path, data, max_pixels=28 * 28 * 2)
    run_evaluation(asked, lambda: (model, processor))
    assert processor.image_processor.size["longest_edge"] == 28 * 28 * 2
    settings = json.loads((asked.folder / "settings.json").read_text())
    assert settings["max_pixels"] == 28 * 28 * 2


def test_text_bias_calibration_changes_answers(tmp_path, data):
    model, processor = tiny_qwen25vl()
    with torch.no_grad():  # with its small initial weights it only repeats its last token
        for name, weight in model.named_parameters():
            weight.mul_(12 if weight.ndim == 2 and "embed" not in name else 1)
    for name, scale in {"plain": 0.0, "calibrated": 30.0}.items():
        asked = request(tmp_path, data, out_dir=str(tmp_path / name), text_bias_scale=scale)
        run_evaluation(asked, lambda: (model, processor))
    outputs = [
        [sample["output"] for sample in read_samples(tmp_path / name / "samples.jsonl")]
        for name in ("plain", "calibrated")
    ]
    assert outputs[0] != outputs[1]


def test_robustness_by_request(tmp_path, data):
    asked = request(tmp_path, data, robustness=("blur",), levels=(0.0, 1.0), limit=2)
    result = run_evaluation(asked, tiny_qwen25vl)
    assert result.n == 2
    curve = json.loads((asked.folder / "robustness.json").read_text())
    assert [point["level"] for point in curve["curves"]["blur"]] == [0.0, 1.0]
    processor = tiny_qwen25vl()[1]
    assert run_evaluation(asked, lambda: (None, processor)) == result  # it asks no model
    run_evaluation(dataclasses.replace(asked, overwrite=True, seed=1), tiny_qwen25vl)


def test_a_judge_stays_in_the_result_when_it_is_looked_at_again(tmp_path, data):
    asked = request(tmp_path, data)
    run_evaluation(asked, tiny_qwen25vl)
    path = asked.folder / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "judge": {"judge": "j"}}))
    run_evaluation(asked, tiny_qwen25vl)
    assert json.loads(path.read_text())["judge"] == {"judge": "j"}


def test_a_benchmark_brings_its_own_questions_and_its_own_end(tmp_path, data, monkeypatch):
    ended, asked = [], request(tmp_path, data, judge_url="http://judge", judge_model="j")

    def more(samples, endpoint):
        return {"steps": {"asked": len(samples), "precision": 0.25}, "by": endpoint.model}

    own = dataclasses.replace(BENCHMARKS["nlvr"], judge_more=more, finish=ended.append)
    monkeypatch.setitem(BENCHMARKS, "nlvr", own)
    monkeypatch.setattr(JudgeEndpoint, "ask", lambda self, prompt: "right")
    monkeypatch.setattr(JudgeEndpoint, "require_reachable", lambda self: None)
    run_evaluation(asked, tiny_qwen25vl)
    assert ended == [asked.folder]
    judge = json.loads((asked.folder / "result.json").read_text())["judge"]
    assert (judge["accuracy"], judge["steps"]) == (1.0, {"asked": 6, "precision": 0.25})
    shown = [line.split() for line in write_report(asked.folder).splitlines() if "steps" in line]
    assert shown == [["steps", "/", "asked", "6"], ["steps", "/", "precision", "25.0"]]


def test_seeds_sample_other_answers_on_the_same_rows(tmp_path):
    model, processor = tiny_qwen25vl()
    rows = []
    for seed in (0, 1):
        asked = EvaluationRequest(
            model="tiny", benchmark="playground-test", limit=3, max_new_tokens=6, temperature=1.0,
            seed=seed, out_dir=str(tmp_path / str(seed)),
        )  # fmt: skip
        run_evaluation(asked, lambda: (model, processor))
        rows.append(read_samples(asked.folder / "samples.jsonl"))
    assert [r["example_id"] for r in rows[0]] == [r["example_id"] for r in rows[1]]
    assert [r["output"] for r in rows[0]] != [r["output"] for r in rows[1]]
