"""Two processes with weights sharded by FSDP2 train as one process does; gloo, on a CPU.

``sharded.py`` says what is run. The launcher, its file, Accelerate's preparation of the model and
``torch.distributed.fsdp.fully_shard`` are the real ones.
"""

import pytest

from sharded import RUNS, launch, train_alone
from sharded_outcome import compare, compare_resumed


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return train_alone(tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def fsdp(tmp_path_factory):
    return launch("fsdp2", tmp_path_factory.mktemp("fsdp"))


@pytest.mark.parametrize("name", RUNS)
def test_fsdp_trains_as_one_process(alone, fsdp, name):
    compare(alone / name, fsdp / name)


def test_fsdp_resumes_where_it_stopped(fsdp):
    compare_resumed(fsdp)
