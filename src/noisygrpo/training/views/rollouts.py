"""From a batch of rows to what each rollout sees: the seam between ``methods`` and the trainer.

A generation batch is every prompt repeated G times in a row, over all processes in order. Row ``i``
of the whole batch is rollout ``i % G`` of its group, whatever process holds it, so its view and its
noise are a pure function of (seed, step, example id, rollout index): the same on any number of
processes and loader workers, and after a resume.

The sampler gets the images of ``Rollout.see``; everything that scores gets the images of the row.
A row without images has no view but the clean one: there is nothing to put noise on, so its level
is 0 and the prior of a Bayesian advantage has no say in it.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from noisygrpo.methods.noise import perturb
from noisygrpo.methods.views import View, plan_views, view_seed
from noisygrpo.training.config import NoisyGRPOConfig

CLEAN = View()
"""What every rollout sees in evaluation, under the plan ``clean``, and of a text-only row."""

IMAGE_COLUMNS = ("images", "image")
"""Columns in which TRL looks for a row's images: a list, or a single one."""


@dataclass(frozen=True)
class Rollout:
    """One rollout of a group: whose it is, what it sees, and the address of its noise."""

    example_id: str
    """Id of the row, unique in the data."""

    index: int
    """Position within the group, 0..G-1."""

    view: View
    """Level, hint and whether the noise is shared."""

    seed: int
    """Seed of the run."""

    step: int
    """Optimizer step that the rollout was made for, from 1."""

    kind: str
    """One of ``methods.noise.NOISE_KINDS``."""

    hint: str = ""
    """What stands in front of the completion, or behind the question; "" is no hint."""

    hint_level: int = 0
    """Level that the rollout was made at, 0..M-1."""

    @property
    def noisy(self) -> bool:
        """Whether it sees something else than the clean image."""
        return self.view.level > 0.0

    def noise_seed(self, image: int = 0) -> np.random.SeedSequence:
        """Return the seed of the noise on this rollout's image number ``image``."""
        return view_seed(self.view, self.seed, self.step, self.example_id, self.index, image)

    def seeds(self, images: int) -> list[str]:
        """Return each image's noise seed in hexadecimal; none if the rollout is clean."""
        if not self.noisy:
            return []
        return [f"{self.noise_seed(number).entropy:x}" for number in range(images)]

    def see(self, images: Sequence[Image.Image]) -> list[Image.Image]:
        """Return the images as this rollout sees them; at level 0 the very same objects."""
        if not self.noisy:
            return list(images)
        return [
            perturb(image, self.view.level, self.noise_seed(number), self.kind)
            for number, image in enumerate(images)
        ]


def see_all(
    rollouts: Sequence[Rollout], images: Sequence[Sequence[Image.Image]]
) -> list[list[Image.Image]]:
    """Return each rollout's images as ``see`` does, every distinct view drawn once.

    Rollouts that share their noise (NoisyRollout) share the image objects as well, so that nothing
    after this works on one view twice. Views are drawn side by side, as NumPy leaves the
    interpreter's lock while it draws; which thread draws one makes no difference to it.
    """
    keys = [
        (rollout.example_id, rollout.view.level, *rollout.seeds(len(row)))
        for rollout, row in zip(rollouts, images, strict=True)
    ]
    distinct = dict(zip(keys, zip(rollouts, images, strict=True), strict=True))
    with ThreadPoolExecutor(own_cores()) as pool:
        views = pool.map(lambda job: job[0].see(job[1]), distinct.values())
        seen = dict(zip(distinct, views, strict=True))
    return [seen[key] for key in keys]


def own_cores() -> int:
    """Return this process's share of the cores, at most 16."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(16, (os.cpu_count() or 1) // processes))


def row_images(row: Mapping[str, Any]) -> list[Image.Image]:
    """Return a row's clean images."""
    single = row.get("image")
    return list(row.get("images") or ([] if single is None else [single]))


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
    rollouts = []
    for offset, row in enumerate(rows):
        example_id, index = str(row["example_id"]), (first + offset) % group
        if example_id not in plans:
            blind = clean or not row_images(row)
            plans[example_id] = (
                [CLEAN] * group if blind else _views(config, group, step, example_id, scale)
            )
        view = plans[example_id][index]
        rollouts.append(Rollout(example_id, index, view, config.seed, step, config.noise_kind))
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


def annotate(rows: Sequence[dict[str, Any]], rollouts: Sequence[Rollout]) -> list[dict[str, Any]]:
    """Return copies of the rows with the columns for rewards, and one image object per example.

    A data set decodes a row's images anew for every repetition; sharing the first ones lets all
    that follows do its work once per group.
    """
    shared: dict[str, dict[str, Any]] = {}
    result = []
    for row, rollout in zip(rows, rollouts, strict=True):
        if rollout.example_id not in shared:
            shared[rollout.example_id] = {key: row[key] for key in IMAGE_COLUMNS if key in row}
        columns = {
            "noise_level": rollout.view.level,
            **hint_columns(rollout),
            "rollout_index": rollout.index,
        }
        result.append({**row, **shared[rollout.example_id], **columns})
    return result


def hint_columns(rollout: Rollout) -> dict[str, Any]:
    """Return the columns that tell a reward function of a rollout's hint."""
    return {
        "hint_ratio": rollout.view.hint_ratio,
        "hint_level": rollout.hint_level,
        "hint": rollout.hint,
    }


def prompt_images(prompt: str | Sequence[Mapping[str, Any]]) -> list[Image.Image]:
    """Return the images in a structured conversational prompt, in order; a text has none."""
    if isinstance(prompt, str):
        return []
    return [
        part["image"]
        for message in prompt
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image"
    ]


def with_parts(prompt: str | Sequence[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    """Return a conversational prompt with every content as a list of parts; a text as it is.

    TRL makes parts of a prompt only where its process has some image in the batch.
    """
    if isinstance(prompt, str):
        return prompt
    return [
        {**message, "content": [{"type": "text", "text": message["content"]}]}
        if isinstance(message["content"], str)
        else dict(message)
        for message in prompt
    ]


def replace_images(
    prompt: Sequence[Mapping[str, Any]], images: Sequence[Image.Image]
) -> list[dict[str, Any]]:
    """Return the prompt with its images replaced in order; nothing is copied but the dicts."""
    left = iter(images)

    def part_with_view(part: Mapping[str, Any]) -> dict[str, Any]:
        return {**part, "image": next(left)} if part["type"] == "image" else dict(part)

    return [
        {**message, "content": [part_with_view(part) for part in message["content"]]}
        if isinstance(message["content"], list)
        else dict(message)
        for message in prompt
    ]
