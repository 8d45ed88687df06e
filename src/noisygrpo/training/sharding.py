"""What changes where each process holds a part of the weights (FSDP, DeepSpeed's ZeRO-3)."""

from dataclasses import replace
from typing import Any


def weights_sharded(trainer: Any) -> bool:
    """Tell whether a process holds a part of the weights, so that all run forwards together."""
    plugin = trainer.accelerator.state.deepspeed_plugin if trainer.is_deepspeed_enabled else None
    return trainer.is_fsdp_enabled or (plugin is not None and plugin.zero_stage == 3)


def keep_output_dtype(trainer: Any) -> None:
    """Let a model sharded by FSDP2 return what it computed, in its own type.

    Under ``mixed_precision: bf16`` Accelerate has every output cast to bfloat16, the log-probs too,
    which TRL computes in float32: at -5 they would be multiples of 1/32, too coarse for a KL
    divergence or a ratio of policies. Parameters and computation keep the types that they have.
    """
    if not trainer.is_fsdp_enabled:
        return
    plugin = trainer.accelerator.state.fsdp_plugin
    policy = plugin.mixed_precision_policy
    if plugin.fsdp_version == 2 and policy is not None:
        plugin.mixed_precision_policy = replace(policy, output_dtype=None)
