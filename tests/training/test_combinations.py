"""Settings that nobody published together: each update is the one of the formulas (``oracle``)."""

import pytest
import torch
from peft import LoraConfig

from tiny import tiny_rows
from tiny_hints import hit
from tiny_hints import rows as hinted_rows
from tiny_trainer import make
from training.oracle import Oracle
from two_processes import by_row_and_rollout, keep_samples

GRID = {"view_plan": "grid", "noise_levels": [0.0, 0.4, 0.6, 0.8]}
SPLIT = {"view_plan": "split", "noise_levels": [0.5]}
UNIFORM = {"view_plan": "uniform", "noise_levels": [0.3, 0.9]}
MASKED = {"second_view": "black_patches", "second_level": 0.6}
TEXT = {"second_view": "text"}
EXACT = {"second_loss": -0.5, "second_policy": "current", "second_gradient": "both"}
RIGHT = {"second_gate": "correct", "correct_at": 2.0}
TWICE = {"num_iterations": 2, "max_steps": 2}
REFILL = {"groups": "refill"}
LORA = {"lora": LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)}
PARTS = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
HINTS = {"hint_levels": 3}

COMBINATIONS = {
    "split, all, masked, exact, correct, grpo, twice": {
        **SPLIT, "score_view": "all", **MASKED, **EXACT, **RIGHT, "loss_type": "grpo", **TWICE,
    },
    "grid, all, text, mask and weights, dapo, parts, shared": {
        **GRID, "score_view": "all", **TEXT, "second_token_mask": 0.5, "shared_prefix": True,
        "second_sequence_weight": 0.3, **PARTS, **TWICE,
    },
    "grid, own, gaussian, token weights, correct, dr_grpo, adapter": {
        **GRID, "score_view": "own", "second_view": "gaussian", "second_level": 0.5, **RIGHT,
        "second_token_weight": 0.5, "loss_type": "dr_grpo", **LORA,
    },
    "grid, clean, truncated, text, reward": {
        **GRID, **TEXT, "second_reward": 1.0, "view_correction": "truncated",
        "view_correction_limit": 1.5,
    },
    "split, rejection, masked, advantage, refill, twice": {
        **SPLIT, **MASKED, "second_advantage": 2.0, "view_correction": "rejection",
        "view_correction_limit": 0.05, **REFILL, **TWICE,
    },
    "uniform, all, text, full, second side, grpo, adapter": {
        **UNIFORM, "score_view": "all", **TEXT, **EXACT, "second_gradient": "second", **LORA,
        "second_estimator": "full", "loss_type": "grpo",
    },
    "papo, hints, twice, parts": {"method": "papo", "second_loss": -0.5, **HINTS, **TWICE, **PARTS},
    "grid, all, hints, vppo, shared": {
        **GRID, "score_view": "all", **MASKED, **HINTS, "second_token_mask": 0.4,
        "second_sequence_weight": 0.9, "sampled_entropy": 0.06, "shared_prefix": True,
    },
    "split, own, text, k1 reward, correct, refill, twice": {
        **SPLIT, "score_view": "own", **TEXT, "second_estimator": "k1", "second_reward": -0.5,
        **RIGHT, **REFILL, **TWICE,
    },
    "grid, all, masked, advantage, cispo": {
        **GRID, "score_view": "all", **MASKED, "second_advantage": 0.3, "loss_type": "cispo",
        "epsilon_high": 3.0,
    },
    "rotation, own, text, exact": {
        **GRID, "noise_kind": "rotation", "score_view": "own", **TEXT, **EXACT,
    },
    "rotation, clean, masked, exact, refill": {
        **GRID, "noise_kind": "rotation", **MASKED, **EXACT, **REFILL,
    },
    "distractor, own, refill, adapter, twice": {
        **SPLIT, "noise_kind": "distractor", "score_view": "own", **REFILL, **LORA, **TWICE,
    },
    "split, all, entropy, refill, parts": {
        **SPLIT, "score_view": "all", "sampled_entropy": 0.5, **REFILL, **PARTS,
    },
    "grid, all, full, both, adapter, twice, shared": {
        **GRID, "score_view": "all", **MASKED, **EXACT, "second_estimator": "full", **LORA, **TWICE,
        "shared_prefix": True,
    },
    "split, all, both sides, entropies, parts, shared": {
        **SPLIT, "score_view": "all", **TEXT, **EXACT, "second_entropy": 0.3, **PARTS,
        "sampled_entropy": 0.2, "shared_prefix": True,
    },
    "mixup, all, full, weights, correct, refill": {
        **SPLIT, "noise_kind": "mixup", "score_view": "all", **MASKED, "second_estimator": "full",
        "second_token_weight": 1.0, "second_reward": 0.5, **RIGHT, **REFILL,
    },
    "own, detached, hints, adapter": {
        **UNIFORM, "score_view": "own", **HINTS, **LORA, **MASKED, "second_loss": 0.5,
        "second_gradient": "clean",
    },
    "geometric, exact, old entropies, checkpointed": {
        **GRID, **MASKED, **EXACT, "second_gradient": "clean", "view_correction": "geometric",
        "view_correction_limit": 1.02, "gradient_checkpointing": True, **PARTS,
    },
    "all, current second without gradient, weights, twice": {
        **UNIFORM, "score_view": "all", **TEXT, **EXACT, "second_gradient": "clean", **TWICE,
        "second_sequence_weight": 0.5,
    },
}  # fmt: skip


