"""A user's noise, view plan or advantage on a small example, before a model is loaded.

Each is called as a run calls it. Refused, in one line that names function and field: what its guard
refuses (``resolve``); an input modified in place; a result that differs when it is asked again at
the same address; a global generator of random numbers that was used (Python's, NumPy's, torch's),
since a resumed run, or one on other processes, would not draw the same; and an advantage of one
group that changes with the other groups of the batch and does not say so.

At level 0 no noise is called: the picture stays the object that it is, whatever the function.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from noisygrpo.errors import UserError, require
from noisygrpo.methods.declared import declared
from noisygrpo.methods.level_means import LevelMeans
from noisygrpo.methods.noise import perturb
from noisygrpo.methods.views import View, plan_views
from noisygrpo.own.resolve import takes
from noisygrpo.user_code import generators_kept

SIZES = ((64, 48), (33, 57))
"""Width and height of the pictures that a noise is tried on."""

LEVELS = (0.001, 0.3, 0.7, 1.0)
"""The smallest that draws something, and the largest, among them."""


DRAW = "draw from rng, the generator that it may name, so that a resumed run draws the same"


def repeatable(
    where: str, call: Callable[[], Any], same: Callable[[Any, Any], bool], instead: str = DRAW
) -> Any:
    """Return what a call gives, once it is seen to give it again and to use no global generator.

    Raises:
        UserError: naming the generator, or saying that two calls at one address differ; or what
            the call raises, if that was no ``UserError``.
    """
    try:
        return _repeatable(where, call, same, instead)
    except UserError:
        raise
    except Exception as error:  # of a published function: its knobs
        raise UserError(f"{where}: {error}") from error


def _repeatable(
    where: str, call: Callable[[], Any], same: Callable[[Any, Any], bool], instead: str
) -> Any:
    with generators_kept() as used:
        first = call()
        drawn = used()
        require(
            not drawn,
            f"{where} uses the global random numbers of {' and '.join(drawn)}; {instead}",
        )
        again = call()
    require(
        same(first, again),
        f"{where} gives another result when it is called again with the same arguments; keep "
        f"nothing from call to call, and {instead}",
    )
    return first


def try_noise(name: str, noise: Callable[..., Image.Image]) -> None:
    """Try a noise at four levels on two pictures."""
    where = f"noise_kind: {name}"
    for size, level in itertools.product(SIZES, LEVELS):
        picture = example_picture(size)
        before = picture.tobytes()
        repeatable(
            where,
            functools.partial(perturb, picture, level, 0, noise),
            lambda one, other: one.size == other.size and one.tobytes() == other.tobytes(),
        )
        require(
            picture.tobytes() == before,
            f"{where} modifies the picture that it gets (at level {level}); work on a copy",
        )


def example_picture(size: tuple[int, int]) -> Image.Image:
    """Return an RGB picture of smooth colours with every value from dark to bright."""
    small = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def try_plan(
    name: str,
    plan: Callable[..., Any],
    group: int,
    levels: Sequence[float] | None,
    clean: int | None,
) -> list[list[View]]:
    """Try a view plan for three prompts at two steps; returns what each group sees."""
    where, seen = f"view_plan: {name}", None if levels is None else list(levels)
    ask = functools.partial(plan_views, plan, group, levels=seen, clean=clean)
    groups: list[list[View]] = []
    for step, example in itertools.product((1, 2), ("first", "second", "third")):
        call = functools.partial(ask, step=step, example_id=example)
        groups.append(repeatable(where, call, operator.eq))
        require(
            seen == (None if levels is None else list(levels)),
            f"{where} modifies the levels that it gets; work on a copy",
        )
    return groups


def try_advantage(name: str, estimator: Callable[..., Any], levels: Sequence[float]) -> None:
    """Try an advantage on six groups, together and apart."""
    where = f"advantage: {name}"
    rewards = example_rewards(len(levels))
    noise = torch.tensor(levels, dtype=torch.float64).expand_as(rewards).contiguous()
    means = LevelMeans().after(rewards, noise)

    def weigh(rows: Sequence[int]) -> Tensor:
        seen = rewards[list(rows)], noise[list(rows)]
        offered = {"correct": seen[0] >= 1.0, "means": means}
        options = {key: one for key, one in offered.items() if takes(estimator, key)}
        return estimator(seen[0], levels=seen[1], **options).advantages

    whole, last = range(len(rewards) - 1), len(rewards) - 1
    together = repeatable(where, lambda: weigh(whole), torch.equal, "draw nothing")
    if declared(estimator, "across_groups"):
        repeatable(where, lambda: weigh([*whole, last]), torch.equal, "draw nothing")
        return
    try:
        weigh([last])
    except UserError as error:
        raise UserError(
            f"{error} (of a group with an unscorable completion it gets the others alone: "
            f"{len(levels) - 1} of {len(levels)})"
        ) from error
    for row in whole:
        alone = weigh([row])[0]
        require(
            torch.allclose(alone, together[row], rtol=1e-6, atol=1e-9),
            f"{where} gives the group of rewards {_short(rewards[row])} the weights "
            f"{_short(alone)} alone and {_short(together[row])} beside other groups; use "
            "statistics of each group (dim=1, keepdim=True), or say so in its file: "
            f"{name.rpartition(':')[2]}.across_groups = True",
        )


def example_rewards(group: int) -> Tensor:
    """Return ``float64 [6, group]``: mixed, distinct, all equal, all 0, one out, one unscorable."""
    places = torch.arange(group, dtype=torch.float64)
    rows = [
        places % 2,
        places / group * 2.0,
        torch.ones_like(places),
        torch.zeros_like(places),
        (places == group - 1).double(),
        torch.where(places == 0, torch.nan, 1.0 - places % 2),
    ]
    return torch.stack(rows)


def _short(row: Tensor) -> str:
    numbers = ", ".join(f"{value:.3g}" for value in row[:4].tolist())
    return f"[{numbers}{', …' if row.numel() > 4 else ''}]"
