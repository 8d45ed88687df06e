"""Sampling by TRL's turn, in which prompts are shared and ended rows leave."""

from types import SimpleNamespace

import pytest
import torch
from transformers import GenerationConfig

from noisygrpo.training.engines.generate import GenerateEngine
from tiny import tiny_rows
from tiny_families import tiny_family
from tiny_trainer import make


class Turn:
    """Records what TRL's turn is called with, and the hooks that the model has meanwhile."""

    def __init__(self, model):
        self.model, self.calls, self.hooks = model, [], []

    def __call__(self, *arguments, **options):
        self.calls.append((arguments, options))
        self.hooks.append(len(getattr(self.model, "_forward_pre_hooks", ())))
        return [[1]], None


def test_trls_arguments_go_through():
    kind = SimpleNamespace(model_type="qwen2_vl")
    model = SimpleNamespace(config=kind, generation_config=GenerationConfig())
    turn = Turn(model)
    engine = GenerateEngine(turn, lambda: model, False)
    assert engine.sample([], True, "ids", "images", {"f": 1}, 4, False, more=2) == ([[1]], None)
    assert turn.calls == [(("ids", "images", {"f": 1}, 4, False), {"more": 2})]
    assert not engine.shares


def test_prompts_are_shared_while_the_turn_lasts():
    model = tiny_family("qwen2")
    turn = Turn(model)
    engine = GenerateEngine(turn, lambda: model, True)
    engine.sample([], True, [[1], [1]], None, {}, 2)
    assert engine.shares and turn.hooks == [2] and not model._forward_pre_hooks
    assert turn.calls == [(([[1], [1]], None, {}, 2), {})]


@pytest.mark.parametrize(
    ("name", "value"),
    [("min_p", 0.9), ("typical_p", 0.1), ("no_repeat_ngram_size", 1), ("forced_eos_token_id", 5)],
)
def test_no_way_of_sampling_of_the_model_folder_leaks(tmp_path, name, value):
    def sampled(folder, **own):
        trainer = make(tmp_path / folder, tiny_rows(2), max_completion_length=8)
        trainer.model.generation_config.update(**own)
        torch.manual_seed(3)
        batch = trainer._generate_and_score_completions(list(tiny_rows(2)) * 4)
        assert all(getattr(trainer.model.generation_config, key) == own[key] for key in own)
        return batch["completion_ids"].tolist()

    assert sampled("own", **{name: value}) == sampled("plain")
