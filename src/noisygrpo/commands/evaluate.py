"""``noisygrpo evaluate --model DIR``: accuracy of a model on the splits of a recipe."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from noisygrpo.errors import require

if TYPE_CHECKING:
    from noisygrpo.recipe import Recipe

SUMMARY = "Measure a model: accuracy with standard error, every sample on disk, resumable."
TAKES_RECIPE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "--recipe",
        help="whose data and evaluation sections count (default: those of the run that the model "
        "came from, else playground)",
    )
    parser.add_argument("--split", nargs="+", default=[], help="splits instead of the recipe's")
    parser.add_argument("--rows", type=int, help="rows of each split instead of the recipe's")
    parser.add_argument("--output-dir", help="default: runs/evaluation/<model>")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.console import quiet_libraries
    from noisygrpo.evaluation.evaluate import evaluate_rows
    from noisygrpo.evaluation.generate import Generation
    from noisygrpo.loading import default_device, load_any_processor, load_model
    from noisygrpo.prepare import load_splits
    from noisygrpo.recipe import EvaluationSpec
    from noisygrpo.report.table import results_table
    from noisygrpo.training.vision import set_pixel_limits

    quiet_libraries()
    recipe = _recipe(args)
    splits = load_splits(recipe)
    spec = recipe.evaluation or EvaluationSpec()
    name = "-".join(Path(recipe.model.path).parts[-2:])
    folder = Path(args.output_dir or f"runs/evaluation/{name}")
    model = load_model(recipe.model).to(default_device())
    processor = load_any_processor(recipe.model)
    limits = (recipe.training.get(name) for name in ("min_pixels", "max_pixels"))
    set_pixel_limits(processor, *limits)
    generation = Generation(batch_size=spec.batch_size, max_new_tokens=spec.max_new_tokens)
    results = {
        split: evaluate_rows(
            model,
            processor,
            rows,
            folder / split,
            generation=generation,
            name=split,
            settings={"model": recipe.model.path},
        ).to_dict()
        for split, rows in splits.items()
    }
    print(f"\naccuracy in percent ± standard error\n{results_table(results)}")
    print(f"\nevery sample and its verdict: {folder}")
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    """The recipe whose data is evaluated, with the options as overrides."""
    from noisygrpo.recipe import PLAYGROUND, EvaluationSpec, load_recipe
    from noisygrpo.run import RECIPE_FILE

    overrides = list(args.overrides)
    if args.split:
        overrides.append(("evaluation.splits", f"[{', '.join(args.split)}]"))
    if args.rows is not None:
        overrides.append(("evaluation.rows", str(args.rows)))
    models = [text for name, text in overrides if name in ("model", "model.path")]
    require(bool(models), "evaluate needs --model: a folder, a hub id, or playground")
    made_by = Path(models[-1]).parent / RECIPE_FILE
    recipe = load_recipe(
        args.recipe or (str(made_by) if made_by.is_file() else PLAYGROUND), overrides
    )
    return recipe if recipe.evaluation is not None else replace(recipe, evaluation=EvaluationSpec())
