"""One step of training, as the run would make it, on a small model of the same kind.

What no table knows shows here: an optimizer that does not take its arguments, an adapter whose
modules are not in the architecture, a schedule that lacks a number, a tracker that does not start,
a loss that refuses a setting. The trainer is the run's; model, batch and lengths are small:

- the architecture of ``shrink``, with random weights; the run's processor, adapter and settings,
- one prompt and one group of rollouts of at most ``TOKENS`` tokens, of the first rows; one update,
- sampled by ``generate`` whatever the engine; no DeepSpeed or FSDP, no compilation, no hub,
- in a temporary folder. wandb and trackio write there and connect to nothing; trackers that know
  only their server are not started.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from noisygrpo.check.page import heading
from noisygrpo.check.shrink import shrink
from noisygrpo.errors import UserError
from noisygrpo.evaluation.generate import build_inputs
from noisygrpo.models.loading import attention_of, load_config
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.runs.prepare import Prepared, make_config
from noisygrpo.runs.trained import require_targets, require_trained
from noisygrpo.terminal import one_line
from noisygrpo.training.trainer import NoisyGRPOTrainer

logger = logging.getLogger(__name__)

TOKENS = 8
"""Longest completion."""

MOST_PARAMETERS = 500_000_000
"""Of a model whose layers cannot be made narrow: 8 GB with gradients and AdamW."""

LOCAL = ("tensorboard", "trackio", "wandb")
"""Trackers that can write to a folder alone."""

LEFT_OUT = (
    "cache_implementation",
    "deepspeed",
    "fsdp",
    "fsdp_config",
    "generation_batch_size",
    "log_completions",
    "log_completions_hub_repo",
    "num_completions_to_print",
    "log_unique_prompts",
    "num_train_epochs",
    "output_dir",
    "save_total_limit",
    "steps_per_generation",
    "torch_compile",
    "torch_compile_backend",
    "torch_compile_mode",
    "trackio_bucket_id",
    "trackio_space_id",
    "trackio_static_space_id",
)
"""Settings of the batch, the machine and of what others would see. Those of vLLM and of the hub are
left out by the beginning of their names."""


def rehearse(prepared: Prepared, processor: Any) -> None:
    """Train one step and say what it took.

    Raises:
        UserError: what training would have failed with.
    """
    started = time.perf_counter()
    with _nothing_left() as folder:
        config = make_config(_small(prepared), folder)
        model = _small_model(prepared, processor)
        if isinstance(model, str):
            heading("one step of training", f"left out: no small model of its kind reads: {model}")
            return
        size = sum(item.numel() for item in model.parameters())
        config.reward_weights = list(prepared.weights)
        rows = prepared.train.select(range(min(4, len(prepared.train))))
        require_targets(model, prepared.recipe.model.lora)
        with _quiet(), as_user_error():
            trainer = NoisyGRPOTrainer(
                model,
                prepared.rewards,
                config,
                rows,
                processing_class=processor,
                peft_config=prepared.lora,
            )
            require_trained(trainer.model, prepared.recipe.model.lora)
            trainer.train()
    spent = time.perf_counter() - started
    heading(
        "one step of training",
        f"with the run's settings on {size / 1e6:.1f} M random weights of the same architecture: "
        f"it works ({spent:.0f} s)",
    )


def _small(prepared: Prepared) -> Recipe:
    """The recipe with one group of short rollouts."""
    recipe, config = prepared.recipe, prepared.config
    kept = {
        name: value
        for name, value in recipe.training.items()
        if name not in LEFT_OUT and not name.startswith(("vllm_", "hub_", "push_to_hub"))
    }
    trackers = [name for name in config.report_to if name in LOCAL]
    training = {
        **kept,
        "use_vllm": False,
        "report_to": trackers or "none",
        "per_device_train_batch_size": config.num_generations,
        "gradient_accumulation_steps": 1,
        "max_steps": 1,
        "max_completion_length": min(TOKENS, config.max_completion_length or TOKENS),
        "disable_tqdm": True,
    }
    if training.get("groups") == "refill":
        training["refill_attempts"] = 1  # random weights earn nothing, however often
    if not trackers:
        training.pop("run_name", None)
        training.pop("project", None)
    return replace(recipe, training=training)


def _small_model(prepared: Prepared, processor: Any) -> Any:
    """A small model with random weights that reads the first row, or the reason why not.

    Raises:
        UserError: it works with another implementation of attention only.
    """
    spec, config = prepared.recipe.model, load_config(prepared.recipe.model)
    inputs = build_inputs(processor, [prepared.train[0]])
    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": spec.trust_remote_code}
    attention = attention_of(spec)
    chosen = options if attention is None else {**options, "attn_implementation": attention}
    reason = ""
    for narrow in (True, False):
        small = shrink(config, narrow=narrow)  # anew for each use: Transformers writes into it
        if not narrow and _parameters(small, options) > MOST_PARAMETERS:
            break
        model = _reading(shrink(config, narrow=narrow), chosen, inputs)
        if not isinstance(model, Exception):
            return model
        reason = one_line(f"{type(model).__name__}: {model}")[:300]
        if attention is not None and not isinstance(_reading(small, options, inputs), Exception):
            raise UserError(f"model.attn_implementation: {attention!r}: {reason}")
    return reason


def _parameters(config: Any, options: dict[str, Any]) -> int:
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, **options)
    return sum(item.numel() for item in model.parameters())


def _reading(config: Any, options: dict[str, Any], inputs: Any) -> Any:
    """The model with random weights, after it has read the inputs; or what prevented it."""
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = AutoModelForImageTextToText.from_config(config, **options)
            with torch.no_grad():
                model.eval()(**inputs)
        return model.train()
    except Exception as error:  # a family's own code may refuse in any way
        logger.info("the small model does not work: %s: %s", type(error).__name__, error)
        return error


@contextmanager
def _nothing_left() -> Iterator[str]:
    """A folder for everything that is written; it and the changed environment go at the end."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="noisygrpo-check-", ignore_cleanup_errors=True) as name:
        os.environ |= {"WANDB_MODE": "offline", "WANDB_DIR": name, "WANDB_SILENT": "true"}
        os.environ |= {"TRACKIO_DIR": name, "TENSORBOARD_LOGGING_DIR": os.path.join(name, "runs")}
        try:
            yield name
        finally:
            _finish_trackers()
            os.environ.clear()
            os.environ.update(before)


def _finish_trackers() -> None:
    """Let trackers that write in the background come to their end, before their folder goes."""
    for name in LOCAL:
        finish = getattr(sys.modules.get(name), "finish", None)
        if finish is not None:
            with _quiet():
                finish()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the lines and warnings of a run."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def as_user_error(what: str = "a step of training") -> Iterator[None]:
    """Whatever the libraries raise is what the run would end with: said in one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        logger.debug("the step failed", exc_info=error)
        said = one_line(str(error)) or "no reason given"
        raise UserError(
            f"{what} with these settings fails: {type(error).__name__}: {said[:400]}"
        ) from error
