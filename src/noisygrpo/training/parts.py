"""The trainer's parts, each made here of what TRL's constructor left, and of nothing else of ours.

What a part needs of TRL it gets as bound callables; it knows neither the trainer nor other parts.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from accelerate.utils import is_peft_model
from transformers.integrations import TensorBoardCallback, WandbCallback
from trl.extras.profiling import profiling_context

from noisygrpo.errors import require
from noisygrpo.models import vision
from noisygrpo.models.decoding import end_tokens
from noisygrpo.training.advantage import beats_the_clean, check_correct
from noisygrpo.training.asking import Asking
from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.checkpoints import FreshLogs, ScheduleAtItsStep
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.dataset import refuse_sharded
from noisygrpo.training.engines import prefill
from noisygrpo.training.engines.generate import GenerateEngine
from noisygrpo.training.engines.heads import Heads
from noisygrpo.training.engines.vllm import VLLMEngine
from noisygrpo.training.given import unique
from noisygrpo.training.hints.ladder import HintLadder
from noisygrpo.training.hints.selecting import SelectingReward
from noisygrpo.training.levels.history import LevelHistory
from noisygrpo.training.model import ban_tokens, core_model
from noisygrpo.training.pictures.check import Pictures, make_pictures
from noisygrpo.training.prefix.groups import obstacle
from noisygrpo.training.prefix.rows import score_batch
from noisygrpo.training.prefix.scorer import Scorer
from noisygrpo.training.prefix.shared import SharedPrefix, warn_rows
from noisygrpo.training.records import progress, view_ratio
from noisygrpo.training.records.recorder import Recorder
from noisygrpo.training.records.table import TensorBoardTable, WandbPictures
from noisygrpo.training.released import is_released
from noisygrpo.training.sharding import most_anywhere, weights_sharded

logger = logging.getLogger(__name__)


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


def noise_limits(trainer: Any) -> tuple[int, int] | None:
    """Return the pixels that images are brought into before noise; None leaves them as they are."""
    args = trainer.args
    return vision.noise_limits(args.noise_at, trainer.processing_class) if args.noisy else None


@contextmanager
def temperatures(trainer: Any, args: NoisyGRPOConfig) -> Iterator[None]:
    """Within this context TRL, which has one temperature, is made with the one for scoring.

    After it the sampler has its own (``released: [score_at_1]``).
    """
    sampling = args.temperature
    if not is_released(vars(args), "score_at_1"):
        yield
        return
    args.temperature = 1.0
    try:
        yield
    finally:
        args.temperature = sampling
    if trainer.use_vllm:
        trainer.vllm_generation.temperature = sampling
    else:
        trainer.generation_kwargs["temperature"] = sampling
        trainer.generation_config.temperature = sampling


def mask_as_released(trainer: Any, batch: Batch, weighed: Weighed, output: dict[str, Any]) -> None:
    """Let no loss touch the rows that NoisyGRPO's ``mask_noise_correct`` names, if that is on.

    A loss of type grpo is 0 for them and counts them in its mean, as in the release.
    """
    above = beats_the_clean(batch, weighed, trainer.reward_func_names, trainer.args)
    if above is None:
        return
    first = trainer.accelerator.process_index * len(batch.rollouts)
    masked = above[first : first + len(batch.rollouts)]
    kept = output.get("tool_mask", torch.ones_like(output["completion_mask"]))
    output["tool_mask"] = kept.masked_fill(masked.to(kept.device)[:, None], 0)


def engine(trainer: Any, turn: Callable[..., Any]) -> GenerateEngine | VLLMEngine:
    """Return what samples; ``turn`` is TRL's ``_generate_single_turn``."""
    args = trainer.args
    if not trainer.use_vllm:
        shares = args.shared_prefill and shares_prefill(trainer)
        # A forward more on one process is one that the others, with sharded weights, wait for.
        heads = (
            None
            if weights_sharded(trainer.accelerator.state)
            else Heads(trainer.accelerator.autocast)
        )
        model, watches = partial(core_model, trainer.model), watches_pictures(trainer)
        ends = end_tokens(trainer.generation_config.eos_token_id)
        wanted = args.log_view_ratio or args.view_correction != "none"
        temperature = trainer.temperature if wanted and takes_log_probs(trainer) else None
        return GenerateEngine(turn, model, shares, heads, watches, ends, temperature)
    return VLLMEngine(
        trainer.vllm_generation,
        args,
        trainer.processing_class,
        image_token=trainer._image_pad_token_id,
        step=lambda: trainer.state.global_step,
        main=trainer.accelerator.is_main_process,
        profile=partial(profiling_context, trainer),
        watches=watches_pictures(trainer),
    )


