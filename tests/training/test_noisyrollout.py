"""NoisyRollout in the trainer: one noisy picture per prompt and step, fading as published."""

import json

import pytest

from tiny import tiny_rows
from tiny_trainer import by_index, make


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("clean", [None, 1, 3, 4])
def test_noisy_rollouts_share_one_picture(tmp_path, clean):
    changes = {"noise_decay": "none", "clean_rollouts": clean, "max_steps": 2}
    make(tmp_path, tiny_rows(4, images=(1, 2)), method="noisyrollout", **changes).train()
    records = lines(tmp_path / "rollouts.jsonl")
    first = 2 if clean is None else clean
    pictures = set()
    for start in range(0, len(records), 4):
        group = records[start : start + 4]
        assert [record["noise_level"] for record in group] == [0.0] * first + [0.5] * (4 - first)
        assert all(record["noise_seed"] == [] for record in group[:first])
        seeds = {tuple(record["noise_seed"]) for record in group[first:]}
        assert len(seeds) == min(4 - first, 1)
        pictures |= seeds
    assert len(pictures) == (4 if first < 4 else 0)  # a new one for each prompt and step


def level_of_last(trainer, rows):
    with trainer._making(rows) as batch:
        return batch.rollouts[-1].view.level


def test_noise_fades_by_the_published_schedule(tmp_path):
    """7B on Geometry3K: level .5, coefficient 30, half at step 40 of 60, counted from 1."""
    rows = tiny_rows(2)
    trainer = make(tmp_path, rows, method="noisyrollout", max_steps=60)
    trainer.state.max_steps = 60
    found = {}
    for step in (1, 15, 30, 35, 40, 45, 60):
        trainer.state.global_step = step - 1
        found[step] = level_of_last(trainer, [rows[0]] * 4)
    # The released code truncates 1000 times the level: 499, 499, 496, 462, 250, 37, 0.
    published = {1: 499, 15: 499, 30: 496, 35: 462, 40: 250, 45: 37, 60: 0}
    assert {step: int(1000 * level) for step, level in found.items()} == published


def test_several_optimizer_steps_share_a_level(tmp_path):
    changes = {"noise_decay": "linear", "num_iterations": 2, "max_steps": 4, "epsilon_high": 0.28}
    trainer = make(tmp_path, method="noisyrollout", entropy_coef=1e-3, **changes)
    trainer.train()
    top = [record["noise_level"] for record in lines(tmp_path / "rollouts.jsonl")][3::8]
    assert top == [0.25, 0.0]  # .5 (1 - t / T) for batches 1 and 2 of 2
    assert trainer.state.log_history[0]["entropy_coef"] == 1e-3


def test_entropy_bonus_counts_with_shared_prefixes(tmp_path):
    changes = {"entropy_coef": 0.5, "max_steps": 1, "optim": "sgd", "learning_rate": 0.1}
    results = []
    for shared in (False, True):
        trainer = make(tmp_path / str(shared), None, (by_index,), shared_prefix=shared, **changes)
        trainer.train()
        results.append(trainer.state.log_history[0])
    assert results[0]["loss"] == pytest.approx(results[1]["loss"], abs=1e-6)
    assert results[0]["grad_norm"] == pytest.approx(results[1]["grad_norm"], rel=1e-4)
    plain = make(tmp_path / "plain", None, (by_index,), **{**changes, "entropy_coef": 0.0})
    plain.train()
    assert plain.state.log_history[0]["grad_norm"] != results[0]["grad_norm"]
