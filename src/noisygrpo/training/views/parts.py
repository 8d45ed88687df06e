"""The parts that know of other views, made of what TRL's constructor left (``training.parts``)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from noisygrpo.errors import require
from noisygrpo.training.advantage import correct_column, weigh
from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.groups.refill import Refill
from noisygrpo.training.loss.forward import Full, LossForward
from noisygrpo.training.loss.terms import LossTerms
from noisygrpo.training.model import core_model
from noisygrpo.training.prefix.rows import score_batch
from noisygrpo.training.views.compare import Comparison
from noisygrpo.training.views.score import AllViews, most_views, view_rows
from noisygrpo.training.views.second import SecondView


def second_view(trainer: Any) -> SecondView | None:
    """Return how the second view is made; None where there is none."""
    args = trainer.args
    if args.second_view == "none":
        return None
    pad = trainer._tokenizer.pad_token_id
    return SecondView(str(args.second_view), float(args.second_level or 0), trainer._banned, pad)


def comparison(trainer: Any) -> Comparison:
    """Return what scores batches on other views and weighs advantages by it."""
    args, accelerator = trainer.args, trainer.accelerator

    def right(rewards: Tensor) -> Tensor:
        column = correct_column(trainer.reward_func_names, args)
        return (rewards[:, column] >= args.correct_at).to(rewards)

    return Comparison(
        args,
        second_view(trainer),
        score=partial(score_batch, trainer),
        gather=accelerator.gather,
        gated=right if args.second_gate == "correct" and args.second_view != "none" else None,
        record=trainer._recorder.add,
        first_row=lambda rows: accelerator.process_index * rows,
        full=full(trainer),
    )


def full(trainer: Any) -> Full | None:
    """Return what compares whole distributions; None where sampled tokens are compared."""
    if trainer.args.second_view == "none" or trainer.args.second_estimator != "full":
        return None
    deepspeed = getattr(trainer.accelerator.state, "deepspeed_plugin", None)
    require(
        deepspeed is None or deepspeed.zero_stage != 3,
        "second_estimator: full takes the output embeddings whole, which ZeRO-3 does not give; "
        "give k3, or shard with FSDP2",
    )
    head = core_model(trainer.model).get_output_embeddings
    return Full(trainer._scorer.tap, head, trainer.temperature)


def of_views(trainer: Any) -> tuple[Comparison, LossForward, Refill | None]:
    """Return what compares views, what scores for the loss, and what replaces silent groups."""
    return comparison(trainer), loss_forward(trainer), refill(trainer)


def refill(trainer: Any) -> Refill | None:
    """Return what replaces silent groups; None where all groups are trained."""
    args, accelerator, rows = trainer.args, trainer.accelerator, trainer.train_dataset
    if args.groups != "refill":
        return None
    own = args.per_device_train_batch_size * args.steps_per_generation
    require(
        own % args.num_generations == 0,
        f"groups: refill needs whole groups on each process, but num_generations "
        f"{args.num_generations} does not divide its {own} rollouts (per_device_train_batch_size "
        f"{args.per_device_train_batch_size} x {args.steps_per_generation} batches)",
    )
    return Refill(
        rows,
        rows["example_id"] if "example_id" in rows.column_names else None,
        group=args.num_generations,
        attempts=args.refill_attempts,
        seed=args.seed,
        place=accelerator.process_index,
        pad_token=trainer._tokenizer.pad_token_id,
        weigh=partial(weighed_batch, trainer),
        total=partial(accelerator.reduce, reduction="sum"),
        record=trainer._recorder.add,
    )


def weighed_batch(
    trainer: Any, batch: Batch, output: dict[str, Any], bonus: Tensor | None = None
) -> Weighed:
    """Return the advantages of the whole batch; ``bonus [R]`` is added to its rewards."""
    trl = trainer.accelerator.gather(output["advantages"])
    named = trainer.reward_func_names, trainer.reward_weights
    known = trainer._functions.advantage, trainer._levels.means
    return weigh(batch, trainer.args, *named, trl, *known, bonus)


def loss_forward(trainer: Any) -> LossForward:
    """Return the forward of the loss, and what is added to it."""
    return LossForward(LossTerms(trainer.args), second_view(trainer), full=full(trainer))


def all_views(
    trainer: Any, batch: Batch, fields: dict[str, Any], tokenize: Callable[..., Any]
) -> AllViews | None:
    """Return the views that the completions of a batch are scored on; None where it is one.

    ``fields``: what TRL scores rows with, of the clean images.
    """
    if trainer.args.score_view != "all" or not batch.training or batch.shown is None:
        return None
    if batch.views is None:
        count = torch.tensor([most_views(batch)], device=trainer.accelerator.device)
        most = int(trainer.accelerator.gather(count).max())
        own = [rollout.own_peer() for rollout in batch.rollouts]
        batch.views = AllViews(view_rows(batch, fields, tokenize, most), own)
    return batch.views
