"""Accuracy against the strength of a disturbance."""

import pytest

from noisygrpo.errors import UserError
from noisygrpo.evaluation.evaluate import answer_with
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.robustness import RobustnessPlan, read_curve, robustness_curve
from noisygrpo.evaluation.samples import read_samples
from tiny import tiny_qwen25vl, tiny_rows


def test_robustness_curve(tmp_path):
    model, processor = tiny_qwen25vl()
    plan = RobustnessPlan(("gaussian", "blur"), (0.0, 1.0))
    generation = Generation(batch_size=4, max_new_tokens=3)
    run = (answer_with(model, processor, generation), tiny_rows(4), tmp_path, plan)
    curve = robustness_curve(*run, generation=generation, progress=False)
    assert [point["level"] for point in curve["curves"]["blur"]] == [0.0, 1.0]
    assert curve["text_only"]["n"] == 4
    assert curve["looking"]["difference"] == 0.0
    assert read_curve(tmp_path) == curve
    assert sorted(path.parent.name for path in tmp_path.rglob("samples.jsonl")) == [
        "blur-1", "clean", "gaussian-1", "text-only",
    ]  # fmt: skip
    assert len(read_samples(tmp_path / "clean" / "samples.jsonl")) == 4

    def never(batch):
        raise AssertionError("asked again")

    assert robustness_curve(never, *run[1:], generation=generation, progress=False) == curve
    with pytest.raises(UserError, match=r"robustness\.json"):
        read_curve(tmp_path / "clean")


def test_a_plan_without_kinds_is_refused():
    with pytest.raises(UserError, match="kinds is empty"):
        RobustnessPlan(kinds=())
