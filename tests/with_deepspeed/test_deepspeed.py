"""Two processes with DeepSpeed's ZeRO-2 and ZeRO-3 train as one process does; gloo, on a CPU.

``sharded.py`` says what is run. The launcher, its files and DeepSpeed's engine are the real ones.
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


@pytest.fixture(scope="module", params=["zero2", "zero3"])
def zero(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    launch(request.param, folder)
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_zero_trains_as_one_process(alone, zero, name):
    compare(alone / name, zero / name)


def test_zero_resumes_where_it_stopped(zero):
    whole, resumed = (parameters(zero / name / "checkpoint") for name in ("shared", "resumed"))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
