"""Two processes with DeepSpeed's ZeRO-2 and ZeRO-3 train as one process does; gloo, on a CPU.

``sharded.py`` says what is run. The launcher, its files and DeepSpeed's engine are the real ones.
"""

import pytest
import torch
from transformers import Qwen2_5_VLForConditionalGeneration

from noisygrpo.models.merge import merge_checkpoint
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


def test_a_checkpoint_in_shards_becomes_one_folder(zero, model_folder, tmp_path):
    """By DeepSpeed's own converter; the last checkpoint has the weights of the run's end."""
    found = sorted((zero / "shared").glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    assert list(found[-1].glob("global_step*/*_states.pt"))
    # What the trainer wrote beside the shards is taken away: they alone are read.
    for path in found[-1].glob("*.safetensors"):
        path.unlink()
    merged, layout = merge_checkpoint(str(found[-1]), str(tmp_path / "out"), base=model_folder)
    assert layout == "DeepSpeed"
    paths = (merged, zero / "shared" / "checkpoint")
    one, two = (Qwen2_5_VLForConditionalGeneration.from_pretrained(p).state_dict() for p in paths)
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name
