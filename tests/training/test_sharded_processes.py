"""Two processes with weights sharded by FSDP2 train as one process does; gloo, on a CPU.

``sharded.py`` says what is run. The launcher, its file, Accelerate's preparation of the model and
``torch.distributed.fsdp.fully_shard`` are the real ones.
"""

import pytest
import torch

from sharded import RUNS, launch, save_start, train
from sharded_outcome import compare, parameters


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    save_start(folder)
    for name in RUNS:
        train(folder / name, name)
    return folder


@pytest.fixture(scope="module")
def fsdp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fsdp")
    launch("fsdp2", folder)
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_fsdp_trains_as_one_process(alone, fsdp, name):
    compare(alone / name, fsdp / name)


def test_fsdp_resumes_where_it_stopped(fsdp):
    whole, resumed = (parameters(fsdp / name / "checkpoint") for name in ("shared", "resumed"))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
