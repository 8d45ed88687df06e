"""Checkpoints that two real processes wrote in shards become one folder."""

import os
import pickle
import shutil
import traceback

import pytest
import torch
from safetensors.torch import load_file

from noisygrpo.errors import UserError
from noisygrpo.models.shards import check_index, read_shards
from tiny import tiny_qwen25vl
from two_processes import fork_two


def write_shards(rank, port, place):
    """Be one of two processes that shard the model by FSDP2 and save it, as Accelerate and verl."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank)}
    os.environ |= {"WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    try:
        import torch.distributed.checkpoint as dcp
        from torch.distributed.checkpoint.state_dict import get_model_state_dict
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        torch.distributed.init_process_group("gloo")
        model, _ = tiny_qwen25vl(seed=5)
        mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("fsdp",))
        for layer in model.model.language_model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        assert sum(p.to_local().numel() for p in model.parameters()) < 0.6 * sum(
            p.numel() for p in model.parameters()
        )
        state = get_model_state_dict(model)
        dcp.save({"model": state}, checkpoint_id=place / "fsdp" / "pytorch_model_fsdp_0")
        name = f"model_world_size_2_rank_{rank}.pt"
        torch.save(model.state_dict(), place / "verl" / "actor" / name)
        torch.distributed.barrier()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # what pytest has registered for its own end is not this process's


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    place = tmp_path_factory.mktemp("shards")
    (place / "fsdp").mkdir()
    (place / "verl" / "actor").mkdir(parents=True)
    fork_two(write_shards, place)
    return place


def weights_of(folder):
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("layout", ["fsdp", "verl"])
def test_shards_become_the_model_that_they_are_of(shards, layout, model_folder, tmp_path, run_cli):
    words = ("merge", shards / layout, "--base", model_folder, "--output-dir", tmp_path / "out")
    status, said, error = run_cli(*words)
    assert status == 0, error
    assert f"the model of the shards ({layout.upper() if layout == 'fsdp' else layout})" in said
    tiny_qwen25vl(seed=5)[0].save_pretrained(tmp_path / "expected")
    expected, merged = weights_of(tmp_path / "expected"), weights_of(tmp_path / "out")
    assert expected.keys() == merged.keys()
    assert all(torch.equal(value, merged[name]) for name, value in expected.items())
    base = weights_of(tmp_path.__class__(model_folder))
    assert any(not torch.equal(value, merged[name]) for name, value in base.items())
    status, _, error = run_cli(*words[:-1], tmp_path / "half", "--dtype", "bfloat16")
    assert status == 0, error
    half = weights_of(tmp_path / "half")
    assert all(torch.equal(value.bfloat16(), half[name]) for name, value in expected.items())
    words = ("evaluate", "--model", tmp_path / "out", "--benchmark", "playground-test", "--rows", 1)
    status, _, error = run_cli(*words, "--max-new-tokens", 2, "--output-dir", tmp_path / "e")
    assert status == 0, error


def test_the_configuration_beside_the_shards_counts(shards, model_folder, tmp_path, run_cli):
    """Of verl's folders it is in ``huggingface``."""
    copy = tmp_path / "copy"
    shutil.copytree(shards / "verl", copy)
    words = ("merge", copy, "--output-dir", tmp_path / "out")
    status, _, error = run_cli(*words)
    assert status == 2 and "--base names the model" in error
    shutil.copytree(model_folder, copy / "actor" / "huggingface")
    status, _, error = run_cli(*words)
    assert status == 0, error


def test_what_is_missing_or_of_another_model(shards, model_folder, tmp_path, run_cli):
    copy = tmp_path / "copy"
    shutil.copytree(shards / "verl" / "actor", copy)
    words = ("merge", copy, "--base", model_folder, "--output-dir", tmp_path / "out")
    state = torch.load(copy / "model_world_size_2_rank_0.pt", weights_only=True)
    named = next(iter(state))
    for rank in (0, 1):
        path = copy / f"model_world_size_2_rank_{rank}.pt"
        state = torch.load(path, weights_only=True)
        del state[named]
        torch.save(state, path)
    status, _, error = run_cli(*words)
    assert status == 2 and "lacks 1 weights" in error and error.count("\n") == 1
    (copy / "model_world_size_2_rank_1.pt").unlink()
    status, _, error = run_cli(*words)
    assert status == 2 and "of 2 files those of the ranks [1] are missing" in error
    fsdp = tmp_path / "fsdp"
    shutil.copytree(shards / "fsdp", fsdp)
    next(fsdp.rglob("__1_0.distcp")).unlink()
    with pytest.raises(UserError, match="the shards of FSDP cannot be read"):
        read_shards(fsdp)


class Trap:
    """A pickle that runs code when it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


def test_a_pickle_that_is_no_data_is_refused_and_does_nothing(shards, tmp_path):
    marker = tmp_path / "the code ran"
    fsdp, verl = tmp_path / "fsdp", tmp_path / "verl"
    shutil.copytree(shards / "fsdp", fsdp)
    index = next(fsdp.rglob(".metadata"))
    whole = index.read_bytes()
    check_index(whole)
    for protocol in (0, 1, 2, 4, 5):
        index.write_bytes(pickle.dumps(Trap(marker), protocol))
        with pytest.raises(UserError, match=r"belongs to no index|cannot be read"):
            read_shards(fsdp)
    verl.mkdir()
    torch.save({"weight": Trap(marker)}, verl / "model_world_size_1_rank_0.pt")
    with pytest.raises(UserError, match="the shards of verl cannot be read"):
        read_shards(verl)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Trap(marker)))
    assert marker.exists()  # else nothing above could fail


# An index's own class, with the texts of another one out of sight: taken from the memo, or from
# below what is on top and then dropped.
HIDDEN = [
    b"\x80\x04\x8c\x02os\x94\x8c\x05mkdir\x940h\x00h\x01\x93.",
    b"\x80\x04\x8c\x02os\x8c\x05mkdir\x8c\x05torch\x8c\x04Size00\x93.",
    b"\x80\x04\x8c\x02os\x8c\x05mkdir\x8c\x05torch\x8c\x04Size\x8600\x93.",
    b"\x80\x04\x8c\x05torch\x8c\x04Size(\x8c\x02os\x8c\x05mkdirl0\x93.",
    b"\x80\x04\x8c\x02os2\x93.",
    b"cos\nmkdir\n.",
    b"(ios\nmkdir\n.",
    b"\x80\x04\x8c\x1ftorch.distributed.checkpoint.api\x8c\x08Metadata\x93.",
    b"\x80\x04\x8c\x05torch\x8c\x04load\x93.",
    b"\x80\x04\x93.",
]


@pytest.mark.parametrize("data", HIDDEN)
def test_a_class_that_is_hidden_is_found(data):
    with pytest.raises((ValueError, IndexError)):
        check_index(data)


def test_another_folder_has_no_shards(model_folder, tmp_path):
    assert read_shards(tmp_path) is None
    assert read_shards(tmp_path.__class__(model_folder)) is None
