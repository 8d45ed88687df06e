"""Running a test's own file as two gloo processes, and a reward that any process computes alike."""

import os
import subprocess
import sys
from pathlib import Path


def by_row_and_rollout(example_id, rollout_index, **columns):
    """A reward that depends on whose rollout it is and nothing else."""
    pairs = zip(example_id, rollout_index, strict=True)
    return [float((int(name.split("-")[1]) * 3 + index * index) % 5) for name, index in pairs]


def run_on_two(file, *arguments, timeout=900):
    """Run ``file arguments`` on two processes; a failure shows the end of what they said."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    result = subprocess.run(
        [*command, str(file), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert result.returncode == 0, result.stderr[-3000:]
