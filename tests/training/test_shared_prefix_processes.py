"""Shared prefixes on two processes, groups split between them, train as rows on one process do."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent


def by_row_and_rollout(example_id, rollout_index, **columns):
    """A reward that depends on whose rollout it is and nothing else."""
    pairs = zip(example_id, rollout_index, strict=True)
    return [float((int(name.split("-")[1]) * 3 + index * index) % 5) for name, index in pairs]


def train(output_dir, per_device, shared):
    from noisygrpo.training.config import NoisyGRPOConfig
    from noisygrpo.training.run import build_trainer
    from tiny import tiny_qwen25vl, tiny_rows, tiny_settings

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
    trainer.train()
    assert bool(trainer._states) == shared
    trainer.save_model(str(output_dir))


def test_two_processes_with_shared_prefixes_are_one_without(tmp_path):
    """12 rollouts a step: each process has one whole group and half of the one in the middle."""
    train(tmp_path / "one", 12, shared=False)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *sys.path])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    result = subprocess.run(
        [*command, __file__, str(tmp_path / "two")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.allclose(value, two[name], atol=1e-6), name


if __name__ == "__main__":
    train(Path(sys.argv[1]), per_device=6, shared=True)
