"""Going on from a checkpoint, so that it is the run that was stopped.

A resumed run has the weights, the order of rows, the noise and the random numbers of the run that
was not stopped, and so its rollouts and its weights at the end, bit for bit on a CPU. Three things
are needed beyond what Transformers 5 and TRL 1.16 do:

- *Weights.* ``save_pretrained`` writes the names that a family's weights had in earlier releases
  (``visual.*`` for what is ``model.visual.*`` in memory), and only ``from_pretrained`` translates
  them back. ``Trainer`` copies by name and warns of what it misses, so that a Qwen2.5-VL would
  go on from the weights that training began with. Here the checkpoint is read by
  ``from_pretrained``, and every name must be there.
- *Order.* TRL's sampler draws each epoch's order from one generator, so a run resumed in a later
  epoch would see the first epoch's order again. Here the sampler can start in any epoch, with the
  order that TRL has there.
- *Place in a batch of rollouts*, where one serves several optimizer steps. A checkpoint holds no
  rollouts, so a run resumed inside such a batch samples its prompts once more, with the weights of
  the checkpoint (this alone differs from the run that was not stopped), and uses what is left.

FSDP and DeepSpeed load their own checkpoints, and PEFT its adapters.
"""

from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_peft_model
from transformers import TrainerCallback, TrainerState
from trl.trainer.utils import RepeatSampler

from accelerate import Accelerator
from noisygrpo.training.records.rollouts import drop_steps_after


class EpochSampler(RepeatSampler):
    """TRL's sampler, which can begin with any epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass over the data that of an epoch, counted from 0."""
        if not self.shuffle:
            return
        self.generator.manual_seed(self.seed)
        for _ in range(epoch):
            torch.randperm(self.num_samples, generator=self.generator)


def load(model: Any, accelerator: Accelerator, folder: str) -> bool:
    """Give the model the weights of a checkpoint, every name of which must be there.

    Returns whether that was done: it is for a model that Transformers would copy by the names in
    the file, and not for an adapter or a model in shards, which are loaded as Transformers does.
    """
    state = accelerator.state
    plugins = [getattr(state, name, None) for name in ("fsdp_plugin", "deepspeed_plugin")]
    if any(plugin is not None for plugin in plugins) or is_peft_model(model):
        return False
    whole = accelerator.unwrap_model(model)
    saved = type(whole).from_pretrained(folder, dtype=whole.dtype, local_files_only=True)
    whole.load_state_dict(saved.state_dict())
    return True


def by_epoch(plain: RepeatSampler) -> EpochSampler:
    """Return TRL's sampler as one that can begin with any epoch."""
    return EpochSampler(
        data_source=plain.data_source,
        mini_repeat_count=plain.mini_repeat_count,
        batch_size=plain.batch_size,
        repeat_count=plain.repeat_count,
        shuffle=plain.shuffle,
        seed=plain.seed,
    )


class FreshLogs(TrainerCallback):
    """Before the first step drops logged steps that this run is about to do (again)."""

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Cut the logs at the step of the checkpoint that training resumes from, or at 0."""
        if state.is_world_process_zero:
            drop_steps_after(Path(args.output_dir or "."), state.global_step)
