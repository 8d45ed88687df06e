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

import functools
import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from .noise import SHARED, address, noise_index, noise_seed

Levels = Sequence[float] | None


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


def _clean(group: int) -> list[View]:
    return [View()] * group


def _grid(group: int, levels: Levels) -> list[View]:
    if not levels:
        raise ValueError("levels is empty; the plan 'grid' needs at least one level")
    if group % len(levels):
        raise ValueError(f"levels {list(levels)}: {len(levels)} do not divide a group of {group}")
    return [View(levels[rollout % len(levels)]) for rollout in range(group)]


def _uniform(
    group: int, levels: Levels, clean: int | None, seed: int, step: int, example_id: str
) -> list[View]:
    if levels and (len(levels) != 2 or levels[0] > levels[1]):
        raise ValueError(
            f"levels {list(levels)}: uniform takes none (U[0, 1]) or two, low and high"
        )
    low, high = levels or (0.0, 1.0)
    views = [View()] * (1 if clean is None else clean)
    for rollout in range(len(views), group):
        rng = np.random.default_rng(address("level", seed, step, example_id, rollout))
        views.append(View(low + (high - low) * float(rng.random())))
    return views


def _split(group: int, levels: Levels, clean: int | None) -> list[View]:
    if levels is None or len(levels) != 1:
        raise ValueError(
            f"levels {list(levels or ())}: split takes one, that of the noisy rollouts"
        )
    if clean is None and group % 2:
        raise ValueError(f"group {group} has no two halves; say how many rollouts are clean")
    n_clean = group // 2 if clean is None else clean
    return [View()] * n_clean + [View(levels[0], shared_noise=True)] * (group - n_clean)


PlanFunction = Callable[..., Sequence[View | float]]
"""``f(group, **what it names)``: a view, or its level before ``scale``, for each rollout.

It may name ``levels`` and ``clean`` (the settings, None where they are not given), ``seed``,
``step``, ``example_id`` (the address), and ``rng``, a generator at that address.
"""

PLANS: dict[str, PlanFunction] = {
    "clean": _clean,
    "grid": _grid,
    "uniform": _uniform,
    "split": _split,
}
"""Every plan by its name; its further keywords are knobs."""


def check_view_plan(
    plan: str | PlanFunction, group: int, levels: Levels, clean: int | None
) -> None:
    """Raise ``ValueError`` naming the field unless ``plan_views`` can serve these settings.

    Meant to be called before training; ``plan_views`` makes the same checks.
    """
    plan_views(plan, group, levels=levels, clean=clean)


def plan_views(
    plan: str | PlanFunction,
    group: int,
    *,
    levels: Levels = None,
    seed: int = 0,
    step: int = 0,
    example_id: str = "",
    scale: float = 1.0,
    clean: int | None = None,
) -> list[View]:
    """Return the views of one prompt's rollouts at one step; a pure function of its arguments.

    Args:
        plan: one of ``PLANS``, see the module's table; or a function like those in it.
        group: number of rollouts, G.
        levels: in [0, 1]. ``grid``: cycled over the group. ``split``: one. ``uniform``: low and
            high, or none for U[0, 1]. ``clean``: ignored.
        seed, step, example_id: the address of the levels that ``uniform`` draws.
        scale: factor in [0, 1] on every level, from ``schedules.noise_scale``.
        clean: number of clean rollouts; ``uniform``: default 1, ``split``: default G / 2.

    Raises:
        ValueError: naming what is wrong in the settings, or in what the function returned.
    """
    if isinstance(plan, str) and plan not in PLANS:
        raise ValueError(f"view plan {plan!r} is not one of {', '.join(PLANS)}")
    function = PLANS[plan] if isinstance(plan, str) else plan
    named = _names(function)
    levels = _numbers(levels)
    _check_settings(plan, named, group, levels, clean)
    if not 0.0 <= scale <= 1.0:
        raise ValueError(f"scale {scale!r} is outside [0, 1]")
    offered: dict[str, Any] = {"levels": levels, "clean": clean}
    offered |= {"seed": seed, "step": step, "example_id": example_id}
    given = {name: value for name, value in offered.items() if name in named}
    if "rng" in named:
        given["rng"] = np.random.default_rng(address("plan", seed, step, example_id))
    views = as_views(function(group, **given), group)
    return [replace(view, level=_drawn(scale * view.level)) for view in views]


def _numbers(levels: Any) -> Levels:
    """Levels as floats: of a list, of NumPy's and torch's arrays and numbers."""
    if levels is None or (isinstance(levels, list) and all(type(one) is float for one in levels)):
        return levels
    try:
        return [float(level) for level in levels]
    except (TypeError, ValueError):
        raise ValueError(f"levels {levels!r:.80} are no list of numbers in [0, 1]") from None


OFFERED = ("levels", "clean", "seed", "step", "example_id", "rng")
"""What a plan may name besides its knobs."""


@functools.cache
def _names(function: PlanFunction) -> frozenset[str]:
    """Return what a plan names; a keyword that is bound already (``partial``) stays as it is."""
    bound = function.keywords if isinstance(function, functools.partial) else {}
    return frozenset(inspect.signature(function).parameters) - set(bound)


def _check_settings(
    plan: str | PlanFunction, named: Collection[str], group: int, levels: Levels, clean: int | None
) -> None:
    for name, count in (("group", group), ("clean", clean)):
        if count is not None and (
            not isinstance(count, (int, np.integer)) or isinstance(count, bool)
        ):
            raise ValueError(f"{name}={count!r} is no whole number")
    if group < 1:
        raise ValueError(f"group is {group}; a plan needs at least one rollout")
    for level in levels or ():
        if not 0.0 <= level <= 1.0:
            raise ValueError(f"levels {list(levels or ())}: {level!r} is outside [0, 1]")
    if clean is not None and "clean" not in named:
        raise ValueError(f"clean={clean} has no meaning in plan {plan!r}, which does not take it")
    if clean is not None and not 0 <= clean <= group:
        raise ValueError(f"clean={clean} rollouts are outside 0..{group}, the size of the group")


def as_views(result: Any, group: int) -> list[View]:
    """Return what a plan gave as views; ``ValueError`` where it is not one for each rollout."""
    levels = result.tolist() if hasattr(result, "tolist") else result  # of NumPy, of torch
    if not isinstance(levels, Sequence) or len(levels) != group:
        got = f"{len(levels)} values" if isinstance(levels, Sequence) else type(result).__name__
        raise ValueError(f"returned {got}; a list of {group} levels or views is needed")
    views = []
    for place, one in enumerate(levels):
        view = one if isinstance(one, View) else _as_view(one, place)
        if not 0.0 <= view.level <= 1.0:  # NaN too
            raise ValueError(f"returned level {view.level!r} for rollout {place}, outside [0, 1]")
        views.append(view)
    return views


def _as_view(value: Any, place: int) -> View:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"returned {value!r} for rollout {place}; a level or a View is needed")
    return View(float(value))


def _drawn(level: float) -> float:
    """Return the level; 0 where ``perturb`` draws nothing for it."""
    return level if noise_index(level) > 0 else 0.0
