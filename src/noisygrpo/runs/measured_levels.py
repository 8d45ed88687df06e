"""``noise_levels: measured``: a run that measures first and trains at what was proposed.

That is the whole grid (view plan ``grid``), the levels at which 75 and 25 % are left (``uniform``),
or half (``split``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.recipes.recipe import Recipe, load_recipe
from noisygrpo.report.levels import levels_text
from noisygrpo.runs.folder import RECIPE_FILE
from noisygrpo.runs.levels import (
    LEVELS_FILE,
    PLOT_FILE,
    LevelsPlan,
    asked_of,
    measure_levels,
    unmeasured,
)
from noisygrpo.runs.prepare import prepare
from noisygrpo.terminal import say
from noisygrpo.training.settings import MEASURED


def with_measured_levels(
    recipe: Recipe, folder: Path, *, resume: bool = False
) -> tuple[Recipe, Path | None]:
    """Return the recipe with levels in the place of ``measured``, and where these are from.

    Args:
        recipe: as given.
        folder: the run's; its neighbour ``levels`` keeps what was measured, for other runs too.
        resume: take the levels that the folder's recipe has; nothing is measured again.

    Raises:
        UserError: nothing can be proposed, or several processes would measure.
    """
    training = recipe.training
    if training.get("noise_levels") != MEASURED:
        return recipe, None
    if resume:
        levels = load_recipe(str(folder / RECIPE_FILE)).training["noise_levels"]
        return replace(recipe, training={**training, "noise_levels": levels}), None
    require(
        os.environ.get("WORLD_SIZE", "1") == "1",
        "training.noise_levels: 'measured' measures in one process; run `noisygrpo levels` with "
        "the recipe first, and give the levels that it proposes",
    )
    say("noise_levels: measured; accuracy by level comes first")
    prepared = prepare(unmeasured(recipe), str(folder))
    plan = LevelsPlan()
    *_, name = asked_of(recipe, prepared, plan)
    found, where = measure_levels(recipe, folder.parent / "levels" / name, plan)
    say(levels_text(found))
    levels = chosen_levels(found, str(prepared.config.view_plan))
    say(f"noise_levels: {levels}")
    return replace(recipe, training={**training, "noise_levels": levels}), where


def chosen_levels(found: Mapping[str, Any], view_plan: str) -> list[float]:
    """Return the levels of a measurement that suit a view plan.

    Raises:
        UserError: there is none.
    """
    by_share = {entry["left"]: entry["level"] for entry in found["grid"]}
    shares = {"uniform": (0.75, 0.25), "split": (0.5,)}.get(view_plan, tuple(by_share))
    levels = [by_share.get(share) for share in shares]
    require(
        bool(levels) and None not in levels,
        f"training.noise_levels: 'measured' found no level for each of the shares "
        f"{', '.join(f'{share:.0%}' for share in shares)}: {found['verdict']}; give levels",
    )
    return [float(level) for level in levels if level is not None]


def keep_levels(where: Path | None, folder: Path) -> None:
    """Copy a measurement's numbers and plot, if there was one, into the run's folder."""
    if where is not None:
        for name in (LEVELS_FILE, PLOT_FILE):
            (folder / name).write_bytes((where / name).read_bytes())
