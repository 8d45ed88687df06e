"""The warm start."""

import torch
from tests.playground.small_processor import small_processor
from transformers import AutoModelForImageTextToText

from noisygrpo.playground.teacher import HASTY_THOUGHT
from noisygrpo.playground.warmstart import (
    WarmStart,
    learning_rate,
    train,
)


def test_the_words_of_a_guess_are_whole_tokens():
    assert small_processor().tokenizer.tokenize(HASTY_THOUGHT) == ["A", "Ġquick", "Ġguess", "."]


def test_the_warm_start_is_reproducible_and_its_checkpoint_loads(tmp_path):
    settings = WarmStart(
        tokenizer_rows=60, see_steps=1, reason_steps=1, look_steps=1, join_steps=1,
        habit_steps=1, batch=2, questions=1, log_every=9,
    )  # fmt: skip
    states = [train(settings, tmp_path / name).state_dict() for name in ("one", "two")]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    loaded = AutoModelForImageTextToText.from_pretrained(
        tmp_path / "one", dtype=torch.bfloat16
    ).state_dict()
    for key, tensor in loaded.items():
        assert torch.equal(tensor, states[0][key].to(torch.bfloat16)), key


def test_the_learning_rate_warms_up_and_falls():
    rates = [learning_rate(1.0, step, 100, warmup=10) for step in range(100)]
    assert rates[0] == 0.1 and max(rates) == rates[10] == 1.0 and rates[99] < 0.06
