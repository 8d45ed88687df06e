"""Who sees what: from a batch of rows to the view of each rollout.

A row without images has no view but the clean one: there is nothing to put noise on, so its level
is 0 and the prior of a Bayesian advantage has no say in it. Evaluation rollouts are clean:
evaluation asks what the model can do with the image that it is given.

A schedule's steps are batches of rollouts, counted from 1 as published: with several optimizer
steps per batch (``steps_per_generation``, ``num_iterations``) it moves on once per batch, and its
total is the run's number of batches.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.methods.schedules import noise_scale
from noisygrpo.methods.views import View, plan_views
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.rollout import Rollout, row_images

CLEAN = View()
"""What every rollout sees in evaluation, under the plan ``clean``, and of a text-only row."""

IMAGE_COLUMNS = ("images", "image")
"""Columns in which TRL looks for a row's images: a list, or a single one."""


def plan_batch(
    config: NoisyGRPOConfig,
    rows: Sequence[Mapping[str, Any]],
    *,
    first: int,
    group: int,
    step: int,
    scale: float = 1.0,
    clean: bool = False,
) -> list[Rollout]:
    """Return the rollout that each row of a process's share of the batch is.

    A rollout holds a copy of its row with the columns for reward functions. A data set decodes a
    row's images anew for every repetition; here the repetitions share the first one's objects, so
    that all that follows does its work once per group.

    Args:
        config: the run's settings.
        rows: this process's rows, in order; each with ``example_id``.
        first: position of the first of them in the batch over all processes.
        group: G, the number of rollouts per prompt.
        step: optimizer step, from 1; part of the noise's address.
        scale: factor on every level, from the decay schedule.
        clean: every rollout sees the clean image (evaluation).
    """
    plans: dict[str, list[View]] = {}
    images: dict[str, dict[str, Any]] = {}
    rollouts = []
    for offset, row in enumerate(rows):
        example_id, index = str(row["example_id"]), (first + offset) % group
        if example_id not in plans:
            blind = clean or not row_images(row)
            plans[example_id] = (
                [CLEAN] * group if blind else _views(config, group, step, example_id, scale)
            )
            images[example_id] = {key: row[key] for key in IMAGE_COLUMNS if key in row}
        view, own = plans[example_id][index], {**row, **images[example_id]}
        rollout = Rollout(own, index, view, config.seed, step, config.noise_kind)
        own.update(rollout.columns())
        rollouts.append(rollout)
    return rollouts


def _views(
    config: NoisyGRPOConfig, group: int, step: int, example_id: str, scale: float
) -> list[View]:
    return plan_views(
        config.view_plan or "clean",
        group,
        levels=config.noise_levels,
        seed=config.seed,
        step=step,
        example_id=example_id,
        scale=scale,
        clean=config.clean_rollouts,
    )


def scale_at(config: NoisyGRPOConfig, step: int, steps: int) -> float:
    """Return the schedule's factor on every level after ``step`` of ``steps`` optimizer steps."""
    return noise_scale(
        str(config.noise_decay),
        *batch_of_step(step, steps, config),
        config.noise_decay_coefficient,
        config.noise_decay_mid_step,
    )


def batch_of_step(step: int, steps: int, config: NoisyGRPOConfig) -> tuple[int, int]:
    """Return which batch of rollouts, from 1, serves an optimizer step, and how many there are.

    Args:
        step: optimizer steps done.
        steps: optimizer steps of the run.
        config: how many micro-batches a step, and a batch of rollouts, consist of.
    """
    accumulation = config.gradient_accumulation_steps
    served = (config.steps_per_generation or accumulation) * config.num_iterations
    # An optimizer step that takes several batches of rollouts is one step of the schedule.
    served = max(served, accumulation)
    total = -(-steps * accumulation // served)
    return step * accumulation // served + 1, max(total, 1)
