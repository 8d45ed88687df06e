"""The shipped accelerate files are what accelerate reads, and docs/scaling.md names them all."""

import re
import shlex
import subprocess
from functools import partial
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DistributedType
from accelerate.utils.launch import prepare_multi_gpu_env

from noisygrpo.cli import split_overrides
from noisygrpo.recipes.recipe import load_recipe
from noisygrpo.recipes.settings import check_settings
from noisygrpo.runs.interrupt import NOT_FINISHED

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "examples" / "accelerate").glob("*.yaml"))
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
TYPES = {
    "ddp": DistributedType.MULTI_GPU,
    "fsdp2": DistributedType.FSDP,
    "fsdp2_offload": DistributedType.FSDP,
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


def test_the_script_of_seven_and_one_trains_the_published_recipes():
    """It is a script that bash can read, and what it gives the trainer the recipes take."""
    path = ROOT / "examples" / "hint_grpo_7_plus_1.sh"
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0
    script = path.read_text().replace("\\\n", " ")
    (line,) = (line for line in script.splitlines() if "-m noisygrpo train" in line)
    words = shlex.split(line)
    assert words[0] == "CUDA_VISIBLE_DEVICES=0,1,2,3,4,5,6" and "CUDA_VISIBLE_DEVICES=7" in script
    assert (ROOT / words[words.index("--config_file") + 1]).is_file()
    given = words[words.index("$recipe") + 1 : words.index("$@")]
    assert "--training.use_vllm" in given
    _, overrides = split_overrides(["train", *given])
    for name in ("hint-grpo-qwen2vl-7b", "hint-grpo-qwen25vl-3b"):
        recipe = load_recipe(name, overrides, partial(check_settings, here=False))
        assert recipe.training["vllm_mode"] == "server"


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
