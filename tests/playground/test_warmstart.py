"""The warm start: stages that repeat, go on, and stop at a gate."""

import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from transformers import AutoModelForImageTextToText

from noisygrpo.errors import UserError
from noisygrpo.playground import gallery, load_processor, model_path, probes, warmstart
from noisygrpo.playground.scene import COLOURS, SHAPES, SIZES
from noisygrpo.playground.staging import (
    Stage,
    check,
    glance,
    keep,
    learning_rate,
    optimizers_of,
    probed,
    train_stage,
)
from noisygrpo.playground.warmstart import WarmStart, train

TINY = WarmStart(
    see_steps=1, locate_steps=1, reason_steps=1, read_steps=1, look_steps=1,
    slip_steps=1, pictures=2, batch=2, questions=1, log_every=9,
)  # fmt: skip


@pytest.fixture(autouse=True)
def little_work(monkeypatch):
    """Few and short probes; and Muon's matrices are made orthogonal roughly, which is its time."""
    monkeypatch.setattr(warmstart, "PROBED", 2)
    monkeypatch.setattr(warmstart, "ANSWERED", 1)
    monkeypatch.setattr(probes, "LONGEST", 4)
    monkeypatch.setattr(gallery, "_AT_ONCE", 4)
    monkeypatch.setattr(torch.optim, "Muon", partial(torch.optim.Muon, ns_steps=1))


def test_the_words_of_a_reading_are_whole_tokens():
    tokenizer = load_processor(model_path()).tokenizer
    for word in (*COLOURS, *SHAPES, *SIZES):
        assert tokenizer.tokenize(f" {word}") == [f"Ġ{word}"]


def test_the_warm_start_repeats_goes_on_and_its_checkpoint_loads(tmp_path, capsys):
    whole = train(TINY, tmp_path / "one", gates=False).state_dict()
    for stage in (
        "reason",
        "see",
        "locate",
        "spread",
        "read",
    ):  # stage by stage, the first two in either order
        assert train(TINY, tmp_path / "two", only=stage, gates=False) is None
    capsys.readouterr()
    parts = train(TINY, tmp_path / "two", gates=False).state_dict()
    assert "read: taken from" in capsys.readouterr().out
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    loaded = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "one", dtype=torch.bfloat16
    ).state_dict()
    for key, tensor in loaded.items():
        assert torch.equal(tensor, whole[key].to(torch.bfloat16)), key
    for other in ({"see_steps": 2}, {"questions": 2}, {"pictures": 3}):
        with pytest.raises(UserError, match="was made with"):
            train(replace(TINY, **other), tmp_path / "two", gates=False)


def test_a_stage_needs_those_before_it_and_its_gate(tmp_path):
    with pytest.raises(UserError, match="--stage: look comes after see, which is not in"):
        train(TINY, tmp_path, only="look")
    with pytest.raises(UserError, match=r"see_steps: after 1 steps (shape|colour|size) is right"):
        train(TINY, tmp_path, only="see")
    with pytest.raises(UserError, match="see_steps: after 1 steps"):  # it is kept, and still short
        train(TINY, tmp_path, only="see")


def test_a_gate_is_passed_at_what_it_needs():
    stage = Stage("s", 1, 1.0, None, None, {}, lambda: {"shape": 0.98}, needed={"shape": 0.98})
    check(stage, probed(stage))
    with pytest.raises(UserError, match=r"shape is right at 98\.0 %, the gate is 99 %"):
        check(replace(stage, needed={"shape": 0.99}), {"shape": 0.98})


def test_muon_takes_the_matrices_and_leaves_tables_and_vectors_to_adamw():
    whole = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.LayerNorm(3))
    stage = Stage("s", 1, 0.1, None, None, {"whole": whole}, muon=2.0)
    adamw, muon = (optimizer.param_groups for optimizer in optimizers_of(stage))
    assert muon[0]["params"] == [whole[1].weight] and muon[0]["lr"] == 0.2
    assert len(adamw[0]["params"]) == 4 and adamw[0]["lr"] == 0.1
    assert len(optimizers_of(replace(stage, muon=0.0))) == 1


def test_a_stage_can_be_looked_at_halfway(tmp_path):
    """A line learns its slope; the file of the middle is gone when the stage is kept."""
    line = nn.Linear(1, 1)
    seen = {}

    def halfway(done):
        keep(stage, tmp_path, {"seed": 0}, {"slope": line.weight.item()}, done)
        told = json.loads((tmp_path / "stages" / "line-halfway.json").read_text())
        seen[done] = told["done"], told["probe"]["slope"]

    stage = Stage(
        "line", 60, 0.1, lambda step: {"x": torch.tensor([[step % 3 - 1.0]])},
        lambda batch: (line(batch["x"]) - 2 * batch["x"]).square().mean(), {"line": line},
    )  # fmt: skip
    train_stage(line, stage, warmup=1, log_every=99, halfway=halfway)
    assert list(seen) == list(range(1, 60)) and all(done == at for at, (done, _) in seen.items())
    assert abs(line.weight.item() - 2) < 0.1 < abs(seen[1][1] - 2)
    for done in (20, 30):  # only the first is a multiple
        glance(stage, tmp_path, {"seed": 0}, 20, done)
        told = json.loads((tmp_path / "stages" / "line-halfway.json").read_text())
        assert told == {"seed": 0, "done": 20, "probe": {}}
    keep(stage, tmp_path, {"seed": 0}, {})
    assert sorted(p.name for p in (tmp_path / "stages").iterdir()) == [
        "line.json",
        "line.safetensors",
    ]


def test_the_learning_rate_warms_up_and_falls():
    rates = [learning_rate(1.0, step, 100, warmup=10) for step in range(100)]
    assert rates[0] == 0.1 and max(rates) == rates[10] == 1.0 and rates[99] < 0.06
