"""What is done with a batch of rollouts once TRL has scored it: look, reward, advantage, record."""

from functools import partial
from typing import Any

import torch

from noisygrpo.training import parts
from noisygrpo.training.batch import Batch
from noisygrpo.training.engines.vllm import spare_noisy
from noisygrpo.training.views.parts import all_views, weighed_batch
from noisygrpo.training.views.show import Tokenize


def attach(trainer: Any, batch: Batch, output: dict[str, Any], tokenize: Tokenize) -> None:
    """Add to TRL's scored batch what is drawn of other views, and the sampler's log-probs on them.

    ``tokenize``: TRL's function. A batch of evaluation is for clean images: it has nothing of this.
    """
    batch.fit(output)
    if trainer.args.log_completions:
        trainer._recorder.table(batch)
    if not batch.training:
        return
    args, second = trainer.args, trainer._comparison.second
    if views := all_views(trainer, batch, output, tokenize):
        views.attach(output)
    if second is not None:
        with trainer._spent("second_view"):
            second.attach(batch, output, tokenize)
    if args.score_view == "clean":
        spare_noisy(output, batch.rollouts)
    trainer._pictures.scored(batch, output)
    if args.log_view_ratio or args.view_correction != "none":
        with trainer._spent("view_ratio"):
            parts.add_view_log_probs(trainer, batch, output)


def finish(trainer: Any, batch: Batch, output: dict[str, Any]) -> dict[str, Any]:
    """Return TRL's scored batch with its groups chosen and its advantages replaced; record it.

    All processes gather, one writes. A batch of evaluation is returned as it is.

    Raises:
        RewardError: a reward function failed on some process.
    """
    if batch.training:
        batch, output = _trained(trainer, batch, output)
    trainer._asking.settle(batch, trainer.state.global_step + 1)
    return output


def _trained(trainer: Any, batch: Batch, output: dict[str, Any]) -> tuple[Batch, dict[str, Any]]:
    comparison = trainer._comparison
    if trainer._refill is not None:
        number = trainer._step // (trainer.args.steps_per_generation * trainer.num_iterations)
        batch, output = trainer._refill.fill(batch, output, number, trainer._made)
    if comparison.second is not None:
        with trainer._spent("second_view"):
            trainer._recorder.add(comparison.look(batch, output))
    weighed = weighed_batch(trainer, batch, output, comparison.bonus(batch, output))
    trainer._levels.take(weighed)
    first = trainer.accelerator.process_index * len(batch.rollouts)
    own = batch.take_advantages(trainer.reward_func_names, weighed, first)
    output["advantages"] = torch.tensor(own).to(output["advantages"])
    part = trainer._step % trainer.args.gradient_accumulation_steps
    trainer._recorder.batch(weighed)
    where = trainer.state.global_step + 1, part
    comparison.late.then(partial(trainer._recorder.rollouts, batch, *where))
    parts.mask_as_released(trainer, batch, weighed, output)
    comparison.weigh(batch, output)
    return batch, output
