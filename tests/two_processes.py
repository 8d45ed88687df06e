"""Running a test's own file as two gloo processes, on which numbers can be compared with one.

Greedy completions of a random model are alike, and alike completions cancel in the gradient. So
what is trained on are words that depend on the rollout (``keep_samples``); what ``generate`` gave
is kept aside.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import torch
from accelerate.utils import gather_object
from safetensors.torch import load_file


def by_row_and_rollout(example_id, rollout_index, **columns):
    """A reward that depends on whose rollout it is and nothing else."""
    pairs = zip(example_id, rollout_index, strict=True)
    return [float((int(name.split("-")[1]) * 3 + index * index) % 5) for name, index in pairs]


def words(rollout, step):
    """Return one to six letters that depend on whose rollout it is and nothing else."""
    draw = random.Random(f"{rollout.example_id} {rollout.index} {step}")
    return [draw.randrange(64, 90) for _ in range(draw.randint(1, 6))]


def keep_samples(trainer):
    """Train on ``words``; return the list of what is sampled instead, over all processes."""
    sampled, engine, ladder = [], trainer._engine, trainer._hints
    real, step = engine.sample, lambda: trainer.state.global_step

    def sample(rollouts, *inputs):
        ids, log_probs = real(rollouts, *inputs)
        sampled.append(gather_object(ids))
        return [words(rollout, step()) for rollout in rollouts], log_probs

    def enter_words(climb, level, turns, ids, samples, judge):
        own = [words(climb.rollouts[row], step()) for row, _ in turns]
        sampled.append([])
        enter(climb, level, turns, ids, (own, samples[1]), judge)

    if ladder is None:
        engine.sample = sample
    else:  # which rows are sampled at a level is known here
        enter, ladder._enter = ladder._enter, enter_words
    return sampled


def leave():
    """End together: a process whose threads still talk when it exits is aborted by C++."""
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def run_on_two(file, *arguments):
    """Run ``file arguments`` on two processes."""
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    run_module(*launcher, str(file), *map(str, arguments))


def run_module(*words, **environment):
    """Run a launcher on the CPU; a failure shows the end of what it and its processes said."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **environment}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    result = subprocess.run(
        [sys.executable, "-m", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,  # minutes go by where the machine is busy
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


def assert_same_training(one, two):
    """Check that two runs of several steps moved the parameters, and to the same place."""
    lines = [json.loads(line) for line in (one / "metrics.jsonl").read_text().splitlines()]
    assert max(line.get("grad_norm", 0.0) for line in lines) > 0.01
    first, second = (load_file(folder / "model.safetensors") for folder in (one, two))
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.allclose(value, second[name], atol=1e-6), name
