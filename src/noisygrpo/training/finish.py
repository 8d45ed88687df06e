"""What is done with a batch of rollouts once TRL has scored it: look, reward, advantage, record."""

from typing import Any

import torch

from noisygrpo.training import parts
from noisygrpo.training.advantage import weigh
from noisygrpo.training.batch import Batch
from noisygrpo.training.engines.vllm import spare_noisy
from noisygrpo.training.views.show import Tokenize


def finish(trainer: Any, batch: Batch, output: dict[str, Any], tokenize: Tokenize) -> None:
    """Replace the advantages in TRL's scored batch, and record it; all processes gather.

    ``tokenize``: TRL's function.
    """
    args, comparison, gather = trainer.args, trainer._comparison, trainer.accelerator.gather
    if views := parts.all_views(trainer, batch, output, tokenize):
        views.attach(output)
    if comparison.second is not None:
        with trainer._spent("second_view"):
            trainer._recorder.add(comparison.look(batch, output, tokenize))
    trl, bonus = gather(output["advantages"]), comparison.bonus(batch, output)
    named = trainer.reward_func_names, trainer.reward_weights
    weighed = weigh(batch, args, *named, trl, bonus)
    first = trainer.accelerator.process_index * len(batch.rollouts)
    own = batch.take_advantages(trainer.reward_func_names, weighed, first)
    output["advantages"] = torch.tensor(own).to(output["advantages"])
    part = trainer._step % args.gradient_accumulation_steps
    trainer._recorder.batch(batch, weighed, trainer.state.global_step + 1, part)
    spare_noisy(output, batch.rollouts)
    if args.log_view_ratio or args.view_correction != "none":
        with trainer._spent("view_ratio"):
            parts.add_view_log_probs(trainer, batch, output)
    comparison.weigh(batch, output)
