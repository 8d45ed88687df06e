"""The files with a user's functions that a run uses: kept in its folder, and part of what it is.

A copy is called by what is in it (``functions/mine-1a2b3c4d5e6f.py``), so an edited file lies
beside the one before. A resumed run takes the named file, and is refused where its content is
another one than the checkpoint's (``identity``).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from noisygrpo.own.choice import FIELDS
from noisygrpo.recipes.recipe import Recipe
from noisygrpo.user_code import content_name, is_user_function, user_file

FOLDER = "functions"
"""In a run's folder."""


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
    files = {str(user_file(name, field)): name for field, name in named(recipe).items()}
    return {file: f"{FOLDER}/{content_name(Path(file))}" for file in files}


def keep(recipe: Recipe, folder: Path) -> None:
    """Copy every named file into a run's folder; what is there stays."""
    for file, copy in contents(recipe).items():
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        if not (folder / copy).is_file():
            shutil.copyfile(file, folder / copy)
