"""The arithmetic of a run's batches."""

from noisygrpo.training.batches import plan_batches
from noisygrpo.training.config import NoisyGRPOConfig


def config(**changes):
    settings = {"num_generations": 4, "per_device_train_batch_size": 8, "bf16": False}
    return NoisyGRPOConfig(**{**settings, "use_cpu": True, "report_to": "none", **changes})


def test_batch_arithmetic():
    plan = plan_batches(config(gradient_accumulation_steps=2, num_train_epochs=1), rows=100)
    assert (plan.prompts, plan.rollouts, plan.rollouts_per_update) == (4, 16, 16)
    assert (plan.updates_per_generation, plan.updates, plan.epochs) == (1, 25, 1)
    twice = plan_batches(config(num_iterations=2, max_steps=10), rows=100)
    assert (twice.prompts, twice.updates_per_generation, twice.updates) == (2, 2, 10)
    assert twice.epochs == 10 / 100


def test_a_warm_up_that_outlasts_the_run_is_said():
    assert "warm-up" not in plan_batches(config(max_steps=10, warmup_steps=10), 100).lines()[-1]
    assert "warm-up" not in plan_batches(config(max_steps=10, warmup_steps=0.5), 100).lines()[-1]
    late = plan_batches(config(max_steps=10, warmup_steps=40), 100).lines()[-1]
    assert late == "warm-up takes 40 of 10 updates: the learning rate ends at 25% of what is set"
    constant = config(max_steps=10, warmup_steps=40, lr_scheduler_type="constant")
    assert "warm-up" not in plan_batches(constant, 100).lines()[-1]
