"""``noisygrpo evaluate --model DIR``: a model on the splits of a recipe, or on a benchmark."""

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

SAME = (
    "benchmark",
    "prompt",
    "batch_size",
    "max_new_tokens",
    "text_bias_scale",
    "noise_level",
    "noise_kind",
    "text_only",
    "engine",
    "judge_url",
    "judge_model",
)
"""Options that are fields of ``EvaluationRequest`` by the same name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "--recipe",
        help="whose data and evaluation sections count (default: those of the run that the model "
        "came from, else playground)",
    )
    parser.add_argument("--split", nargs="+", default=[], help="splits instead of the recipe's")
    parser.add_argument("--rows", type=int, help="at most so many rows of each split")
    parser.add_argument("--output-dir", help="default: runs/evaluation/<model>")
    bench = parser.add_argument_group("on a benchmark")
    bench.add_argument("--benchmark", help="its name; an unknown one lists them")
    bench.add_argument("--data", metavar="PATH", help="a local copy of the benchmark's data")
    bench.add_argument("--prompt", default="official", help="official, a prompt's name, or a text")
    bench.add_argument("--batch-size", type=int, default=32)
    bench.add_argument("--max-new-tokens", type=int, help="default: the benchmark's")
    bench.add_argument("--text-bias-scale", type=float, default=0.0)
    bench.add_argument("--noise-level", type=float, default=0.0)
    bench.add_argument("--noise-kind", default="gaussian")
    bench.add_argument("--text-only", action="store_true", help="without the images")
    bench.add_argument(
        "--robustness", nargs="+", default=[], metavar="KIND", help="measure a curve"
    )
    bench.add_argument("--engine", default="hf", help="hf or vllm")
    bench.add_argument("--judge-url", default="", help="OpenAI-compatible endpoint, a second judge")
    bench.add_argument("--judge-model", default="")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.console import quiet_libraries

    quiet_libraries()
    models = [text for name, text in args.overrides if name in ("model", "model.path")]
    require(bool(models), "evaluate needs --model: a folder, a hub id, or playground")
    if args.benchmark is None:
        return _on_splits(args, models[-1])
    return _on_benchmark(args, models[-1])


def _on_benchmark(args: argparse.Namespace, model: str) -> int:
    """Evaluate on a benchmark with its own prompts, scorer and metrics."""
    from noisygrpo.evaluation.run import EvaluationRequest, run_evaluation

    data = [text for name, text in args.overrides if name in ("data", "data.source")]
    wrong = [name for name, _ in args.overrides if name.split(".")[0] not in ("model", "data")]
    require(not wrong, f"--{', --'.join(wrong)}: a benchmark has no recipe to override")
    require(len(args.split) <= 1, f"--split {' '.join(args.split)}: a benchmark takes one split")
    request = EvaluationRequest(
        model=model,
        data=data[-1] if data else "",
        split=args.split[0] if args.split else "",
        limit=args.rows,
        out_dir=args.output_dir or "",
        robustness=tuple(args.robustness),
        **{name: vars(args)[name] for name in SAME},
    )
    result = run_evaluation(request)
    print(f"\n{args.benchmark}: {result}\nevery sample and its verdict: {request.folder}")
    return 0


def _on_splits(args: argparse.Namespace, model_path: str) -> int:
    """Evaluate on the splits of a recipe."""
    from noisygrpo.evaluation.evaluate import evaluate_rows
    from noisygrpo.evaluation.generate import Generation
    from noisygrpo.loading import default_device, load_any_processor, load_model
    from noisygrpo.prepare import load_splits
    from noisygrpo.recipe import EvaluationSpec
    from noisygrpo.report.table import results_table
    from noisygrpo.training.vision import set_pixel_limits

    recipe = _recipe(args, model_path)
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


def _recipe(args: argparse.Namespace, model_path: str) -> Recipe:
    """The recipe whose data is evaluated, with the options as overrides."""
    from noisygrpo.recipe import PLAYGROUND, EvaluationSpec, load_recipe
    from noisygrpo.run import RECIPE_FILE

    overrides = list(args.overrides)
    if args.split:
        overrides.append(("evaluation.splits", f"[{', '.join(args.split)}]"))
    if args.rows is not None:
        overrides.append(("evaluation.rows", str(args.rows)))
    made_by = Path(model_path).parent / RECIPE_FILE
    recipe = load_recipe(
        args.recipe or (str(made_by) if made_by.is_file() else PLAYGROUND), overrides
    )
    return recipe if recipe.evaluation is not None else replace(recipe, evaluation=EvaluationSpec())
