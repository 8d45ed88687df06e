"""The trainer's part that sees to it that no picture is lost: links by hash, and the mismatch."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn
from trl.models.utils import disable_gradient_checkpointing

from noisygrpo.training.batch import Batch
from noisygrpo.training.pictures.links import Links
from noisygrpo.training.pictures.mismatch import EVERY, LIMITS, Mismatch
from noisygrpo.training.prefix.rows import SCORING_KEYS, select_rows
from noisygrpo.training.prefix.scorer import Scorer
from noisygrpo.training.records.view_ratio import TOKENS
from noisygrpo.training.rollout import Rollout

QWEN = ("pixel_values", "image_grid_thw")
"""Fields of the layout in which one row is scored again."""


@dataclass
class Pictures:
    """Looks at every batch of rollouts that is trained on; does nothing where it is ``off``."""

    off: bool
    processor: Any  # the model's
    image_token: int | None  # stands for one image feature
    again: Callable[[dict[str, Any]], Any] | None  # scores rows by themselves; None with vLLM
    mismatch: Mismatch
    links: Links = field(default_factory=Links)

    def drawn(self, batch: Batch) -> None:
        """Check what the processor made of the views, and enter hashes in the rollouts."""
        if self.off or not batch.training or batch.shown is None:
            return
        self.links.drawn(batch.shown, batch.rollouts, self.processor)
        for rollout, ids in zip(batch.rollouts, batch.shown.ids, strict=True):
            rollout.image_tokens = list(ids).count(self.image_token)

    def scored(self, batch: Batch, output: dict[str, Any]) -> None:
        """Check what is scored, and add to TRL's batch what the loss is compared with."""
        if self.off or batch.shown is None:
            return
        self.links.scored(output, batch.rollouts)
        step, ids = batch.rollouts[0].step, output["completion_ids"]
        numbers = self.mismatch.numbers([one.example_id for one in batch.rollouts])
        both = zip(numbers, batch.rollouts, strict=True)
        clean = [number if same_pictures(one) else -1 for number, one in both]
        if self.again is not None:
            log_probs, checked = torch.zeros(ids.shape, device=ids.device), None
            if (step - 1) % EVERY == 0 and {*QWEN} <= {*batch.shown.fields} & {*output}:
                checked = self._score_again(batch, output, log_probs)
            clean = [n if row == checked else -1 for row, n in enumerate(clean)]
            output["engine_log_probs"] = log_probs
        output["clean_row"] = torch.tensor(clean, device=ids.device)

    def _score_again(
        self, batch: Batch, output: dict[str, Any], log_probs: torch.Tensor
    ) -> int | None:
        """Score the first clean rollout with a picture on the patches that it was sampled from.

        Returns its row; None where there is none.
        """
        assert self.again is not None and batch.shown is not None
        seen = [row for row, one in enumerate(batch.rollouts) if one.seen and same_pictures(one)]
        row = (seen or [0])[0]  # a forward that sharded weights need on every process
        given = {name: torch.as_tensor(batch.shown.fields[name]).to(output[name]) for name in QWEN}
        both = {key: output[key] for key in (*TOKENS, *SCORING_KEYS) if key in output} | given
        found = self.again(select_rows(both, [row]))
        if not seen:
            return None
        log_probs[row] = found[0].float()
        return row

    def updated(self, inputs: dict[str, Any], log_probs: torch.Tensor, step: int) -> None:
        """Check what the loss was given, and how far its log-probs are from the engine's."""
        if not self.off:
            self.links.updated(inputs, step)
            self.mismatch.add(inputs, log_probs, step)

    def flush(self, gather: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float]:
        """Return the step's metrics, the same on every process."""
        return {} if self.off else self.mismatch.flush(gather)


def same_pictures(rollout: Rollout) -> bool:
    """Tell whether a rollout was sampled from the pictures that it is scored on."""
    return tuple(rollout.seen) == tuple(rollout.scored)


def make_pictures(trainer: Any, rows: Callable[..., Any], core: Any, off: bool) -> Pictures:
    """Return the part.

    Args:
        trainer: TRL's, built.
        rows: TRL's scoring function.
        core: returns a model without its wrappers.
        off: whether nothing is checked.
    """
    args = trainer.args
    limit = args.mismatch_limit
    if limit is None:
        limit = LIMITS[precision(trainer, core)] if comparable(trainer, core) else math.inf
    return Pictures(
        off,
        trainer.processing_class,
        trainer._image_pad_token_id,
        None if trainer.use_vllm else partial(_score, trainer, Scorer(rows, core, None)),
        Mismatch(limit, trainer.accelerator.device),
    )


@torch.no_grad()
def _score(trainer: Any, scorer: Scorer, batch: dict[str, Any]) -> Any:
    ids = torch.cat((batch["prompt_ids"], batch["completion_ids"]), 1)
    mask = torch.cat((batch["prompt_mask"], batch["completion_mask"]), 1)
    images = {key: batch[key] for key in SCORING_KEYS if key in batch}
    with disable_gradient_checkpointing(trainer.model, trainer.args.gradient_checkpointing_kwargs):
        keep = batch["completion_ids"].size(1)
        return scorer.score(trainer.model, ids, mask, keep, **images)[0]


def comparable(trainer: Any, core: Any) -> bool:
    """Tell whether engine and learner have one distribution: no dropout, nothing cut off.

    vLLM gives log-probs after top_p and the like, the learner before.
    """
    args, model = trainer.args, core(trainer.model)
    dropped = any(isinstance(one, nn.Dropout) and one.p > 0 for one in trainer.model.modules())
    config = model.config.get_text_config()
    dropped = dropped or bool(getattr(config, "attention_dropout", 0.0))
    cut = (
        args.top_p < 1
        or bool(args.top_k and args.top_k > 0)
        or bool(args.min_p)
        or args.repetition_penalty != 1
        or {*(args.generation_kwargs or {})} - {"seed"}
        or args.vllm_structured_outputs_regex
    )
    # Weights that are quantised are rounded again where an adapter is merged for the engine.
    rounded = bool(getattr(model, "is_quantized", False))
    return not dropped and not (trainer.use_vllm and (cut or rounded))


def precision(trainer: Any, core: Any) -> str:
    """Return ``float32`` where engine and learner both compute in it, else ``half``."""
    args = trainer.args
    exact = not (args.bf16 or args.fp16)
    exact = exact and all(one.dtype == torch.float32 for one in core(trainer.model).parameters())
    if exact and trainer.use_vllm:
        engine = trainer.vllm_generation
        if args.vllm_mode == "colocate":
            exact = engine.llm.llm_engine.model_config.dtype == torch.float32
        else:
            exact = trainer.accelerator.is_main_process and "float32" in str(
                engine.vllm_client.get_server_info().get("model_config", {}).get("dtype")
            )
    return "float32" if exact else "half"
