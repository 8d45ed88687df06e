"""Versions and devices of a run: what a result depends on and a bug report needs."""

from __future__ import annotations

import os
import platform
from importlib import metadata

PACKAGES = (
    "noisygrpo",
    "torch",
    "transformers",
    "pillow",
    "torchvision",
    "trl",
    "accelerate",
    "datasets",
    "peft",
    "math-verify",
    "sentence-transformers",
    "vllm",
    "deepspeed",
)


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
