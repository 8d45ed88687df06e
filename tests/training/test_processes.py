"""The same noise, groups, advantages and update on one process, on two, and with loader workers."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from two_processes import (
    assert_same_training,
    by_row_and_rollout,
    keep_samples,
    leave,
    outcome,
    run_on_two,
)


def train(output_dir, per_device, workers=0):
    from noisygrpo.training.config import NoisyGRPOConfig
    from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
    from tiny_trainer import build_trainer

    model, processor = tiny_qwen25vl()
    settings = tiny_settings(
        output_dir,
        method="noisygrpo",
        view_plan="uniform",
        per_device_train_batch_size=per_device,
        max_steps=3,
        dataloader_num_workers=workers,
        generation_kwargs={"do_sample": False},  # processes draw different samples, but not here
        log_view_ratio=True,
        level_weight="shown",
        luck_weight=0.5,
        off_view_negatives="clip",
        optim="sgd",
        learning_rate=0.1,
    )
    rows = tiny_rows(8, images=(1, 0, 2))
    trainer = build_trainer(
        model, processor, NoisyGRPOConfig(**settings), rows, [by_row_and_rollout]
    )
    keep_samples(trainer)
    trainer.train()
    trainer.save_model(str(output_dir))


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    train(folder, per_device=8)
    return folder


def test_loader_workers_change_nothing(tmp_path, one_process):
    train(tmp_path, per_device=8, workers=2)
    assert outcome(tmp_path)[0] == outcome(one_process)[0]
    one, other = (load_file(path / "model.safetensors") for path in (one_process, tmp_path))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_two_processes_are_one(tmp_path, one_process):
    run_on_two(__file__, tmp_path)
    (rollouts, metrics), expected = outcome(tmp_path), outcome(one_process)
    assert len(rollouts) == 3 * 8
    assert rollouts == expected[0]  # levels, seeds, completions, rewards, advantages
    assert any(record["noise_level"] for record in rollouts)
    names = [
        name
        for name in metrics[0]
        if name.startswith(("reward", "advantage", "view_ratio", "level"))
    ]
    assert len(names) > 8 and any(name.startswith("level/offset") for name in metrics[1])
    for entry, other in zip(metrics, expected[1], strict=True):
        for name in set(names) & entry.keys():
            assert entry[name] == pytest.approx(other[name], abs=1e-5), name
    assert_same_training(one_process, tmp_path)


if __name__ == "__main__":
    train(Path(sys.argv[1]), per_device=4)
    leave()
