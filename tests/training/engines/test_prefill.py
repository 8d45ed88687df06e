"""Sampling that reads every distinct prompt once samples what reading every row samples."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch
from transformers import GenerationConfig

from noisygrpo.errors import UserError
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.engines.prefill import FAMILIES, by_token, obstacle, shared_prefill
from noisygrpo.training.parts import shares_prefill
from tiny import tiny_rows, tiny_settings
from tiny_families import prefilled, prompts_of, tiny_batch, tiny_family
from tiny_trainer import make


@pytest.mark.parametrize("name", FAMILIES)
def test_distinct_rows_are_read_once_and_every_row_gets_its_logits(name):
    counts = [1, 2, 0]
    model = tiny_family(name).eval()
    batch = tiny_batch(name, counts, [[3, 5, 4]] * len(counts))
    inputs, numbers = prompts_of(batch)
    options = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
    options |= {"return_dict_in_generate": True, "output_logits": True, "eos_token_id": None}
    expected = model.generate(**inputs, **options)
    rows = prefilled(model)
    with shared_prefill(model, numbers):
        got = model.generate(**inputs, **options)
    assert rows == [len(counts), *[3 * len(counts)] * 4]
    assert torch.equal(got.sequences, expected.sequences)
    for one, other in zip(got.logits, expected.logits, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    del rows[:]
    model.generate(**inputs, **options)
    assert rows == [3 * len(counts)] * 5  # outside of the context nothing is left of it


def steps(folder):
    return [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]


CASES = {  # settings; different texts before the picture (all begin alike), and different rows
    "clean": ({"method": "grpo"}, 1, 2),
    "each its own noise": ({"method": "noisygrpo"}, 1, 8),
    "clean and shared noise": ({"method": "noisyrollout"}, 1, 4),
    "hints": ({"method": "hint_grpo", "hint_levels": 2}, 1, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_training_samples_the_same_and_reads_less(tmp_path, case):
    changes, heads, read = CASES[case]
    changes = {**changes, "max_steps": 2, "learning_rate": 0.01}
    reasoning = ["Step 1: look. Step 2: count."] * 4
    data = tiny_rows(4).remove_columns("reasoning").add_column("reasoning", reasoning)
    make(tmp_path / "rows", data, **changes, shared_prefill=False).train()
    trainer = make(tmp_path / "shared", data, **changes)
    rows = prefilled(trainer.model)
    trainer.train()
    assert rows[:2] == [heads, read]
    keys = ("example_id", "noise_level", "completion", "advantage")
    for one, other in zip(steps(tmp_path / "rows"), steps(tmp_path / "shared"), strict=True):
        assert [one[key] for key in keys] == pytest.approx([other[key] for key in keys])


def sliding(model):
    model.config.get_text_config().layer_types = ["full_attention", "sliding_attention"]


OBSTACLES = {
    "gpt2": (lambda model: setattr(model.config, "model_type", "gpt2"), {}),
    "without full attention": (sliding, {}),
    "cache_implementation: static": (lambda model: None, {"cache_implementation": "static"}),
    "num_beams: 2": (lambda model: None, {"num_beams": 2}),
    "use_cache: False": (lambda model: None, {"use_cache": False}),
    "prefill_chunk_size: 8": (lambda model: None, {"prefill_chunk_size": 8}),
}


def test_of_the_models_own_options_the_cache_alone_counts():
    model = tiny_family("qwen2")
    model.generation_config.num_beams = 3  # sampling leaves it out
    assert obstacle(model, GenerationConfig()) is None
    model.generation_config.cache_implementation = "static"
    assert "cache_implementation: static" in obstacle(model, GenerationConfig())


@pytest.mark.parametrize("reason", OBSTACLES)
def test_what_stands_against_it_is_named(reason):
    change, options = OBSTACLES[reason]
    model = tiny_family("qwen2")
    assert obstacle(model, GenerationConfig(cache_implementation="dynamic")) is None
    change(model)
    assert reason in obstacle(model, GenerationConfig(**options))


def test_a_trainer_that_cannot_share_says_so_and_trains(tmp_path, caplog):
    changes = {"generation_kwargs": {"num_beams": 2}, "max_steps": 1}
    with caplog.at_level(logging.WARNING):
        trainer = make(tmp_path, tiny_rows(4), **changes)
    assert "shared_prefill: every prompt is read by itself, as generate is given" in caplog.text
    trainer.train()
    assert len(steps(tmp_path)) == 8


@pytest.mark.parametrize("other", ["torch_compile", "use_transformers_continuous_batching"])
def test_a_run_that_samples_otherwise_is_no_sampling_by_token(tmp_path, caplog, other):
    fields = ("torch_compile", "use_transformers_continuous_batching")
    args = SimpleNamespace(**dict.fromkeys(fields, False))
    assert by_token(args, {}) and not by_token(args, {"num_beams": 2})
    setattr(args, other, True)
    assert not by_token(args, {})
    trainer = make(tmp_path, tiny_rows(2), max_steps=1)
    setattr(trainer.args, other, True)
    with caplog.at_level(logging.WARNING):
        assert not shares_prefill(trainer)
    assert "shared_prefill: every prompt is read by itself, as" in caplog.text


def test_with_vllm_it_has_no_say(tmp_path):
    settings = tiny_settings(tmp_path, shared_prefill=False, use_vllm=True)
    with pytest.raises(UserError, match="shared_prefill: False has no effect with use_vllm True"):
        NoisyGRPOConfig(**settings)
