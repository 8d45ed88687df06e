"""``noisygrpo evaluate --model DIR``: a model on a benchmark, or on the splits of a recipe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisygrpo.errors import UserError, require
from noisygrpo.terminal import say

if TYPE_CHECKING:
    from noisygrpo.evaluation.request import EvaluationRequest

SUMMARY = "Measure a model: accuracy with standard error, every sample on disk, resumable."
TAKES_RECIPE = True

DECODING = (
    "batch_size", "max_new_tokens", "temperature", "top_p", "seed", "text_bias_scale",
)  # fmt: skip
"""Options that are fields of ``Generation``."""
VIEW = ("noise_level", "noise_kind", "noise_at", "text_only", "max_pixels", "min_pixels")
"""Options about what the model is shown."""
BENCHMARK = (
    "prompt", "system", "image_root", "engine", "robustness", "levels", "judge_url", "judge_model",
    "judge_workers",
)  # fmt: skip
"""Options that a benchmark alone has; like all above they are fields of ``EvaluationRequest``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "--recipe",
        help="without --benchmark: whose data and evaluation sections count (default: those of the "
        "run that the model came from, else playground)",
    )
    parser.add_argument("--split", nargs="+", default=[], help="splits instead of the default ones")
    parser.add_argument("--rows", type=int, help="at most so many rows of each split")
    parser.add_argument("--output-dir", help="default: runs/evaluation/<model>[/<benchmark>]")
    parser.add_argument(
        "--overwrite", action="store_true", help="start anew where the folder holds an evaluation"
    )
    _add_decoding(parser.add_argument_group("decoding"))
    _add_view(parser.add_argument_group("what the model sees"))
    _add_benchmark(parser.add_argument_group("on a benchmark"))


def _add_decoding(group: Any) -> None:
    group.add_argument("--batch-size", type=int, help="rows that decode together (default: 32)")
    group.add_argument("--max-new-tokens", type=int, help="default: the benchmark's")
    group.add_argument("--temperature", type=float, help="0 (default) is greedy")
    group.add_argument("--top-p", type=float, help="nucleus mass of sampling (default: 1)")
    group.add_argument("--seed", type=int, help="of sampling and of noise (default: 0)")
    group.add_argument(
        "--text-bias-scale", type=float, help="text-bias calibration; 0 (default) is off"
    )


def _add_view(group: Any) -> None:
    group.add_argument("--noise-level", type=float, help="noise on the images, 0 to 1")
    group.add_argument("--noise-kind", help="gaussian (default), another, or path.py:function")
    group.add_argument(
        "--noise-at",
        help="noise on the image within the model's pixel limits (model, default) or the file's "
        "own (file)",
    )
    group.add_argument("--text-only", action="store_true", default=None, help="without the images")
    group.add_argument("--max-pixels", type=int, help="scale larger images down")
    group.add_argument("--min-pixels", type=int, help="scale smaller images up")


