"""Who sees what: from a batch of rows to the view of each rollout.

A row without images has no view but the clean one: there is nothing to put noise on, so its level
is 0 and the prior of a Bayesian advantage has no say in it. Evaluation rollouts are clean:
evaluation asks what the model can do with the image that it is given.

A schedule's steps are batches of rollouts, counted from 1 as published: with several optimizer
steps per batch (``steps_per_generation``, ``num_iterations``) it moves on once per batch, and its
total is the run's number of batches.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from noisygrpo.methods.schedules import noise_scale
from noisygrpo.methods.views import View, plan_views
from noisygrpo.own.check import Functions
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
    functions: Functions | None = None,
) -> list[Rollout]:
    """Return the rollout that each row of a process's share of the batch is.

    A rollout holds a copy of its row. A data set decodes a row's images anew for every repetition;
    here the repetitions share the first one's objects, so that all that follows does its work once
    per group.

    Args:
        config, step, scale: of the run; the optimizer step, from 1, is part of the noise's address,
            and the factor on every level comes from the decay schedule.
        rows: this process's rows, in order; one without ``example_id`` gets one (``row_id``).
        first: position of the first of them in the batch over all processes.
        group: G, the number of rollouts per prompt.
        clean: whether every rollout sees the clean image (evaluation).
        functions: what the config names, where that is resolved already.
    """
    chosen = Functions.of(config) if functions is None else functions
    rollouts: list[Rollout] = []
    shared: dict[str, Any] = {}
    derived, views = "", [CLEAN]
    for place, row in enumerate(rows, start=first):
        index = place % group
        if index == 0 or not rollouts:  # a group begins, or this process's part of one
            shared = {key: row[key] for key in IMAGE_COLUMNS if key in row}
            if shared:  # TRL cannot pass on the null of a row without a picture
                shared["images"] = row_images(row)
            known = row.get("example_id")
            derived = row_id(row) if known is None else ""
            blind, name = clean or not row_images(row), derived or str(known)
            views = [CLEAN] * group if blind else _views(config, chosen, group, step, name, scale)
        seen = config.seed, step, chosen.noise
        made = Rollout({**row, **shared}, index, views[index], *seen, derived, tuple(views))
        made.added = "images" in shared and "images" not in row
        rollouts.append(as_released(config, made, views[0]))
    return rollouts


def as_released(config: NoisyGRPOConfig, rollout: Rollout, first: View) -> Rollout:
    """Give the rollout the defects that the config brings back (``training.released``).

    ``first``: view of the group's first rollout, on whose noise of index 0 NoisyGRPO scores.
    """
    rollout.released = tuple(config.released or ())
    if "noisy_zero" in rollout.released and first.zero_noise and not first.shared_noise:
        rollout.scored_as = replace(rollout, index=0, view=first)
    return rollout


def row_id(row: Mapping[str, Any]) -> str:
    """Return an id of a row that has none: of its prompt and the pixels of its images."""
    digest = hashlib.sha256(repr(row.get("prompt")).encode())
    for image in row_images(row):
        digest.update(f"{image.size}".encode() + image.tobytes())
    return digest.hexdigest()[:16]


def _views(
    config: NoisyGRPOConfig, chosen: Functions, group: int, step: int, name: str, scale: float
) -> list[View]:
    assert not isinstance(config.noise_levels, str)  # ``measured`` is refused before
    views = plan_views(
        chosen.plan,
        group,
        levels=config.noise_levels,
        seed=config.seed,
        step=step,
        example_id=name,
        scale=scale,
        clean=config.clean_rollouts,
    )
    if "noisy_zero" not in (config.released or ()):
        return views
    # A grid's level 0 and an annealed half are noise there; the clean half of a split is clean.
    grid = config.view_plan == "grid"
    return [
        replace(one, zero_noise=True) if one.level == 0 and (grid or one.shared_noise) else one
        for one in views
    ]


def scale_at(config: NoisyGRPOConfig, step: int, steps: int) -> float:
    """Return the schedule's factor on every level after ``step`` of ``steps`` optimizer steps."""
    place, total = batch_of_step(step, steps, config)
    coefficient, mid_step = config.noise_decay_coefficient, config.noise_decay_mid_step
    return noise_scale(str(config.noise_decay), place, total, coefficient, mid_step)


def batch_of_step(step: int, steps: int, config: NoisyGRPOConfig) -> tuple[int, int]:
    """Return which batch of rollouts, from 1, serves the step after ``step`` of ``steps``.

    The second number is how many batches there are.
    """
    accumulation = config.gradient_accumulation_steps
    served = (config.steps_per_generation or accumulation) * config.num_iterations
    # An optimizer step that takes several batches of rollouts is one step of the schedule.
    served = max(served, accumulation)
    total = -(-steps * accumulation // served)
    return step * accumulation // served + 1, max(total, 1)
