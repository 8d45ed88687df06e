"""Going on from a checkpoint: the layer of the trainer that makes it the run that was stopped.

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

from typing import Any

import torch
from accelerate.utils import is_peft_model
from torch import Tensor
from torch.utils.data import Sampler
from trl import GRPOTrainer
from trl.trainer.utils import RepeatSampler


class EpochSampler(RepeatSampler):
    """TRL's sampler, which can begin with any epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass over the data that of an epoch, counted from 0."""
        if not self.shuffle:
            return
        self.generator.manual_seed(self.seed)
        for _ in range(epoch):
            torch.randperm(self.num_samples, generator=self.generator)


class ResumeSeam(GRPOTrainer):
    """``trl.GRPOTrainer`` that resumes where it stopped; unchanged in a run of one piece."""

    _step: int

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        plain = super()._get_train_sampler(dataset)
        return EpochSampler(
            data_source=plain.data_source,
            mini_repeat_count=plain.mini_repeat_count,
            batch_size=plain.batch_size,
            repeat_count=plain.repeat_count,
            shuffle=plain.shuffle,
            seed=plain.seed,
        )

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self._loads_by_name(model):
            self._load_whole(resume_from_checkpoint)
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_best_model(self) -> None:
        if self._loads_by_name(None):
            self._load_whole(str(self.state.best_model_checkpoint))
        else:
            super()._load_best_model()

    def _loads_by_name(self, model: Any) -> bool:
        """Tell whether Transformers would copy weights by the names that they have in the file."""
        sharded = self.is_fsdp_enabled or self.is_deepspeed_enabled
        return not sharded and not is_peft_model(self.model if model is None else model)

    def _load_whole(self, folder: str) -> None:
        model = self.accelerator.unwrap_model(self.model)
        saved = type(model).from_pretrained(folder, dtype=model.dtype, local_files_only=True)
        model.load_state_dict(saved.state_dict())

    def training_step(self, *inputs: Any) -> Tensor:
        """Take TRL's step; the first of a resumed run finds its place in the batch of rollouts."""
        if self._step == 0:
            self._step = self.state.global_step * self.args.gradient_accumulation_steps
        return super().training_step(*inputs)
