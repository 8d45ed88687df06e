"""Schedules: how the noise level anneals over training.

The level of a view is its plan's level times ``noise_scale`` in [0, 1]; t = ``step`` counts from 1,
T = ``total`` steps, c = ``coefficient``, m = ``mid_step``:

    none               1
    linear_half        1 - t / (2 T)                              NoisyGRPO, code
    linear             1 - t / T                                  NoisyRollout, code
    sigmoid            1 - 1 / (1 + exp(-c (t - m) / T))          NoisyRollout, code and paper
    power_paper        (1 - t / T)^c,  c = 3                      NoisyRollout, paper
    power_code         1 - (t / T)^c                              NoisyRollout, code
    exponential_paper  c^(t / T),  c = .98                        NoisyRollout, paper
    exponential_code   1 - c^(T - t)                              NoisyRollout, code

NoisyGRPO is arXiv 2510.21122, NoisyRollout arXiv 2504.13055. Published sigmoid settings (level, c,
m, T): 7B Geo3K .5, 30, 40, 60; 7B MMK12 .45, 60, 40, 120; 32B Geo3K .45, 30, 35, 40; 32B MMK12 .45,
30, 35, 70.

Shapes: scalars, float64.

Deliberate deviations from the released codes:
- R3: code and paper disagree on power and exponential; both are here, under names that say which.
- R16: the code form of exponential has no default (the released 1.0 means no noise at all).
- B18: ``linear_half`` follows the optimiser's steps, not the items that a worker loaded.
- B4: the level times 1000 is rounded to a diffusion step (see ``noise``), where the code truncates.
- A step beyond ``total`` counts as ``total``, so that no form leaves [0, 1].
"""

import math
from collections.abc import Callable
from numbers import Integral
from typing import Any


def _sigmoid(t: float, total: float, c: float, mid: float) -> float:
    # 1 - sigmoid(x) = (1 - tanh(x / 2)) / 2, which cannot overflow.
    return 0.5 * (1.0 - math.tanh(0.5 * c * (t - mid) / total))


SCHEDULES: dict[str, Callable[[float, float, float, float], float]] = {
    "none": lambda t, total, c, mid: 1.0,
    "linear_half": lambda t, total, c, mid: 1.0 - 0.5 * t / total,
    "linear": lambda t, total, c, mid: 1.0 - t / total,
    "sigmoid": _sigmoid,
    "power_paper": lambda t, total, c, mid: (1.0 - t / total) ** c,
    "power_code": lambda t, total, c, mid: 1.0 - (t / total) ** c,
    "exponential_paper": lambda t, total, c, mid: c ** (t / total),
    "exponential_code": lambda t, total, c, mid: 1.0 - c ** (total - t),
}
"""Name to ``f(t, T, c, m) -> scale``."""

DEFAULT_COEFFICIENTS = {"sigmoid": 30.0, "power_paper": 3.0, "exponential_paper": 0.98}
"""Published coefficients; ``power_code`` and ``exponential_code`` have none."""

DEFAULT_MID = 2.0 / 3.0
"""Default mid step of ``sigmoid`` as a share of all steps: 40 of 60, as in the 7B Geo3K run."""


def check_schedule(
    name: str, total: int, coefficient: float | None = None, mid_step: float | None = None
) -> None:
    """Raise ``ValueError`` naming the field unless ``noise_scale`` can serve these settings."""
    if name not in SCHEDULES:
        raise ValueError(f"noise schedule {name!r} is not one of {', '.join(SCHEDULES)}")
    if not _at_least(total, 1):
        raise ValueError(f"noise schedule: total is {total}; it must be at least 1 step")
    takes_coefficient = name == "sigmoid" or name.startswith(("power", "exponential"))
    if coefficient is not None and not takes_coefficient:
        raise ValueError(f"noise schedule {name!r} takes no coefficient; found {coefficient!r}")
    if mid_step is not None and name != "sigmoid":
        raise ValueError(f"noise schedule {name!r} takes no mid_step, only sigmoid does")
    if mid_step is not None and not (math.isfinite(mid_step) and mid_step >= 0):
        raise ValueError(f"noise schedule mid_step {mid_step!r} must be finite and at least 0")
    if takes_coefficient and coefficient is None and name not in DEFAULT_COEFFICIENTS:
        raise ValueError(f"noise schedule {name!r} needs a coefficient; the paper gives none")
    if coefficient is not None and not (math.isfinite(coefficient) and coefficient > 0):
        raise ValueError(f"noise schedule coefficient {coefficient!r} must be above 0")
    if coefficient is not None and name.startswith("exponential") and coefficient > 1:
        raise ValueError(f"noise schedule {name!r}: coefficient {coefficient!r} must be at most 1")


def _at_least(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and int(value) >= least


def noise_scale(
    name: str,
    step: int,
    total: int,
    coefficient: float | None = None,
    mid_step: float | None = None,
) -> float:
    """Return the factor in [0, 1] on the noise level at a step.

    Args:
        name: one of ``SCHEDULES``.
        step: global optimiser step, the first is 1; beyond ``total`` it counts as ``total``.
        total: number of training steps, T.
        coefficient: c of the table; default: the published one where there is one.
        mid_step: the step where ``sigmoid`` is one half; default two thirds of ``total``.

    Raises:
        ValueError: naming the field, as ``check_schedule`` does, and for a negative step.
    """
    check_schedule(name, total, coefficient, mid_step)
    if not _at_least(step, 0):
        raise ValueError(f"noise schedule: step is {step}; steps count from 1")
    c = DEFAULT_COEFFICIENTS.get(name, 1.0) if coefficient is None else coefficient
    mid = DEFAULT_MID * total if mid_step is None else mid_step
    return float(SCHEDULES[name](min(step, total), total, c, mid))
