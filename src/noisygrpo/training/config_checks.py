"""What a run's settings must satisfy together, checked before a model or TRL is loaded.

`check` looks, in this order, at every field alone (``ranges``), at fields that would do nothing
(``idle``), and at what cannot work together. Every check is a pure function of plain values and
raises ``UserError`` with the field, its value and what is allowed. What needs the data is checked
in ``training.dataset``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from noisygrpo import fields
from noisygrpo.errors import UserError, require
from noisygrpo.methods.declared import declared
from noisygrpo.methods.noise import NOISE_KINDS
from noisygrpo.methods.schedules import check_schedule
from noisygrpo.methods.views import check_view_plan
from noisygrpo.own.choice import FROM_LEVELS, KNOBS, is_own
from noisygrpo.schema import describe, fits, nearest, shown
from noisygrpo.training.idle import refuse_idle
from noisygrpo.training.ranges import check_ranges
from noisygrpo.training.released import check_released
from noisygrpo.training.settings import is_noisy
from noisygrpo.training.views.checks import check_groups, check_views

Values = Mapping[str, Any]


def check(given: Values, values: Values) -> None:
    """Check everything that needs no model and no data.

    Args:
        given: what the user set, by name.
        values: of all fields as the user set them, with what method and defaults give, before TRL
            has derived some from others.

    Raises:
        UserError: naming the field, its value and what is allowed.
    """
    values = {**fields.defaults("training"), **values}  # an older library has fewer fields
    check_ranges(values)
    refuse_idle(given, values)
    _check_exclusive(values)
    check_batch(values)
    check_together(values)


def check_types(values: Values, hints: Mapping[str, Any]) -> None:
    """Check values that come from Python; a recipe's are checked as they are read.

    Args:
        values: by field.
        hints: the fields to check, and the type of each.

    Raises:
        UserError: naming the field, its value and what is allowed.
    """
    for name, hint in hints.items():
        value = values[name]
        require(fits(value, hint), f"{name}: {shown(value)} is not {describe(hint)}")


def check_together(values: Values) -> None:
    """Check what fields mean for each other; also for values that TRL has completed."""
    _check_views(values)
    _check_advantage(values)
    _check_engine(values)
    _check_generation(values)
    check_views(values)
    check_groups(values)
    check_released(values)
    for low, high in (
        ("min_pixels", "max_pixels"),
        ("entropy_coef_min", "entropy_coef_max"),
        ("vllm_importance_sampling_clip_min", "vllm_importance_sampling_clip_max"),
    ):
        both = values[low] is not None and values[high] is not None
        require(
            not both or values[low] <= values[high],
            f"{low}: {values[low]} is above {high} {values[high]}",
        )


def _check_exclusive(values: Values) -> None:
    for one, other in (("bf16", "fp16"), ("generation_batch_size", "steps_per_generation")):
        require(
            not (values[one] and values[other]),
            f"{one}: {values[one]} and {other}: {values[other]} cannot both be given",
        )


def check_batch(values: Values) -> None:
    """Say in our words what TRL says in terms of a derived field: groups must fill the batch."""
    group = values["num_generations"]
    require(
        group is not None and group >= 2,
        f"num_generations: {group!r}; a group needs at least 2 rollouts",
    )
    if values["generation_batch_size"] is not None:
        return  # TRL's own message names this field
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    per_device = values["per_device_train_batch_size"]
    steps = values["steps_per_generation"] or values["gradient_accumulation_steps"]
    rollouts = per_device * processes * steps
    require(
        rollouts % group == 0,
        f"num_generations: {group} does not divide the {rollouts} rollouts of a batch "
        f"(per_device_train_batch_size {per_device} x {processes} processes x {steps} batches); "
        "make the batch a multiple of the group",
    )


def _check_views(values: Values) -> None:
    knobs = (values[KNOBS] or {}).get("noise_kind")
    require(
        is_noisy(values) or not knobs,
        f"noise_kind: its knobs {shown(knobs)} have no effect where every rollout sees the clean "
        "image; give view_plan grid, uniform or split with a level above 0",
    )
    if not is_own("view_plan", values["view_plan"]):  # these are tried in ``own.check``
        _check_published_plan(values)
    try:
        check_schedule(
            str(values["noise_decay"]),
            1,
            values["noise_decay_coefficient"],
            values["noise_decay_mid_step"],
        )
    except ValueError as error:
        raise UserError(f"noise_decay, its coefficient and mid_step: {error}") from error


def _check_published_plan(values: Values) -> None:
    try:
        check_view_plan(
            values["view_plan"] or "",
            values["num_generations"],
            values["noise_levels"],
            values["clean_rollouts"],
        )
    except ValueError as error:
        raise UserError(
            f"view_plan {values['view_plan']}, noise_levels, clean_rollouts: {error}"
        ) from error


def _check_advantage(values: Values) -> None:
    comparing = {
        f"advantage: {values['advantage']}": values["advantage"] in FROM_LEVELS,
        f"level_weight: {values['level_weight']}": values["level_weight"] != "none",
        f"luck_weight: {values['luck_weight']}": values["luck_weight"] < 1,
    }
    for said in (name for name, compares in comparing.items() if compares):
        _check_levels_differ(said, values)


def _check_levels_differ(said: str, values: Values) -> None:
    plan, levels, clean = (values[name] for name in ("view_plan", "noise_levels", "clean_rollouts"))
    reason = (
        f"{said} compares different noise levels, but view_plan {plan!r} "
        f"with noise_levels {levels} "
    )
    require(is_noisy(values), f"{reason}shows every rollout the clean image")
    require(
        is_own("view_plan", plan) or not _one_level(values),
        f"{reason}and clean_rollouts {clean} gives all {values['num_generations']} rollouts of a "
        "group one",
    )


def _one_level(values: Values) -> bool:
    """Tell whether all rollouts of a group are equally noisy."""
    group, levels = values["num_generations"], set(values["noise_levels"] or (0.0, 1.0))
    if values["view_plan"] == "grid":
        return len(levels) == 1
    first = group // 2 if values["view_plan"] == "split" else 1
    clean = first if values["clean_rollouts"] is None else values["clean_rollouts"]
    return clean == group or (clean == 0 and len(levels) == 1)


def _check_generation(values: Values) -> None:
    """Arguments of generation that it does not know, which it would ignore."""
    given = values["generation_kwargs"]
    if not isinstance(given, Mapping) or values["use_vllm"] or not fields.as_tested():
        return
    known = fields.generation()
    for name in given:
        require(name in known, f"generation_kwargs: {name!r} is not known{nearest(name, known)}")


def _check_engine(values: Values) -> None:
    threshold = values["off_policy_mask_threshold"]
    require(
        not (values["use_vllm"] and is_noisy(values) and threshold is not None),
        f"off_policy_mask_threshold: {threshold} compares the log-probs of view and clean image "
        "and would mask noisy rollouts; leave it out",
    )
    compared = values["log_view_ratio"] or values["view_correction"] != "none"
    cut = {name: values[name] for name, off in (("top_k", 0), ("top_p", 1.0), ("min_p", None))
           if values[name] not in (off, None)}  # fmt: skip
    require(
        not (values["use_vllm"] and compared and cut),
        f"{', '.join(f'{name}: {value}' for name, value in cut.items())}: vLLM gives log-probs "
        "renormalised to what it samples from, the learner those of all tokens; with "
        "view_correction or log_view_ratio give top_k 0, top_p 1 and no min_p",
    )
    noise = NOISE_KINDS.get(str(values["noise_kind"]))
    require(
        not (values["log_view_ratio"] and noise is not None and declared(noise, "changes_size")),
        "log_view_ratio: true needs views of the image's size, which noise_kind "
        f"{values['noise_kind']!r} changes",
    )
