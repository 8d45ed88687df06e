"""A loss or gradient that is not a number stops the run before it spoils the model."""

import math
from types import SimpleNamespace

import pytest
import torch
from trl import GRPOTrainer

from noisygrpo.training.finite import NonFiniteError, require_finite
from tiny_trainer import make


def test_finite_check_names_step_and_value():
    done, args = SimpleNamespace(global_step=3), SimpleNamespace(output_dir="runs/x")
    require_finite(0.0, "loss", done, args)
    with pytest.raises(NonFiniteError, match=r"step 4: the loss is nan.*step 3.*runs/x"):
        require_finite(math.nan, "loss", done, args)


@pytest.mark.parametrize("where", ["loss", "gradient norm"])
def test_not_a_number_stops_before_the_step(tmp_path, monkeypatch, where):
    trainer = make(tmp_path, max_steps=4, learning_rate=1.0)
    if where == "loss":
        compute = GRPOTrainer._compute_loss

        def spoiled(self, model, inputs):
            loss = compute(self, model, inputs)
            return loss * torch.nan if self.state.global_step == 2 else loss

        monkeypatch.setattr(GRPOTrainer, "_compute_loss", spoiled)
    else:
        weight = trainer.model.lm_head.weight
        weight.register_hook(lambda g: g * torch.inf if trainer.state.global_step == 2 else g)
    with pytest.raises(NonFiniteError, match=rf"step 3: the {where} is .*parameters.*step 2"):
        trainer.train()
    assert all(torch.isfinite(value).all() for value in trainer.model.parameters())
    assert trainer.state.global_step == 2
