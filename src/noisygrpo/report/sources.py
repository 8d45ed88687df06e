"""The rows that a run was trained on and that evaluations answered, for their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError
from noisygrpo.report.evaluations import EvaluationSet
from noisygrpo.report.pictures import Row

RECIPE = "recipe.yaml"


@dataclass(frozen=True)
class Where:
    """Where rows come from, as far as the user says."""

    recipe: Path | None = None
    data: str = ""  # a local copy of a benchmark
    image_root: str = ""


class Found:
    """Rows of a data set by their ids, decoded when they are asked for."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self._places = {str(name): place for place, name in enumerate(data["example_id"])}

    def __call__(self, example: str) -> Row | None:
        """A row with its images; None where there is none of that id."""
        place = self._places.get(example)
        return None if place is None else self._data[place]

    def texts(self, example: str) -> Row | None:
        """A row without its images."""
        place = self._places.get(example)
        if place is None:
            return None
        if not hasattr(self, "_plain"):
            names = [n for n in ("prompt", "answer", "question") if n in self._data.column_names]
            self._plain = self._data.select_columns(names)
        row: Row = self._plain[place]
        return row


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


class Sources:
    """Loads rows, each source once. What lies in a run's folder is read only as far as
    ``recipes.found`` allows; a recipe that the user names counts whole.
    """

    def __init__(self, where: Where) -> None:
        """Take what the user says.

        Raises:
            UserError: a recipe that is named is none.
        """
        self._where = where
        if where.recipe is not None:
            self._recipe()
        self._loaded: dict[str, Found] = {}

    def training(self, folder: Path) -> tuple[Found | None, str]:
        """The rows of a run, or None and why there are none."""
        from noisygrpo.data.sources import load

        try:
            recipe = self._recipe(folder)
            if recipe is None:
                return None, f"no {RECIPE} says which rows; --recipe names one"
            key = repr(recipe.data)
            if key not in self._loaded:
                self._loaded[key] = Found(load(recipe.data, check_images=False).data)
            return self._loaded[key], ""
        except UserError as error:
            return None, str(error)

    def measured(self, one: EvaluationSet, folder: Path) -> tuple[Found | None, str]:
        """The rows of an evaluation, or None and why there are none; ``folder``: of its run."""
        try:
            if "benchmark" in one.settings:
                return self._benchmark(one.settings), ""
            found = self._split(one, folder)
            why = "" if found is not None else "no recipe says which rows; --recipe names one"
            return found, why
        except UserError as error:
            return None, str(error)

    def _benchmark(self, settings: Mapping[str, Any]) -> Found:
        from noisygrpo.evaluation.request import EvaluationRequest
        from noisygrpo.evaluation.run import load_benchmark

        names = ("benchmark", "split", "prompt", "system")
        given: dict[str, Any] = {name: settings[name] for name in names if settings.get(name)}
        given |= {"data": self._where.data, "image_root": self._where.image_root}
        request = EvaluationRequest(model=str(settings.get("model")), **given)
        if repr(request) not in self._loaded:
            self._loaded[repr(request)] = FromCells(load_benchmark(request)[1])
        return self._loaded[repr(request)]

    def _split(self, one: EvaluationSet, folder: Path) -> Found | None:
        from noisygrpo.data.splits import load_measured
        from noisygrpo.recipes.recipe import EvaluationSpec, load_recipe

        recipe = self._recipe(one.folder, folder, Path(str(one.settings.get("model", ""))).parent)
        if recipe is None and one.settings.get("model") == "playground":
            recipe = load_recipe("playground")
        if recipe is None:
            return None
        spec = recipe.evaluation or EvaluationSpec()
        spec = replace(spec, splits=[one.task], rows=max(spec.rows or 0, len(one.samples)))
        key = repr((recipe.data, spec.splits, spec.source, spec.rows))
        if key not in self._loaded:
            loaded = load_measured(recipe.data, spec.splits, spec.source, spec.rows)
            self._loaded[key] = Found(loaded[one.task].data)
        return self._loaded[key]

    def _recipe(self, *folders: Path) -> Any:
        """The recipe that the user names, or the first that lies in a folder."""
        from noisygrpo.recipes.found import found_recipe
        from noisygrpo.recipes.recipe import load_recipe

        if self._where.recipe is not None:
            return load_recipe(str(self._where.recipe))
        paths = [folder / RECIPE for folder in folders if (folder / RECIPE).is_file()]
        return found_recipe(paths[0]) if paths else None
