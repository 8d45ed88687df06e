"""Running a test's own file as two gloo processes, on which numbers can be compared with one.

Greedy completions of a random model are alike, and alike completions cancel in the gradient. So
what is trained on are words that depend on the rollout (``keep_samples``); what ``generate`` gave
is kept aside.
"""

import json
import multiprocessing
import os
import random
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from multiprocessing import connection
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
    """Train on ``words``; return the list of what is sampled instead, over all processes.

    Nothing sampled these, so they come without log-probs.
    """
    sampled, engine, ladder = [], trainer._engine, trainer._hints
    real, step = engine.sample, lambda: trainer.state.global_step

    def sample(rollouts, *inputs):
        ids, _ = real(rollouts, *inputs)
        sampled.append(gather_object(ids))
        return [words(rollout, step()) for rollout in rollouts], None

    def enter_words(climb, level, turns, ids, samples, judge):
        own = [words(climb.tried[row][0], step()) for row, _ in turns]
        sampled.append([])
        enter(climb, level, turns, ids, (own, None), judge)

    if ladder is None:
        engine.sample = sample
    else:  # which rows are sampled at a level is known here
        enter, ladder._enter = ladder._enter, enter_words
    return sampled


def outcome(folder):
    """What a run logged: its rollouts, and its metrics."""
    rollouts = [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return rollouts, metrics


def leave():
    """End together: a process whose threads still talk when it exits is aborted by C++."""
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def forks():
    """Return what starts processes: forks of a server that has imported what takes long, and in
    which nothing has run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trl.trainer.grpo_trainer", "peft", "noisygrpo.runs.train"])
    return context


def run_on_two(file, *arguments):
    """Run ``file arguments`` on two processes as a launcher does."""
    context, port = forks(), free_port()
    words = [str(file), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        both = [context.Process(target=run_rank, args=(rank, port, log, words)) for rank in (0, 1)]
        for process in both:
            process.start()
        wait_for(both)
        said = log.read_text()
    assert [process.exitcode for process in both] == [0, 0], said[-4000:]


def fork_two(target, *arguments):
    """Run ``target(rank, port, *arguments)`` in two forks of this process, which must end well."""
    context, port = multiprocessing.get_context("fork"), free_port()
    both = [context.Process(target=target, args=(rank, port, *arguments)) for rank in (0, 1)]
    for process in both:
        process.start()
    wait_for(both, 240)
    assert [process.exitcode for process in both] == [0, 0]


def free_port():
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def place(rank, port):
    """Return the environment of one of two processes."""
    found = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    found |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    found |= {"OMP_NUM_THREADS": 1, "CUDA_VISIBLE_DEVICES": ""}
    return {key: str(value) for key, value in found.items()}


def run_rank(rank, port, log, words):
    """Be one of two processes, which say what they say to ``log``."""
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ |= place(rank, port)
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")


def wait_for(processes, seconds=900):  # minutes go by where the machine is busy
    """Wait for all to end; where one fails or the time is over, the others are ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        running = [process for process in processes if process.exitcode is None]
        if not running or any(process.exitcode for process in processes):
            break
        connection.wait([process.sentinel for process in running], timeout=10)
    for process in processes:
        process.kill()
        process.join()


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
