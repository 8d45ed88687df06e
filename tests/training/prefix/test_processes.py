"""Shared prefixes on two processes, groups split between them, train as rows on one process do."""

import sys
from pathlib import Path

from two_processes import assert_same_training, by_row_and_rollout, keep_samples, leave, run_on_two


def train(output_dir, per_device, shared):
    from noisygrpo.training.config import NoisyGRPOConfig
    from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
    from tiny_trainer import build_trainer

    model, processor = tiny_qwen25vl()
    settings = tiny_settings(
        output_dir,
        per_device_train_batch_size=per_device,
        num_generations=4,
        max_steps=3,
        generation_kwargs={"do_sample": False},  # processes draw different samples, but not here
        optim="sgd",
        learning_rate=0.1,
        shared_prefix=shared,
    )
    rows = tiny_rows(9, images=(1, 0, 2))
    trainer = build_trainer(
        model, processor, NoisyGRPOConfig(**settings), rows, [by_row_and_rollout]
    )
    keep_samples(trainer)
    trainer.train()
    assert bool(trainer._scorer.shared) == shared
    trainer.save_model(str(output_dir))


def test_two_processes_with_shared_prefixes_are_one_without(tmp_path):
    """12 rollouts a step: each process has one whole group and half of the one in the middle."""
    train(tmp_path / "one", 12, shared=False)
    run_on_two(__file__, tmp_path / "two")
    assert_same_training(tmp_path / "one", tmp_path / "two")


if __name__ == "__main__":
    train(Path(sys.argv[1]), per_device=6, shared=True)
    leave()
