"""What the runs of ``sharded.py`` left, and whether two are the same."""

import json

import pytest
import torch
from transformers import Qwen2_5_VLForConditionalGeneration


def lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def parameters(folder):
    """Return the saved parameters by their name in memory."""
    kind = Qwen2_5_VLForConditionalGeneration
    return kind.from_pretrained(folder, dtype=torch.float32).state_dict()


def compare(one, two):
    """Check that two runs sampled, logged and learned the same."""
    rollouts = lines(one, "rollouts.jsonl")
    others = lines(two, "rollouts.jsonl")
    for record, other in zip(rollouts, others, strict=True):
        depends = record.pop("visual_dependence", []), other.pop("visual_dependence", [])
        assert depends[0] == pytest.approx(depends[1], abs=1e-4)
    assert others == rollouts  # views, hints, rewards, advantages
    assert len({record["completion"] for record in rollouts}) > len(rollouts) // 2
    sampled = [json.loads((folder / "sampled.json").read_text()) for folder in (one, two)]
    assert sampled[0] == sampled[1]
    prefixes = ("reward", "advantage", "hint", "view_ratio", "loss", "grad_norm")
    for entry, other in zip(lines(one, "metrics.jsonl"), lines(two, "metrics.jsonl"), strict=True):
        for name in (name for name in entry if name.startswith(prefixes)):
            assert other[name] == pytest.approx(entry[name], rel=1e-4, abs=1e-5), name
    start, first, second = map(
        parameters, (one.parent / "model", one / "checkpoint", two / "checkpoint")
    )
    assert max(float((value - start[name]).abs().max()) for name, value in first.items()) > 1e-3
    for name, value in first.items():
        assert torch.allclose(value, second[name], atol=1e-5), name


def compare_resumed(folder):
    """Check that the resumed run ended bit for bit where the one in one piece did."""
    whole, resumed = (parameters(folder / name / "checkpoint") for name in ("shared", "resumed"))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