def run(folder, name):
    """Train on one batch; return trainer, oracle, and what was trained on with its rewards."""
    changes = {"max_steps": 1, **COMBINATIONS[name]}
    hinted = "hint_levels" in changes
    data = hinted_rows(6, (1, 2)) if hinted else tiny_rows(8, (1, 0, 2))
    rewards = (hit,) if hinted else (silent,) if "groups" in changes else (by_row_and_rollout,)
    settings = {"optim": "sgd", "learning_rate": 0.5, "max_grad_norm": 1e9} | changes
    torch.manual_seed(0)
    trainer = make(folder, data, rewards, lr_scheduler_type="constant", **settings)
    with torch.no_grad():  # pictures count for something
        for value in trainer.model.parameters():
            value.mul_(4 if value.ndim > 1 else 1)
    oracle, record, seen = Oracle(trainer, changes.get("lora")), trainer._recorder.rollouts, []
    trainer._recorder.rollouts = lambda batch, *rest: (seen.append(batch), record(batch, *rest))
    keep_samples(trainer)
    trainer.train()
    (batch,) = seen
    return trainer, oracle, batch


def silent(example_id, rollout_index, **columns):
    """Equal in the groups of every third row."""
    rows = [int(name.split("-")[1]) for name in example_id]
    pairs = zip(rows, rollout_index, strict=True)
    return [1.0 if row % 3 == 2 else float((row + index * index) % 5) for row, index in pairs]


@pytest.mark.parametrize("name", COMBINATIONS)
def test_an_update_is_that_of_the_formulas(tmp_path, name):
    trainer, oracle, batch = run(tmp_path, name)
    before = {key: value.clone() for key, value in oracle.model.named_parameters()}
    rewards = batch.rewards[:, 0].tolist()
    right = [float(value >= (trainer.args.correct_at or 0)) for value in rewards]
    oracle.train(batch.rollouts, rewards, right)
    found, moved = dict(trainer.model.named_parameters()), 0.0
    for key, value in oracle.model.named_parameters():
        change, wanted = found[key] - before[key], value - before[key]
        apart = (change - wanted).norm().item()
        assert apart <= 2e-3 * wanted.norm().item() + 2e-5, key
        moved = max(moved, wanted.norm().item())
    assert moved > 1e-2
