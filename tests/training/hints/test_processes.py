"""Hint levels are selected alike on one process and on two, between which a group is split."""

import sys
from pathlib import Path

import pytest

from two_processes import assert_same_training, keep_samples, leave, outcome, run_on_two

REASONING = "Step 1: look. Step 2: count. Step 3: two."


def right_from_some_level_on(example_id, hint_level, rollout_index, **columns):
    """A reward of what the batch is, not of what the model writes: rows need level 0 to 3."""
    every = zip(example_id, hint_level, rollout_index, strict=True)
    return [
        float(level >= int(name.split("-")[1]) % 4 and index != 2) for name, level, index in every
    ]


def train(output_dir, per_device, early):
    from noisygrpo.training.config import NoisyGRPOConfig
    from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
    from tiny_trainer import build_trainer

    model, processor = tiny_qwen25vl()
    settings = tiny_settings(
        output_dir,
        method="noisyrollout",
        noise_decay="none",
        hint_levels=3,
        hint_stop_early=early,
        per_device_train_batch_size=per_device,
        max_steps=3,
        generation_kwargs={"do_sample": False},  # processes draw different samples, but not here
        optim="sgd",
        learning_rate=0.1,
    )
    rows = tiny_rows(8, images=(1, 0, 2)).remove_columns("reasoning")
    rows = rows.add_column("reasoning", [REASONING if n % 3 else "" for n in range(8)])
    config, reward = NoisyGRPOConfig(**settings), right_from_some_level_on
    trainer = build_trainer(model, processor, config, rows, [reward])
    keep_samples(trainer)
    trainer.train()
    trainer.save_model(str(output_dir))


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    run_on_two(__file__, folder)
    return folder


@pytest.mark.parametrize("early", [True, False])
def test_two_processes_select_as_one(tmp_path, two_processes, early):
    train(tmp_path, per_device=12, early=early)
    expected = outcome(tmp_path)
    rollouts, metrics = outcome(two_processes / str(early))
    assert rollouts == expected[0]  # levels, hints, noise, completions, rewards, advantages
    assert {record["hint_level"] for record in rollouts} >= {0, 1}
    assert any(record["noise_level"] and record["hint"] for record in rollouts)
    names = [name for name in metrics[0] if name.startswith(("reward", "advantage", "hint"))]
    assert len(names) > 8
    for entry, other in zip(metrics, expected[1], strict=True):
        for name in {*names, "num_tokens"} & entry.keys():
            assert entry[name] == pytest.approx(other[name], abs=1e-5), name
    assert_same_training(tmp_path, two_processes / str(early))


if __name__ == "__main__":
    for kind in (True, False):
        train(Path(sys.argv[1]) / str(kind), per_device=6, early=kind)
    leave()
