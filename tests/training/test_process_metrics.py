"""On several processes every rank has the same metrics, and a rank without any image goes along."""

import json
import sys
from pathlib import Path

import pytest

from two_processes import assert_same_training, by_row_and_rollout, keep_samples, leave, run_on_two

RUNS = {
    "view ratio": {"log_view_ratio": True},
    "gradient checkpointing": {
        "gradient_checkpointing": True,
        "beta": 0.0,
        "log_completions": True,
    },
}

OWN = ("time/", "step_time", "tokens_per_second", "train_", "memory/", "profiling/")
"""Metrics of a process's own clock."""


def train(output_dir, per_device, **changes):
    """Two prompts a step, one with an image and one without: of two ranks one is text-only."""
    from noisygrpo.training.config import NoisyGRPOConfig
    from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
    from tiny_trainer import build_trainer

    model, processor = tiny_qwen25vl()
    settings = tiny_settings(
        output_dir,
        method="noisygrpo",
        view_plan="uniform",
        per_device_train_batch_size=per_device,
        max_steps=2,
        shuffle_dataset=False,
        generation_kwargs={"do_sample": False},  # processes draw different samples, but not here
        optim="sgd",
        learning_rate=0.1,
        **changes,
    )
    rows = tiny_rows(4, images=(1, 0))
    trainer = build_trainer(
        model, processor, NoisyGRPOConfig(**settings), rows, [by_row_and_rollout]
    )
    keep_samples(trainer)
    trainer.train()
    rank = trainer.accelerator.process_index
    lines = [json.dumps(entry) for entry in trainer.state.log_history]
    (Path(output_dir) / f"rank-{rank}.jsonl").write_text("\n".join(lines))
    trainer.save_model(str(output_dir))


def history(folder, rank):
    lines = (folder / f"rank-{rank}.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if not name.startswith(OWN)}
        for line in lines
    ]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    run_on_two(__file__, folder)
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_ranks_agree_and_equal_one_process(tmp_path, two_processes, name):
    one, two = tmp_path, two_processes / name
    train(one, 8, **RUNS[name])
    first, second, alone = history(two, 0), history(two, 1), history(one, 0)
    assert len(first) == len(second) == len(alone) >= 2
    for entry, other in zip(first, second, strict=True):
        assert entry == pytest.approx(other, abs=1e-6, nan_ok=True)
    for entry, expected in zip(first, alone, strict=True):
        for name in entry.keys() & expected.keys():
            assert entry[name] == pytest.approx(expected[name], abs=1e-4, nan_ok=True), name
    assert_same_training(one, two)


if __name__ == "__main__":
    for run in RUNS:
        train(Path(sys.argv[1]) / run, per_device=4, **RUNS[run])
    leave()
