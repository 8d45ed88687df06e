"""The trainer's parts, each made here of what TRL's constructor left, and of nothing else of ours.

What a part needs of TRL it gets as bound callables; it knows neither the trainer nor other parts.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from accelerate.utils import is_peft_model
from torch import Tensor
from transformers.integrations import TensorBoardCallback, WandbCallback
from trl.extras.profiling import profiling_context

from noisygrpo.errors import require
from noisygrpo.training.advantage import check_correct, correct_column, weigh
from noisygrpo.training.asking import Asking
from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.checkpoints import FreshLogs
from noisygrpo.training.dataset import refuse_sharded
from noisygrpo.training.engines.generate import GenerateEngine
from noisygrpo.training.engines.vllm import VLLMEngine
from noisygrpo.training.groups.refill import Refill
from noisygrpo.training.hints.ladder import HintLadder
from noisygrpo.training.hints.selecting import SelectingReward
from noisygrpo.training.loss.forward import Full, LossForward
from noisygrpo.training.loss.terms import LossTerms
from noisygrpo.training.model import ban_tokens, core_model
from noisygrpo.training.prefix.groups import obstacle
from noisygrpo.training.prefix.rows import score_batch
from noisygrpo.training.prefix.scorer import Scorer
from noisygrpo.training.prefix.shared import SharedPrefix, warn_rows
from noisygrpo.training.records import progress, view_ratio
from noisygrpo.training.records.recorder import Recorder
from noisygrpo.training.records.table import TensorBoardTable, WandbPictures
from noisygrpo.training.sharding import most_anywhere, weights_sharded
from noisygrpo.training.views.compare import Comparison
from noisygrpo.training.views.score import AllViews, most_views, view_rows
from noisygrpo.training.views.second import SecondView


def ban(trainer: Any) -> None:
    """Let no sampler give a token that stands for visual input: it would have no features."""
    if trainer.use_vllm:
        sampler = trainer.vllm_generation
        kwargs = sampler.generation_kwargs or {}
        sampler.generation_kwargs = {**kwargs, **ban_tokens(kwargs, trainer._banned, vllm=True)}
        return
    kwargs = ban_tokens(trainer.generation_kwargs, trainer._banned, vllm=False)
    trainer.generation_kwargs |= kwargs
    trainer.generation_config.update(**kwargs)


def engine(trainer: Any, turn: Callable[..., Any]) -> GenerateEngine | VLLMEngine:
    """Return what samples; ``turn`` is TRL's ``_generate_single_turn``."""
    args = trainer.args
    if not trainer.use_vllm:
        return GenerateEngine(turn, partial(core_model, trainer.model), args.shared_prefill)
    return VLLMEngine(
        trainer.vllm_generation,
        args,
        trainer.processing_class,
        image_token=trainer._image_pad_token_id,
        step=lambda: trainer.state.global_step,
        main=trainer.accelerator.is_main_process,
        profile=partial(profiling_context, trainer),
    )


def scorer(trainer: Any, rows: Callable[..., Any]) -> Scorer:
    """Return what scores; ``rows`` is TRL's ``_get_per_token_logps_and_entropies``."""
    shared = shared_prefix(trainer) if trainer.args.shared_prefix else None
    return Scorer(rows, core_model, shared)


def shared_prefix(trainer: Any) -> SharedPrefix | None:
    """Return what scores whole groups; None, with a warning, where no batch could be scored so."""
    model, kernel = trainer.model, trainer.args.shared_prefix_kernel
    peft, inner = is_peft_model(model), core_model(model)
    obstacles = {
        "tools may add images to completions": several_turns(trainer),
        "the balance of a mixture of experts is a matter of all tokens": trainer.aux_loss_enabled,
        "the adapter puts tokens in front of the prompt": (
            peft and model.active_peft_config.is_prompt_learning
        ),
    }
    reason = next((why for why, holds in obstacles.items() if holds), obstacle(inner, kernel))
    if reason is not None:
        warn_rows(reason)
        return None
    return SharedPrefix(
        inner,
        None if trainer.ref_model is None else core_model(trainer.ref_model),
        kernel=kernel,
        device=trainer.accelerator.device,
        autocast=trainer.accelerator.autocast,
        sharded=weights_sharded(trainer.accelerator.state),
        anyone=lambda here: bool(most_anywhere(trainer.accelerator, int(here))),
    )


