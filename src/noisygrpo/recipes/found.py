"""The recipe that lies beside a model and was not named: what it may say, and what it may not.

``noisygrpo evaluate --model DIR/checkpoint`` looks into ``DIR/recipe.yaml`` for the rows that the
model is to be measured on. Whoever made the folder wrote that file, and the user has not consented
to anything in it. So only what an evaluation needs is read::

    data         all fields; files and folders must lie below the working directory, and an adapter
                 is one of ours, no function
    evaluation   all fields, likewise
    training     min_pixels, max_pixels
    model        dtype

Never read: ``trust_remote_code`` and the rest of ``model``, ``rewards`` (which can be code),
``base`` (another file) and everything else. A recipe that is named with ``--recipe`` counts whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError, require
from noisygrpo.fields import hints
from noisygrpo.models.spec import PLAYGROUND
from noisygrpo.recipes.layers import SHORT, read_text
from noisygrpo.recipes.recipe import EvaluationSpec, Recipe, recipe_from
from noisygrpo.yaml_text import read_yaml

TAKEN: dict[str, tuple[str, ...]] = {
    "data": tuple(hints("data")),
    "evaluation": tuple(field.name for field in fields(EvaluationSpec)),
    "training": ("min_pixels", "max_pixels"),
    "model": ("dtype",),
}
"""Sections and their fields that count in a recipe that was found."""

PATHS = ("data.source", "data.image_root", "evaluation.source")
"""Fields that can be a file or a folder."""


def found_recipe(path: Path, overrides: Sequence[tuple[str, str]] = ()) -> Recipe:
    """Read what counts in the recipe at ``path``, then apply the user's own overrides.

    Raises:
        UserError: it names a file or folder outside the working directory and no override does, or
            what counts in it is wrong.
    """
    document = read_yaml(read_text(path), str(path))
    require(
        isinstance(document, Mapping),
        f"{path}: a recipe is a mapping of sections, not "
        + ("an empty file" if document is None else type(document).__name__),
    )
    kept = {name: _taken(document[name], name) for name in TAKEN if document.get(name) is not None}
    given = {name for name, _ in overrides}
    for field in PATHS:
        section, _, key = field.partition(".")
        if not given & {field, section}:
            for value in _places(kept.get(section, {}).get(key), field):
                _require_inside(path, field, value)
    adapter = str(kept.get("data", {}).get("adapter"))
    require(
        ":" not in adapter or "data.adapter" in given,
        f"{path} was found beside the model, not named, and its data.adapter: {adapter!r} is code; "
        f"if you trust it, name it: --recipe {path}",
    )
    # Neither is used in an evaluation, and a recipe must have both.
    return recipe_from({**kept, "method": "grpo", "rewards": []}, overrides, "found")


def _taken(section: Any, name: str) -> dict[str, Any]:
    """The fields of a section that count; one given as plain text is its main field."""
    if isinstance(section, str) and name in SHORT:
        section = {SHORT[name]: section}
    require(isinstance(section, Mapping), f"{name}: {section!r} is not a mapping")
    return {key: value for key, value in section.items() if key in TAKEN[name]}


def _places(value: Any, field: str) -> Iterator[Any]:
    """A source or folder; of several sources the file that lists them, and then each."""
    yield value
    if field.endswith(".source") and isinstance(value, (str, list)):
        from noisygrpo.data.parts import parts_of

        for part in parts_of(value, field) or []:
            yield from (part.source, part.image_root)


def _require_inside(path: Path, field: str, value: Any) -> None:
    """See that a source or folder is the built-in one, a hub id, or below the working directory."""
    if not isinstance(value, str) or value in ("", PLAYGROUND):
        return
    here = Path.cwd().resolve()
    try:
        inside = Path(value).expanduser().resolve().is_relative_to(here)
    except (OSError, RuntimeError, ValueError):  # a loop of links, no such home, a null character
        inside = False
    if not inside:
        raise UserError(
            f"{path} was found beside the model, not named, and its {field} {value!r} lies outside "
            f"the working directory; if you trust it, name it: --recipe {path}"
        )
