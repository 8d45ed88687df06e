"""``noisygrpo env``: the versions and devices that a bug report needs."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import metadata

SUMMARY = "Print versions and devices, for a bug report."
TAKES_RECIPE = False

PACKAGES = (
    "noisygrpo",
    "torch",
    "transformers",
    "trl",
    "accelerate",
    "datasets",
    "peft",
    "math-verify",
    "sentence-transformers",
    "vllm",
    "deepspeed",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def environment() -> dict[str, str]:
    """Name to version of Python, the packages that matter, and the devices."""
    import torch

    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    found["threads"] = str(torch.get_num_threads())
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    found["gpus"] = ", ".join(devices) or "none"
    found["processes"] = os.environ.get("WORLD_SIZE", "1")
    return found


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    for name, value in environment().items():
        print(f"{name:22} {value}")
    return 0