def several_turns(trainer: Any) -> bool:
    """Tell whether a completion may hold more than one turn of the assistant."""
    return bool(trainer.tools) or trainer.environment_factories is not None


def refuse(trainer: Any, data: Any) -> None:
    """Raise ``UserError`` for what cannot go together.

    Views and hints, made for one turn, with what samples otherwise; sharded weights with ``data``
    of which some rows have images and some have none.
    """
    refuse_sharded(trainer.accelerator.state, data)
    args = trainer.args
    compared = args.second_view != "none"
    uses = {"view_plan": args.noisy, "hint_levels": args.hinted, "second_view": compared}
    for name, used in uses.items():
        require(
            not (used and (several_turns(trainer) or trainer.rollout_func is not None)),
            f"{name}: {vars(args)[name]} cannot go with tools, environments or a rollout function: "
            "views and hints are made for one turn, which the trainer samples itself",
        )
    require(
        not (trainer.aux_loss_enabled and (compared or args.score_view == "all")),
        "second_view, score_view all: a mixture of experts whose balance is a part of the loss "
        "would balance the tokens of other views; give router_aux_loss_coef 0",
    )


def asking(trainer: Any) -> Asking:
    """Put a guard around each reward function, in TRL's own list, and return what asks them."""
    limit = trainer.args.reward_time_limit
    made = Asking(trainer.accelerator, trainer.reward_func_names, limit, trainer.args.output_dir)
    trainer.reward_funcs[:] = [
        made.guarded(*both)
        for both in zip(trainer.reward_funcs, trainer.reward_func_names, strict=True)
    ]
    return made


def hints(trainer: Any) -> tuple[HintLadder | None, SelectingReward]:
    """Return the ladder of hint levels (None with one level) and the reward that selects."""
    args = trainer.args
    selecting = SelectingReward(
        args.hint_reward if args.hinted else None,
        trainer.reward_funcs,
        trainer.reward_processing_classes,
        trainer.reward_func_names,
        (trainer._pending_extra_logs, trainer._pending_metrics),
    )
    if not args.hinted:
        return None, selecting
    ladder = HintLadder(
        args,
        tokenizer=trainer._tokenizer,
        decode=trainer.processing_class.batch_decode,
        banned=trainer._banned,
        gather=trainer.accelerator.gather,
        device=trainer.accelerator.device,
        rank=trainer.accelerator.process_index,
        whole_batches=trainer.use_vllm and args.vllm_mode == "server",
    )
    return ladder, selecting


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
    return weigh(batch, trainer.args, *named, trl, trainer._functions.advantage, bonus)


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
        own = torch.tensor([most_views(batch)], device=trainer.accelerator.device)
        most = int(trainer.accelerator.gather(own).max())
        batch.views = AllViews(view_rows(batch, fields, tokenize, most))
    return batch.views


def add_view_log_probs(trainer: Any, batch: Batch, output: dict[str, Any]) -> None:
    """Add the sampler's log-probs (on the views) to TRL's scored batch."""
    score, most = partial(score_batch, trainer), partial(most_anywhere, trainer.accelerator)
    view_ratio.add_view_log_probs(output, batch, score, most)


def recorder(trainer: Any) -> Recorder:
    """Return what writes down batches and steps."""
    check_correct(trainer.reward_func_names, trainer.args)
    return Recorder(
        trainer.args,
        logs=trainer._logs,
        metrics=trainer._metrics["train"],
        clock=trainer._clock,
        main=trainer.accelerator.is_main_process,
        ends={*trainer.eos_token_ids, trainer._tokenizer.pad_token_id},
        turns=several_turns(trainer),
    )


def install_callbacks(trainer: Any) -> None:
    """Add what cuts the logs of a resumed run, and our progress in the place of Transformers'."""
    trainer.add_callback(FreshLogs())
    progress.install(trainer.add_callback, trainer.pop_callback)
    for callback in (
        list(trainer.callback_handler.callbacks) if trainer.args.log_completions else ()
    ):
        shown = trainer._logs, trainer.args.num_completions_to_print
        if isinstance(callback, TensorBoardCallback):
            trainer.add_callback(TensorBoardTable(*shown, callback))
        elif isinstance(callback, WandbCallback):
            trainer.add_callback(WandbPictures(*shown))
