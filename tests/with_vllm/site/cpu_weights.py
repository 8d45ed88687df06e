"""Lets weights be sent to vLLM, and loaded by it again, without a GPU. For tests only.

TRL and vLLM build a group of the trainer (rank 0) and of vLLM's workers, and hand it to an NCCL
communicator, which wants a GPU at both ends. Only this communicator is replaced, by gloo on the
same group, and the CUDA streams that it works on, by nothing. What is sent, when, and what becomes
of it is TRL's and vLLM's own code.

On a CPU vLLM also packs the weights of linear layers for its kernels, so that those loaded later
would not all be used; on a GPU it keeps them as they are.

Importing this changes the process. A server's workers import it for
``--worker-extension-cls cpu_weights.Extension``.
"""

from datetime import timedelta

import torch
from torch.distributed import BroadcastOptions, PrefixStore, ProcessGroupGloo
from vllm.distributed.device_communicators import pynccl
from vllm.distributed.weight_transfer import packed_tensor
from vllm.model_executor.layers import utils as layers

WAIT = timedelta(minutes=5)


class GlooCommunicator:
    """What TRL and vLLM use of ``PyNcclCommunicator``."""

    def __init__(self, group, device):
        self.group = group
        store = PrefixStore("weights", group.store)
        self.gloo = ProcessGroupGloo(store, group.rank, group.world_size, WAIT)

    def broadcast(self, tensor, src, stream=None):
        options = BroadcastOptions()
        options.rootRank, options.rootTensor = src, 0
        self.gloo.broadcast([tensor], options).wait()


class NoStream:
    """A CUDA stream where every operation has ended when it returns."""

    def synchronize(self):
        pass


class Extension:
    """Nothing: vLLM's worker imports this module to find it."""


def plain_linear(layer, remove_weight):
    layer.cpu_linear = torch.nn.functional.linear


pynccl.PyNcclCommunicator = GlooCommunicator
packed_tensor._get_streams = lambda device, count: (NoStream(),) * count
torch.accelerator.current_device_index = lambda: 0
layers.dispatch_cpu_unquantized_gemm = plain_linear
