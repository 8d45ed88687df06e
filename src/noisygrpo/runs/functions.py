"""The files with a user's functions that a recipe names: part of what a run is, and kept with it.

A resumed run takes the named file, and is refused where its content is another one than the
checkpoint's (``identity``).
"""

from __future__ import annotations

from pathlib import Path

from noisygrpo.own.choice import FIELDS
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.user_code import copies, is_user_function, keep_files


def named(recipe: Recipe) -> dict[str, str]:
    """Return each field that names a user's function, with ``path.py:function``."""
    found = {f"rewards[{number}]": item["name"] for number, item in enumerate(recipe.rewards)}
    found |= {"data.adapter": recipe.data.adapter}
    found |= {f"training.{field}": recipe.training.get(field) for field in FIELDS}
    return {field: name for field, name in found.items() if is_user_function(name)}


def contents(recipe: Recipe) -> dict[str, str]:
    """Return each named file with the name of its copy, which says its content.

    Raises:
        UserError: a file is not there (any more).
    """
    return copies(named(recipe))


def keep(recipe: Recipe, folder: Path) -> None:
    """Copy every named file into a run's folder; what is there stays."""
    keep_files(named(recipe), folder)
