"""Sampling by TRL's turn, in which prompts are shared and ended rows leave."""

from types import SimpleNamespace

from noisygrpo.training.engines.generate import GenerateEngine
from tiny_families import tiny_family


class Turn:
    """Records what TRL's turn is called with, and the hooks that the model has meanwhile."""

    def __init__(self, model):
        self.model, self.calls, self.hooks = model, [], []

    def __call__(self, *arguments, **options):
        self.calls.append((arguments, options))
        self.hooks.append(len(getattr(self.model, "_forward_pre_hooks", ())))
        return [[1]], None


def test_trls_arguments_go_through():
    model = SimpleNamespace(config=SimpleNamespace(model_type="qwen2_vl"))
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
