"""Two processes with DeepSpeed's ZeRO-2 and ZeRO-3 train as one process does; gloo, on a CPU.

``sharded.py`` says what is run. The launcher, its files and DeepSpeed's engine are the real ones.
"""

import pytest

from sharded import RUNS, launch, train_alone
from sharded_outcome import compare, compare_resumed


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return train_alone(tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module", params=["zero2", "zero3"])
def zero(request, tmp_path_factory):
    return launch(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("name", RUNS)
def test_zero_trains_as_one_process(alone, zero, name):
    compare(alone / name, zero / name)


def test_zero_resumes_where_it_stopped(zero):
    compare_resumed(zero)
