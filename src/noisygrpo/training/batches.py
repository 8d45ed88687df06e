"""What a run will do, worked out before it starts: rollouts, prompts and updates.

With b = ``per_device_train_batch_size`` (rollouts), P processes, s =
``steps_per_generation``, a = ``gradient_accumulation_steps``, G = ``num_generations``,
mu = ``num_iterations``::

    rollouts per generation = b * P * s         prompts per generation = b * P * s / G
    rollouts per update     = b * P * a         updates per generation = s * mu / a
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import TrainerControl, TrainerState

from noisygrpo.errors import require
from noisygrpo.terminal import note
from noisygrpo.training.config import NoisyGRPOConfig

WITHOUT_WARMUP = ("constant", "reduce_lr_on_plateau", "greedy")
"""Schedules of the learning rate that take no notice of ``warmup_steps``."""


@dataclass(frozen=True)
class BatchPlan:
    """The arithmetic of a run."""

    prompts: int
    """Different prompts per generation."""
    group: int
    """Rollouts per prompt."""
    rollouts: int
    """Rollouts per generation, on all devices."""
    rollouts_per_update: int
    updates_per_generation: float
    updates: int
    """Optimiser steps of the run."""
    epochs: float
    """How often the run sees each row."""
    warmup: int = 0
    """Optimiser steps before the learning rate is what the settings say."""

    def lines(self) -> list[str]:
        """The arithmetic in words."""
        per = f"{self.updates_per_generation:g}"
        late = self.warmup > self.updates and (
            f"warm-up takes {self.warmup:,} of {self.updates:,} updates: the learning rate ends at "
            f"{self.updates / self.warmup:.0%} of what is set"
        )
        return [
            f"{self.prompts} prompts x {self.group} rollouts = {self.rollouts} per generation",
            f"{self.rollouts_per_update} rollouts per update, {per} updates per generation",
            f"{self.updates} updates, {self.epochs:.2g} epochs",
            *([late] if late else []),
        ]


def plan_batches(config: NoisyGRPOConfig, rows: int) -> BatchPlan:
    """Work out the run's batches for a data set of ``rows`` rows.

    Raises:
        UserError: fewer rows than one generation needs prompts, so there is no step.
    """
    group = config.num_generations
    rollouts = config.generation_batch_size
    prompts = rollouts // group
    require(
        rows >= prompts,
        f"data: {rows} rows are fewer than the {prompts} prompts of one generation "
        f"({rollouts} rollouts / num_generations {group})",
    )
    accumulation = config.gradient_accumulation_steps
    per_generation = config.steps_per_generation * config.num_iterations / accumulation
    in_epoch = rows // prompts * per_generation
    updates = config.max_steps if config.max_steps > 0 else int(in_epoch * config.num_train_epochs)
    return BatchPlan(
        prompts=prompts,
        group=group,
        rollouts=rollouts,
        rollouts_per_update=config.per_device_train_batch_size * config.world_size * accumulation,
        updates_per_generation=per_generation,
        updates=updates,
        epochs=updates / in_epoch,
        warmup=config.get_warmup_steps(updates) if _warms_up(config) else 0,
    )


def _warms_up(config: NoisyGRPOConfig) -> bool:
    return str(config.lr_scheduler_type.value) not in WITHOUT_WARMUP


def enough(sampler: Any, args: NoisyGRPOConfig) -> Any:
    """Return TRL's sampler; ``UserError`` where it has fewer rows than a batch has prompts."""
    plan_batches(args, sampler.num_samples)
    return sampler


def something_left(state: TrainerState, control: TrainerControl) -> bool:
    """Whether there is a step to do; of a run that is done it is said, and training stops."""
    if state.global_step < state.max_steps:
        return True
    note(f"step {state.global_step} of {state.max_steps}: nothing is left to do")
    control.should_training_stop = True
    return False
