"""The warm start: stages that repeat, go on, and stop at a gate."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForImageTextToText

from noisygrpo.errors import UserError
from noisygrpo.playground import load_processor, model_path, warmstart
from noisygrpo.playground.scene import COLOURS, SHAPES, SIZES
from noisygrpo.playground.staging import Stage, check, learning_rate, probed
from noisygrpo.playground.warmstart import WarmStart, train

TINY = WarmStart(
    see_steps=1, locate_steps=1, reason_steps=1, read_steps=1, look_steps=1,
    slip_steps=1, pictures=2, batch=2, questions=1, log_every=9,
)  # fmt: skip


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch):
    monkeypatch.setattr(warmstart, "PROBED", 2)
    monkeypatch.setattr(warmstart, "ANSWERED", 1)


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
    with pytest.raises(UserError, match="was made with"):
        train(replace(TINY, see_steps=2), tmp_path / "two", gates=False)


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


def test_the_learning_rate_warms_up_and_falls():
    rates = [learning_rate(1.0, step, 100, warmup=10) for step in range(100)]
    assert rates[0] == 0.1 and max(rates) == rates[10] == 1.0 and rates[99] < 0.06
