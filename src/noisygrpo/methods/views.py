"""Views: what each rollout of a group sees.

A view is a noise level, a share of the reference reasoning given as a hint, and whether the noise
is one draw that all noisy rollouts of the prompt share. Whatever the view, the policy update scores
the completion on the clean image.

Plans (``group`` = G rollouts of one prompt at one step; ``scale`` in [0, 1] comes from
``schedules``):

    clean    level_i = 0                                                        GRPO
    grid     level_i = scale * levels[i mod L]                                  NoisyGRPO, code
    uniform  level_i = 0 for i < clean, else scale * U[low, high]               NoisyGRPO, paper
    split    level_i = 0 for i < n1 = clean, else scale * levels[0], n2 = G - n1   NoisyRollout

``grid`` and ``uniform`` draw the noise of every rollout anew; in ``split`` the noisy rollouts share
one draw, so they see the same picture.

A level so small that no noise is drawn for it (it rounds to step 0 of the diffusion, as an annealed
one does in the end) is level 0: the rollout sees the clean image, and no prior says otherwise.

Shapes: a plan is ``list[View]`` of length G.

Deliberate deviations: levels drawn in ``uniform`` are addressed by (seed, step, example id,
rollout), so they do not depend on processes or workers (B3, B18, R14); ``split`` allows n1 != n2
(R10); ``grid`` asks for no clean first level, because the clean image is kept apart and never taken
from the group (B2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .noise import SHARED, address, noise_index, noise_seed

PLANS = ("clean", "grid", "uniform", "split")


@dataclass(frozen=True)
class View:
    """What one rollout sees."""

    level: float = 0.0
    """Noise level in [0, 1]; 0 is the clean image."""

    shared_noise: bool = False
    """Whether the noise is the one draw that the prompt's noisy rollouts of this step share."""

    zero_noise: bool = False
    """Whether noise is drawn at level 0 too, of index 0, as the releases do (B2, R11)."""


def view_seed(
    view: View, seed: int, step: int, example_id: str, rollout: int, image: int = 0
) -> np.random.SeedSequence:
    """Return the seed of the noise on picture ``image``, for ``noise.perturb``.

    It is the same for all rollouts whose view shares its noise.
    """
    return noise_seed(seed, step, example_id, SHARED if view.shared_noise else rollout, image)


def check_view_plan(
    plan: str, group: int, levels: Sequence[float] | None, clean: int | None
) -> None:
    """Raise ``ValueError`` naming the field unless ``plan_views`` can serve these settings.

    Meant to be called before training; ``plan_views`` calls it too.
    """
    if plan not in PLANS:
        raise ValueError(f"view plan {plan!r} is not one of {', '.join(PLANS)}")
    if group < 1:
        raise ValueError(f"group is {group}; a plan needs at least one rollout")
    for level in levels or ():
        if not 0.0 <= level <= 1.0:
            raise ValueError(f"levels {list(levels or ())}: {level!r} is outside [0, 1]")
    if clean is not None and plan in ("clean", "grid"):
        raise ValueError(
            f"clean={clean} has no meaning in plan {plan!r}, only in uniform and split"
        )
    if clean is not None and not 0 <= clean <= group:
        raise ValueError(f"clean={clean} rollouts are outside 0..{group}, the size of the group")
    if plan == "grid":
        _check_grid(group, levels)
    if plan == "uniform" and levels and (len(levels) != 2 or levels[0] > levels[1]):
        raise ValueError(
            f"levels {list(levels)}: uniform takes none (U[0, 1]) or two, low and high"
        )
    if plan == "split" and (levels is None or len(levels) != 1):
        raise ValueError(
            f"levels {list(levels or ())}: split takes one, that of the noisy rollouts"
        )
    if plan == "split" and clean is None and group % 2:
        raise ValueError(f"group {group} has no two halves; say how many rollouts are clean")


def _check_grid(group: int, levels: Sequence[float] | None) -> None:
    if not levels:
        raise ValueError("levels is empty; the plan 'grid' needs at least one level")
    if group % len(levels):
        raise ValueError(f"levels {list(levels)}: {len(levels)} do not divide a group of {group}")


def plan_views(
    plan: str,
    group: int,
    *,
    levels: Sequence[float] | None = None,
    seed: int = 0,
    step: int = 0,
    example_id: str = "",
    scale: float = 1.0,
    clean: int | None = None,
) -> list[View]:
    """Return the views of one prompt's rollouts at one step; a pure function of its arguments.

    Args:
        plan: one of ``PLANS``; see the module's table.
        group: number of rollouts, G.
        levels: in [0, 1]. ``grid``: cycled over the group. ``split``: one. ``uniform``: low and
            high, or none for U[0, 1]. ``clean``: ignored.
        seed, step, example_id: the address of the levels that ``uniform`` draws.
        scale: factor in [0, 1] on every level, from ``schedules.noise_scale``.
        clean: number of clean rollouts; ``uniform``: default 1, ``split``: default G / 2.

    Raises:
        ValueError: naming the field, as ``check_view_plan`` does, and for a scale outside [0, 1].
    """
    check_view_plan(plan, group, levels, clean)
    if not 0.0 <= scale <= 1.0:
        raise ValueError(f"scale {scale!r} is outside [0, 1]")
    if plan == "clean":
        return [View()] * group
    if plan == "uniform":
        first = 1 if clean is None else clean
        return _uniform(group, levels or (0.0, 1.0), seed, step, example_id, scale, first)
    assert levels  # as check_view_plan demands
    if plan == "grid":
        return [View(level=_drawn(scale * levels[i % len(levels)])) for i in range(group)]
    n_clean = group // 2 if clean is None else clean
    noisy = View(level=_drawn(scale * levels[0]), shared_noise=True)
    return [View()] * n_clean + [noisy] * (group - n_clean)


def _uniform(
    group: int,
    levels: Sequence[float],
    seed: int,
    step: int,
    example_id: str,
    scale: float,
    clean: int,
) -> list[View]:
    low, high = levels
    views = [View()] * clean
    for rollout in range(clean, group):
        rng = np.random.default_rng(address("level", seed, step, example_id, rollout))
        views.append(View(level=_drawn(scale * (low + (high - low) * float(rng.random())))))
    return views


def _drawn(level: float) -> float:
    """Return the level; 0 where ``perturb`` draws nothing for it."""
    return level if noise_index(level) > 0 else 0.0
