"""Three short runs for tests of sharded weights: alone, or on two gloo processes of a CPU.

``python sharded.py FOLDER`` under ``accelerate launch`` runs them with whatever the launcher's
configuration file shards. A CPU needs three adjustments, all made here and nowhere else:

- Accelerate takes FSDP and DeepSpeed only where a device type has an accelerator. DeepSpeed is
  content with ``ddp_backend: gloo``; for FSDP the backend is answered for it (``pretend``).
- The launcher is told ``--mixed_precision no``, so that numbers can be compared with one process.
- ZeRO-3 keeps small parameters whole, which all of the tiny model's are; here none are.
"""

import json
import os
import sys
from functools import cache
from pathlib import Path

import torch
from accelerate.state import PartialState
from accelerate.utils import DeepSpeedPlugin, DistributedType
from transformers import Qwen2_5_VLForConditionalGeneration

from tiny import tiny_qwen25vl, tiny_rows, tiny_settings
from two_processes import by_row_and_rollout, keep_samples, leave, run_module

ROOT = Path(__file__).parents[1]
REASONING = "Step 1: look. Step 2: count. Step 3: two."
VIEWS = {"method": "noisygrpo", "view_plan": "uniform", "log_view_ratio": True}
SECOND = {
    **{"second_view": "black_patches", "second_level": 0.5, "second_loss": -0.1},
    **{"second_policy": "current", "second_gradient": "both", "second_token_mask": 0.6},
    "second_gate": "correct",
}
ADAM = {"optim": "adamw_torch", "learning_rate": 1e-3, "save_strategy": "steps", "save_steps": 1}
RUNS = {
    "rows": VIEWS,
    # The parts of a group on two processes reach their image in different micro-batches.
    "shared": {
        **VIEWS,
        **ADAM,
        "beta": 0.1,
        "shared_prefix": True,
        "shared_prefill": True,
        "freeze_vision_tower": True,
        "gradient_checkpointing": True,
    },
    "hints": {
        "method": "noisyrollout",
        "noise_decay": "none",
        "hint_levels": 3,
        "num_iterations": 2,
        "max_steps": 4,
        "shared_prefix": True,
        "score_view": "all",
        **SECOND,
    },
}
"""Settings of the runs, without those that are common to all."""


def save_start(folder):
    """Save the model that the runs in ``folder`` begin with; large weights, so that images tell."""
    model, _ = tiny_qwen25vl()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    model.save_pretrained(folder / "model")


@cache
def tiny_processor():
    """Return the processor; first called before ZeRO-3 takes over how models are made."""
    return tiny_qwen25vl()[1]


def train(folder, name, processes=1, check=None, resume=None, **changes):
    """Train the tiny model as ``RUNS[name]`` says; write what ``generate`` gave and the model."""
    from noisygrpo.runs.train import save_checkpoint
    from noisygrpo.training.config import NoisyGRPOConfig
    from tiny_trainer import build_trainer

    settings = tiny_settings(
        folder,
        per_device_train_batch_size=4 // processes,
        gradient_accumulation_steps=3,
        generation_kwargs={"do_sample": False},  # processes draw different samples, but not here
        optim="sgd",
        learning_rate=0.1,
    )
    settings |= RUNS[name] | changes
    config = NoisyGRPOConfig(**settings)
    start = Path(folder).parent / "model"
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(start, dtype=torch.float32)
    rows = tiny_rows(9).remove_columns("reasoning")
    rows = rows.add_column("reasoning", [REASONING if n % 3 else "" for n in range(9)])
    trainer = build_trainer(model, tiny_processor(), config, rows, [by_row_and_rollout])
    sampled = keep_samples(trainer)
    trainer.train(resume_from_checkpoint=resume)
    assert bool(trainer._scorer.shared) == config.shared_prefix
    if check is not None:
        check(trainer)
    save_checkpoint(trainer, Path(folder) / "checkpoint")
    if trainer.accelerator.is_main_process:
        (Path(folder) / "sampled.json").write_text(json.dumps(sampled))


def train_alone(folder):
    """Train all runs on one process."""
    save_start(folder)
    for name in RUNS:
        train(folder / name, name)
    return folder


def launch(strategy, folder):
    """Train all runs on two processes with ``examples/accelerate/<strategy>.yaml``."""
    save_start(folder)
    file = ROOT / "examples" / "accelerate" / f"{strategy}.yaml"
    options = ["--num_processes", "2", "--mixed_precision", "no", "--main_process_port", "0"]
    words = ["accelerate.commands.launch", "--config_file", str(file), *options]
    run_module(*words, __file__, str(folder), ACCELERATE_TORCH_DEVICE="cpu", DS_ACCELERATOR="cpu")
    return folder


def pretend():
    """Let Accelerate shard on a CPU as its environment asks for; return settings for that."""
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        made = DeepSpeedPlugin.__post_init__

        def keep_nothing_whole(plugin):
            made(plugin)
            zero = plugin.deepspeed_config["zero_optimization"]
            zero["stage3_param_persistence_threshold"] = 0

        DeepSpeedPlugin.__post_init__ = keep_nothing_whole
        return {"ddp_backend": "gloo", "use_cpu": False}
    PartialState._prepare_backend = lambda self, *given: ("gloo", DistributedType.MULTI_GPU)
    return {"use_cpu": False}


def check_sharded(trainer):
    """Check that this process holds half of the trained parameters, or of their gradients."""
    parameters = list(trainer.model.parameters())
    if trainer.is_fsdp_enabled:
        held = sum(parameter.to_local().numel() for parameter in parameters)
        assert held < 0.6 * sum(parameter.numel() for parameter in parameters)
    elif trainer.accelerator.state.deepspeed_plugin.zero_stage == 3:
        assert sum(parameter.numel() for parameter in parameters) == 0
        held = sum(parameter.ds_tensor.numel() for parameter in parameters)
        assert held < 0.6 * sum(parameter.ds_numel for parameter in parameters)
    else:
        assert trainer.is_deepspeed_enabled


if __name__ == "__main__":
    tiny_processor()
    place, changes = Path(sys.argv[1]), pretend()
    for run in RUNS:
        train(place / run, run, 2, check_sharded, **changes)
    stop = str(place / "shared" / "checkpoint-1")
    train(place / "resumed", "shared", 2, check_sharded, stop, **changes)
    leave()
