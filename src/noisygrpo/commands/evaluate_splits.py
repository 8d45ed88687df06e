"""``noisygrpo evaluate`` without ``--benchmark``: a model on the splits of a recipe."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.evaluate import evaluate_rows
from noisygrpo.evaluation.fingerprint import model_fingerprint
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.processes import ALONE, Processes
from noisygrpo.evaluation.samples import refuse_leftovers, remove_evaluation, write_atomic
from noisygrpo.evaluation.view import EvaluationView
from noisygrpo.models.loading import default_device, load_any_processor, load_model, location
from noisygrpo.models.spec import PLAYGROUND
from noisygrpo.models.vision import noise_limits, set_pixel_limits
from noisygrpo.recipes.found import found_recipe
from noisygrpo.recipes.recipe import EvaluationSpec, Recipe, dump_recipe, load_recipe
from noisygrpo.report.result import write_report
from noisygrpo.report.table import results_table
from noisygrpo.runs.prepare import load_splits
from noisygrpo.runs.train import RECIPE_FILE
from noisygrpo.terminal import say

_LIMITS = ("min_pixels", "max_pixels")


def evaluate_splits(
    args: argparse.Namespace,
    model_path: str,
    given: Mapping[str, Any],
    processes: Processes = ALONE,
) -> int:
    """Evaluate on the splits of a recipe; ``given``: the options of decoding and view."""
    recipe = _recipe(args, model_path, given)
    generation = _generation(recipe, given)
    _view(given)  # is what it says allowed?
    # Before the rows, which take longer: whether there is such a model at all.
    weights = model_fingerprint(location(recipe.model), recipe.model.revision)
    splits = load_splits(recipe)
    folder = _folder(args, recipe, splits, weights)
    limits = {name: given.get(name, recipe.training.get(name)) for name in _LIMITS}
    model = load_model(recipe.model).to(default_device())
    processor = load_any_processor(recipe.model)
    set_pixel_limits(processor, **limits)
    view = _view(given, processor)
    results = {}
    for split, rows in splits.items():
        if args.overwrite and processes.main:
            remove_evaluation(folder / split)
        processes.wait()
        results[split] = evaluate_rows(
            model,
            processor,
            rows,
            folder / split,
            generation=generation,
            view=None if view == EvaluationView(seed=view.seed) else view,
            name=split,
            settings={"model": recipe.model.path, "weights": weights, **limits},
            processes=processes,
        ).to_dict()
        if processes.main:
            write_report(folder / split)
            write_atomic(folder / split / RECIPE_FILE, dump_recipe(recipe))
    if not processes.main:
        return 0
    text = f"accuracy in percent ± standard error\n{results_table(results)}"
    write_atomic(folder / "report.txt", f"{text}\n")
    say(f"\n{text}\n\nevery sample and its verdict: {folder}")
    return 0


def _folder(
    args: argparse.Namespace, recipe: Recipe, splits: Mapping[str, Any], weights: str
) -> Path:
    """Where the splits' folders are, or will be."""
    folder = Path(args.output_dir or f"runs/evaluation/{'-'.join(_last_two(recipe.model.path))}")
    require(not folder.exists() or folder.is_dir(), f"--output-dir: {folder} is a file")
    if args.overwrite:
        refuse_leftovers(folder, splits, weights, lambda found: "benchmark" not in found)
    return folder


def _last_two(path: str) -> tuple[str, ...]:
    return Path(path).parts[-2:]


def _generation(recipe: Recipe, given: Mapping[str, Any]) -> Generation:
    """Decoding as the recipe's evaluation section says, where no option says otherwise."""
    names = {field.name for field in fields(Generation)}
    spec = asdict(recipe.evaluation or EvaluationSpec())
    settings = {name: value for name, value in {**spec, **given}.items() if name in names}
    return Generation(**settings)


def _view(given: Mapping[str, Any], processor: Any = None) -> EvaluationView:
    """What the model sees; with its processor, noise is on pictures within that one's limits."""
    at, level = given.get("noise_at"), given.get("noise_level", 0.0)
    require(at in (None, "model", "file"), f"noise_at: {at!r}, allowed are model, file")
    require(at is None or level > 0, f"noise_at: {at!r} has no effect without noise_level")
    return EvaluationView(
        kind=given.get("noise_kind", "gaussian"),
        level=level,
        text_only=given.get("text_only", False),
        seed=given.get("seed", 0),
        limits=noise_limits(at, processor) if processor is not None and level > 0 else None,
    )


def _recipe(args: argparse.Namespace, model_path: str, given: Mapping[str, Any]) -> Recipe:
    """The recipe whose data is evaluated, with the options as overrides."""
    overrides = list(args.overrides)
    if args.split:
        overrides.append(("evaluation.splits", f"[{', '.join(args.split)}]"))
    if args.rows is not None:
        overrides.append(("evaluation.rows", str(args.rows)))
    for name in ("batch_size", "max_new_tokens"):
        if name in given:
            overrides.append((f"evaluation.{name}", str(given[name])))
    made_by = Path(model_path).parent / RECIPE_FILE
    if args.recipe is None and Path(model_path).is_dir() and made_by.is_file():
        say(f"the rows and how they are asked are those of {made_by}, found beside the model")
        recipe = found_recipe(made_by, overrides)
    else:
        recipe = load_recipe(args.recipe or PLAYGROUND, overrides)
    return recipe if recipe.evaluation is not None else replace(recipe, evaluation=EvaluationSpec())
