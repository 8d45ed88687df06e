"""Makes the registry's torchvision importable beside a CPU torch, in this and every child process.

Its C++ operators are missing there, and its import fails when it looks two of them up. Declaring
their schemas is enough, as nothing here calls them. Users with a GPU have a torchvision that works.
"""

import importlib.util

import torch

if importlib.util.find_spec("vllm") and not torch.cuda.is_available():
    LIBRARY = torch.library.Library("torchvision", "DEF")
    LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
