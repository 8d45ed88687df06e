"""Dependence of the loss's own log-probs is that of a forward of its own, which is saved."""

import json

import pytest
import torch

from noisygrpo.training.finite import NonFiniteError
from noisygrpo.training.views import compare
from tiny import tiny_rows
from tiny_trainer import make

MASKED = {"second_view": "black_patches", "second_level": 0.5}
RUNS = {  # settings, and how many forwards of a batch are saved
    "metric, shared": ({**MASKED, "shared_prefix": True}, 1),
    "metric, rows, k1": ({"second_view": "text", "second_estimator": "k1"}, 1),
    "beside papo": ({"method": "papo", "second_metric": True, "shared_prefix": True}, 1),
    "beside papo_exact": ({"method": "papo_exact", "second_metric": True}, 2),
    "own view, updated twice at once": (
        {
            "method": "noisygrpo",
            "score_view": "own",
            "noise_levels": [0.0, 0.5],
            "num_iterations": 2,
            **MASKED,
        },
        1,
    ),
}
BATCH = {
    "num_generations": 2,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 4,
    "steps_per_generation": 2,
}


def run(folder, changes, **more):
    """Train two steps in float64; return trainer, rollouts, and how many forwards there were."""
    changes = {**BATCH, "max_steps": 2, "learning_rate": 1e-3, **changes, **more}
    trainer = make(folder, tiny_rows(8, images=(1, 0, 2)), **changes)
    trainer.model.double()
    with torch.no_grad():  # pictures count for something
        for parameter in trainer.model.parameters():
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    forwards = []
    trainer.model.base_model.register_forward_hook(lambda *_: forwards.append(1))
    trainer.train()
    lines = (folder / "rollouts.jsonl").read_text().splitlines()
    return trainer, [json.loads(line) for line in lines], len(forwards)


@pytest.mark.parametrize("name", RUNS)
def test_the_losss_log_probs_give_the_same_numbers(tmp_path, monkeypatch, name):
    changes, saved = RUNS[name]
    trainer, rollouts, forwards = run(tmp_path / "late", changes)
    monkeypatch.setattr(compare, "waits_for_the_loss", lambda values: False)
    before, expected, more = run(tmp_path / "sooner", changes)
    assert len(rollouts) == len(expected) > 0
    for one, other in zip(rollouts, expected, strict=True):
        found = one.pop("visual_dependence"), other.pop("visual_dependence")
        assert found[0] == pytest.approx(found[1], abs=2e-6) and len(found[0]) > 0  # 6 digits
        assert one == other
    assert max(max(one["rewards"].values()) for one in rollouts) > 0
    entries = trainer.state.log_history[:-1], before.state.log_history[:-1]
    for one, other in zip(*entries, strict=True):
        names = [key for key in other if key.startswith("visual_dependence")]
        assert "visual_dependence" in names and one["loss"] == other["loss"]
        for key in names:
            assert one[key] == pytest.approx(other[key], abs=1e-6, rel=1e-6), key
        assert one["visual_dependence"] > 1e-4
    batches = 4 // changes.get("num_iterations", 1)  # of two micro-batches each
    assert more - forwards == batches * 2 * saved


def test_rollouts_of_a_loss_that_is_no_number_are_kept(tmp_path, monkeypatch):
    trainer = make(tmp_path, tiny_rows(8), **BATCH, **MASKED, max_steps=1)
    average = trainer._comparison.updated

    def spoilt(inputs, first, second):
        average(inputs, first, second)
        trainer.accelerator.reduce = lambda value, *_, **__: value * float("nan")

    monkeypatch.setattr(trainer._comparison, "updated", spoilt)
    with pytest.raises(NonFiniteError):
        trainer.train()
    lines = [json.loads(line) for line in (tmp_path / "rollouts.jsonl").read_text().splitlines()]
    assert len(lines) == 4 and not any("visual_dependence" in line for line in lines)
