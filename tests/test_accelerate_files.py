"""The shipped accelerate files are what accelerate reads, and docs/scaling.md names them all."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DistributedType
from accelerate.utils.launch import prepare_multi_gpu_env

from noisygrpo.runs.interrupt import NOT_FINISHED

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "examples" / "accelerate").glob("*.yaml"))
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
TYPES = {
    "ddp": DistributedType.MULTI_GPU,
    "fsdp2": DistributedType.FSDP,
    "zero2": DistributedType.DEEPSPEED,
    "zero2_offload": DistributedType.DEEPSPEED,
    "zero3": DistributedType.DEEPSPEED,
    "zero3_offload": DistributedType.DEEPSPEED,
}


def test_there_is_a_file_for_each_strategy():
    assert [path.stem for path in FILES] == sorted(TYPES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_read_whole(path):
    config = load_config_from_file(str(path))
    assert isinstance(config, ClusterConfig)
    assert config.distributed_type == TYPES[path.stem]
    assert config.mixed_precision == "bf16"
    assert (config.num_machines, config.num_processes) == (1, 8)
    given = yaml.safe_load(path.read_text())
    assert {key: vars(config)[key] for key in given if key.endswith("_config")} == {
        key: value for key, value in given.items() if key.endswith("_config")
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_launch_knows_every_option(path):
    """Every key of the nested sections is an option of the launcher, so none is ignored."""
    options = vars(launch_command_parser().parse_args(["-m", "noisygrpo"]))
    given = yaml.safe_load(path.read_text())
    for section in ("fsdp_config", "deepspeed_config"):
        for key in given.get(section, {}):
            assert key in options, key


def test_launch_takes_the_values(monkeypatch):
    def read(name):
        words = ["--config_file", str(ROOT / "examples" / "accelerate" / f"{name}.yaml")]
        args = launch_command_parser().parse_args(
            [*words, "-m", "noisygrpo", "train", "playground"]
        )
        return _validate_launch_command(args)[0]

    fsdp = read("fsdp2")
    assert (fsdp.use_fsdp, fsdp.fsdp_version) == (True, 2)
    assert str(fsdp.fsdp_reshard_after_forward).lower() == "true"
    zero = read("zero3_offload")
    assert (zero.use_deepspeed, zero.zero_stage) == (True, 3)
    assert (zero.offload_optimizer_device, zero.offload_param_device) == ("cpu", "none")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_page_has_the_command(path):
    assert f"--config_file examples/accelerate/{path.name}" in PAGE


def test_the_page_names_no_file_that_is_missing():
    for name in re.findall(r"examples/[\w/.]+\w", PAGE):
        assert (ROOT / name).is_file(), name


SCRIPT = (ROOT / "examples" / "slurm" / "train.sbatch").read_text()


def test_the_job_script_starts_or_goes_on_and_is_queued_again():
    assert SCRIPT.startswith("#!/bin/bash\n#SBATCH")
    assert "#SBATCH --signal=TERM@" in SCRIPT and "#SBATCH --requeue" in SCRIPT
    assert 'python -m noisygrpo train "$@" --auto-resume' in SCRIPT
    assert f'"$code" -eq {NOT_FINISHED} ]' in SCRIPT and "scontrol requeue" in SCRIPT
    assert subprocess.run(["bash", "-n"], input=SCRIPT, text=True, check=False).returncode == 0


def test_the_job_script_shards_as_the_file_does(monkeypatch):
    words = ["--config_file", str(ROOT / "examples" / "accelerate" / "fsdp2.yaml")]
    args = launch_command_parser().parse_args([*words, "-m", "noisygrpo"])
    meant = prepare_multi_gpu_env(_validate_launch_command(args)[0])
    given = dict(re.findall(r"\b((?:FSDP|ACCELERATE)_\w+)=(\w+)", SCRIPT))
    assert given == {name: meant[name] for name in given}
    unset = {name for name in meant if name.startswith("FSDP_")} - {*given}
    assert unset == {  # of FSDP 1, or their defaults
        "FSDP_ACTIVATION_CHECKPOINTING_OFFLOAD",
        "FSDP_FORWARD_PREFETCH",
        "FSDP_MIN_NUM_PARAMS",
        "FSDP_SHARDING_STRATEGY",
        "FSDP_USE_ORIG_PARAMS",
    }