def shares_prefill(trainer: Any) -> bool:
    """Tell whether distinct prompts alone can be read before sampling; warn where not, once."""
    reason: str | None
    if several_turns(trainer):
        reason = "several turns are made of prompts of their own"
    elif trainer.rollout_func is not None:
        reason = "a rollout function samples"
    else:
        reason = prefill.other_engine(trainer.args) or prefill.obstacle(
            core_model(trainer.model), trainer.generation_config
        )
    if reason is not None:
        logger.warning("shared_prefill: every prompt is read by itself, as %s", reason)
    return reason is None


def takes_log_probs(trainer: Any) -> bool:
    """Tell whether log-probs can be taken while ``generate`` samples."""
    given = prefill.options(core_model(trainer.model), trainer.generation_config)
    return prefill.by_token(trainer.args, given)


def scorer(trainer: Any, rows: Callable[..., Any]) -> Scorer:
    """Return what scores; ``rows`` is TRL's ``_get_per_token_logps_and_entropies``."""
    shared = shared_prefix(trainer) if trainer.args.shared_prefix else None
    return Scorer(rows, core_model, shared)


def watches_pictures(trainer: Any) -> bool:
    """Tell whether pictures are compared on their way; not those that tools add, or a function."""
    return bool(trainer.args.check_pictures) and not (
        several_turns(trainer) or trainer.rollout_func is not None
    )


def pictures(trainer: Any, rows: Callable[..., Any]) -> Pictures:
    """Return what sees to it that no picture is lost; ``rows`` as for ``scorer``."""
    return make_pictures(trainer, rows, core_model, not watches_pictures(trainer))


def shared_prefix(trainer: Any) -> SharedPrefix | None:
    """Return what scores whole groups; None, with a warning, where no batch could be scored so."""
    model, kernel = trainer.model, trainer.args.shared_prefix_kernel
    peft, inner = is_peft_model(model), core_model(model)
    obstacles = {
        "tools may add images to completions": several_turns(trainer),
        "a compiled forward was not checked": trainer.args.torch_compile,
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
    """Put a guard around each reward function that TRL has, and return what asks them."""
    limit = trainer.args.reward_time_limit
    trainer.reward_func_names = unique(trainer.reward_func_names)
    made = Asking(
        trainer.accelerator,
        trainer.reward_func_names,
        limit,
        trainer.args.output_dir,
        trainer._pending_extra_logs,
    )
    trainer.reward_funcs = [  # the user's list stays as it is
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


def add_view_log_probs(trainer: Any, batch: Batch, output: dict[str, Any]) -> None:
    """Add the sampler's log-probs (on the views) to TRL's scored batch."""
    score, most = partial(score_batch, trainer), partial(most_anywhere, trainer.accelerator)
    view_ratio.add_view_log_probs(output, batch, score, most, engines=trainer.use_vllm)


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


def level_history(trainer: Any) -> LevelHistory:
    """Return what remembers the reward by noise level, of this run and the one it resumes."""
    made = LevelHistory(trainer.args.level_memory)
    trainer.add_callback(made)
    return made


def install_callbacks(trainer: Any) -> None:
    """Add what cuts the logs of a resumed run, and our progress in the place of Transformers'."""
    trainer.add_callback(FreshLogs())
    trainer.add_callback(ScheduleAtItsStep())
    progress.install(trainer.add_callback, trainer.pop_callback)
    for callback in (
        list(trainer.callback_handler.callbacks) if trainer.args.log_completions else ()
    ):
        shown = trainer._logs, trainer.args.num_completions_to_print
        if isinstance(callback, TensorBoardCallback):
            trainer.add_callback(TensorBoardTable(*shown, callback))
        elif isinstance(callback, WandbCallback):
            trainer.add_callback(WandbPictures(*shown))
