"""Lets torchvision's build for GPUs be imported beside a CPU torch; elsewhere nothing is collected.

Transformers 4 makes the video part of a processor whether it is asked for or not, and that needs
torchvision. Its C++ operators are missing beside a CPU torch, and its import looks two of them up:
declaring their schemas is enough, as nothing here calls them.
"""

import os

import torch

collect_ignore_glob = [] if "FOLDERS" in os.environ else ["test_*.py"]

if "FOLDERS" in os.environ and not torch.cuda.is_available():
    LIBRARY = torch.library.Library("torchvision", "DEF")
    LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