def _add_benchmark(group: Any) -> None:
    group.add_argument("--benchmark", help="its name; see --list-benchmarks")
    group.add_argument("--list-benchmarks", action="store_true", help="print them, and end")
    group.add_argument("--data", metavar="PATH", help="a local copy of the benchmark's data")
    group.add_argument("--image-root", metavar="DIR", help="what image paths are relative to")
    group.add_argument("--prompt", help="official (default), a prompt's name, or a text")
    group.add_argument("--system", help="a system turn: its text, or a name")
    group.add_argument("--engine", help="hf (default) or vllm")
    group.add_argument(
        "--robustness",
        nargs="*",
        metavar="KIND",
        help="measure accuracy against these noises and corruptions (default: gaussian), and "
        "without images; all takes every kind",
    )
    group.add_argument(
        "--levels", nargs="+", type=float, help="of the curve (default: 0 0.2 0.4 0.6 0.8 1)"
    )
    group.add_argument("--judge-url", help="OpenAI-compatible endpoint, a second judge")
    group.add_argument("--judge-model", help="its model")
    group.add_argument("--judge-workers", type=int, help="requests at once (default: 8)")
    group.add_argument(
        "--lmms-eval", metavar="DIR", help="also write the result in lmms-eval's files there"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.list_benchmarks:
        return _list_benchmarks()
    from noisygrpo.runs.console import quiet_libraries

    quiet_libraries()
    models = [text for name, text in args.overrides if name in ("model", "model.path")]
    require(bool(models), "evaluate needs --model: a folder, a hub id, or playground")
    if args.benchmark is None:
        _only_with_benchmark(args)
        from noisygrpo.commands.evaluate_splits import evaluate_splits

        given = {**_given(args, DECODING), **_given(args, VIEW)}
        return evaluate_splits(args, models[-1], given)
    require(args.recipe is None, "--recipe: a benchmark takes none; leave out one of the two")
    return _on_benchmark(args, models[-1])


def _given(args: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """The options that were given, by name."""
    return {name: vars(args)[name] for name in names if vars(args)[name] is not None}


def _only_with_benchmark(args: argparse.Namespace) -> None:
    wrong = [f"--{name.replace('_', '-')}" for name in _given(args, (*BENCHMARK, "lmms_eval"))]
    require(not wrong, f"{', '.join(wrong)}: only with --benchmark; a recipe says it in its data")


def _on_benchmark(args: argparse.Namespace, model: str) -> int:
    """Evaluate on a benchmark with its own prompts, scorer and metrics."""
    from noisygrpo.evaluation.run import run_evaluation
    from noisygrpo.report.result import write_report
    from noisygrpo.report.robustness import write_robustness_report

    request = _request(args, model)
    run_evaluation(request)
    write = write_robustness_report if request.robustness else write_report
    say(f"\n{write(request.folder)}\n\nevery sample and its verdict: {request.folder}")
    if args.lmms_eval is not None:
        _export(request, args.lmms_eval)
    return 0


def _request(args: argparse.Namespace, model: str) -> EvaluationRequest:
    from noisygrpo.evaluation.request import EvaluationRequest
    from noisygrpo.evaluation.view import KINDS

    require(len(args.split) <= 1, f"--split {' '.join(args.split)}: a benchmark takes one split")
    require(args.levels is None or args.robustness is not None, "--levels: only with --robustness")
    require(
        args.lmms_eval is None or args.robustness is None,
        "--lmms-eval: a robustness curve has no such file",
    )
    given = _given(args, (*DECODING, *VIEW, *BENCHMARK))
    if args.robustness is not None:
        kinds = KINDS if args.robustness == ["all"] else args.robustness or ["gaussian"]
        given |= {"robustness": tuple(kinds)}
    if args.levels is not None:
        given |= {"levels": tuple(args.levels)}
    return EvaluationRequest(
        model=model,
        benchmark=args.benchmark,
        split=args.split[0] if args.split else "",
        limit=args.rows,
        out_dir=args.output_dir or "",
        overwrite=args.overwrite,
        **given,
        **_overrides(args.overrides),
    )


def _overrides(overrides: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """``--data`` and ``--model.<field>``; a benchmark has no other section to override."""
    from noisygrpo.models.spec import ModelSpec
    from noisygrpo.schema import Raw, checked, hints_of

    allowed = ("revision", "dtype", "attn_implementation", "trust_remote_code")
    hints = {name: hint for name, hint in hints_of(ModelSpec).items() if name in allowed}
    result: dict[str, Any] = {}
    for name, text in overrides:
        section, _, field = name.partition(".")
        if name in ("data", "data.source"):
            result["data"] = text
        elif section == "model" and field not in ("", "path"):
            result |= checked({field: Raw(text)}, hints, "model")
        elif section != "model":
            raise UserError(f"--{name}: a benchmark has no recipe to override")
    return result


def _export(request: EvaluationRequest, target: str) -> None:
    from datetime import datetime

    from noisygrpo.evaluation.export import export_lmms_eval

    path = export_lmms_eval(request.folder, target, f"{datetime.now():%Y%m%d_%H%M%S}")
    say(f"in lmms-eval's format: {Path(path).parent}")


def _list_benchmarks() -> int:
    from noisygrpo.evaluation.benchmarks import BENCHMARKS
    from noisygrpo.report.table import table

    rows = [
        [name, str(b.rows), "built in" if b.source == "built in" else b.data or "--data", b.metric]
        for name, b in BENCHMARKS.items()
    ]
    say(table(["benchmark", "rows", "data", "metric"], rows))
    return 0
