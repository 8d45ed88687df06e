"""Which precision a run computes in, where nothing is said and where it cannot be had."""

import logging
from typing import TYPE_CHECKING

import torch
from transformers.utils import is_torch_bf16_gpu_available, is_torch_xla_available

from noisygrpo.errors import require

if TYPE_CHECKING:
    from noisygrpo.training.config import NoisyGRPOConfig

logger = logging.getLogger(__name__)


def choose_precision(config: "NoisyGRPOConfig") -> None:
    """Train in 32 bits where TRL's default, bfloat16, is not to be had; refuse what is asked for.

    Raises:
        UserError: ``bf16`` or ``fp16`` is on, and this machine has it not.
    """
    if is_torch_xla_available():
        return
    gpu = torch.accelerator.is_available() and not config.use_cpu
    require(not config.fp16 or gpu, "fp16: true needs a GPU; leave it out")
    if config.use_cpu or is_torch_bf16_gpu_available():
        return
    if config.bf16 is None and not config.fp16:
        config.bf16 = False
        logger.warning("bf16: no GPU here has it, so this trains in 32 bits (bf16: false)")
    for name in ("bf16", "bf16_full_eval"):
        require(
            not vars(config)[name],
            f"{name}: true needs a GPU with bfloat16, and there is none here; set it to false, or "
            "use_cpu to true to train in bfloat16 on the CPU",
        )
