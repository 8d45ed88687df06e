"""The rows that an evaluation answered, for their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError
from noisygrpo.report.evaluations import EvaluationSet
from noisygrpo.report.pictures import Found


@dataclass(frozen=True)
class Where:
    """Where rows come from, as far as the user says."""

    recipe: Path | None = None
    data: str = ""  # a local copy of a benchmark
    image_root: str = ""


def measured_rows(one: EvaluationSet, folder: Path, where: Where) -> tuple[Any, str]:
    """A function from example id to row, and why there is none where there is none.

    Args:
        one: an evaluation.
        folder: of the run, whose recipe says which rows, where the evaluation is part of one.
        where: what the user says.
    """
    try:
        if "benchmark" in one.settings:
            return _benchmark(one.settings, where), ""
        found = _split(one, folder, where)
        return (None, "no recipe says which rows; --recipe names one") if found is None else (
            found, "",
        )  # fmt: skip
    except UserError as error:
        return None, str(error)


def _benchmark(settings: Mapping[str, Any], where: Where) -> Found:
    from noisygrpo.evaluation.request import EvaluationRequest
    from noisygrpo.evaluation.run import load_benchmark

    names = ("benchmark", "split", "prompt", "system")
    given = {name: settings[name] for name in names if settings.get(name)}
    request = EvaluationRequest(
        model=str(settings.get("model")),
        data=where.data,
        image_root=where.image_root,
        **given,
    )
    return FromCells(load_benchmark(request)[1])


class FromCells(Found):
    """Rows whose image cells are as stored."""

    def __call__(self, example: str) -> Any:
        """The row with its images decoded."""
        from noisygrpo.evaluation.rows import BrokenRow, Rows

        if not hasattr(self, "_rows"):
            self._rows = Rows(self._data)
        place = self._places.get(example)
        try:
            return None if place is None else self._rows.open(place)
        except BrokenRow as error:
            raise UserError(str(error)) from error


def _split(one: EvaluationSet, folder: Path, where: Where) -> Found | None:
    from noisygrpo.data.splits import load_measured
    from noisygrpo.recipes.found import found_recipe
    from noisygrpo.recipes.recipe import EvaluationSpec, load_recipe

    recipe = None
    if where.recipe is not None:
        recipe = load_recipe(str(where.recipe))
    else:
        beside = (folder, Path(str(one.settings.get("model", ""))).parent)
        for path in (place / "recipe.yaml" for place in beside):
            if path.is_file() and recipe is None:
                recipe = found_recipe(path)
    if recipe is None and one.settings.get("model") == "playground":
        recipe = load_recipe("playground")
    if recipe is None:
        return None
    spec = recipe.evaluation or EvaluationSpec()
    spec = replace(spec, splits=[one.task], rows=max(spec.rows or 0, len(one.samples)))
    loaded = load_measured(recipe.data, spec.splits, spec.source, spec.rows)
    return Found(loaded[one.task].data)
