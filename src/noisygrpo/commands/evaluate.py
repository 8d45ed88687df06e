"""``noisygrpo evaluate --model DIR``: a model on benchmarks, or on the splits of a recipe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisygrpo.commands.evaluate_options import (
    BENCHMARK,
    DECODING,
    VIEW,
    VLLM,
    add_options,
    given_options,
)
from noisygrpo.errors import UserError, require
from noisygrpo.terminal import say

if TYPE_CHECKING:
    from noisygrpo.evaluation.processes import Processes
    from noisygrpo.evaluation.request import EvaluationRequest

SUMMARY = "Measure a model: accuracy with standard error, every sample on disk, resumable."
TAKES_RECIPE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.list_benchmarks:
        return _list_benchmarks()
    from noisygrpo.evaluation.processes import launched
    from noisygrpo.runs.console import quiet_libraries

    quiet_libraries()
    models = [text for name, text in args.overrides if name in ("model", "model.path")]
    require(bool(models), "evaluate needs --model: a folder, a hub id, or playground")
    _require_effect(args)
    if args.benchmark is None:
        _only_with_benchmark(args)
        from noisygrpo.commands.evaluate_splits import evaluate_splits

        given = {**given_options(args, DECODING), **given_options(args, VIEW)}
        return evaluate_splits(args, models[-1], given, launched())
    require(args.recipe is None, "--recipe: a benchmark takes none; leave out one of the two")
    return _on_benchmarks(args, models[-1], launched())


def _require_effect(args: argparse.Namespace) -> None:
    """An option that says more about another one changes nothing without it."""
    noise, kind = args.noise_level or 0, args.noise_kind
    # (A level of 0 that is given may be one of several in a script.)
    none = kind is None or args.noise_level is not None or args.robustness is not None
    require(none, f"--noise-kind: {kind!r} has no effect without --noise-level")
    blind = bool(args.text_only) and noise > 0
    require(not blind, f"--noise-level: {noise} has no effect with --text-only")
    for name in ("judge_workers", "judge_key"):
        value, option = getattr(args, name), f"--{name.replace('_', '-')}"
        none = value is None or args.judge_url is not None
        require(none, f"{option}: {value} has no effect without --judge-url")


def _only_with_benchmark(args: argparse.Namespace) -> None:
    names = given_options(args, (*BENCHMARK, *VLLM, "lmms_eval"))
    wrong = [f"--{name.replace('_', '-')}" for name in names]
    wrong += [f"--{name}" for name, _ in args.overrides if name.startswith("vllm.")]
    require(not wrong, f"{', '.join(wrong)}: only with --benchmark; a recipe says it in its data")


def _on_benchmarks(args: argparse.Namespace, model: str, processes: Processes) -> int:
    """Evaluate on benchmarks with their own prompts, scorers and metrics."""
    from noisygrpo.evaluation.run import run_evaluations

    requests = _requests(args, model)
    run_evaluations(requests, processes=processes)
    if processes.main:
        _report(requests, args.lmms_eval)
    return 0


def _report(requests: Sequence[EvaluationRequest], lmms_eval: str | None) -> None:
    """Write and print what came out."""
    from noisygrpo.report.benchmarks import write_benchmark_table
    from noisygrpo.report.result import write_report
    from noisygrpo.report.robustness import write_robustness_report

    folders = {}
    for request in requests:
        write = write_robustness_report if request.robustness else write_report
        say(f"\n{write(request.folder)}\n\nevery sample and its verdict: {request.folder}")
        folders[request.benchmark] = request.folder / ("clean" if request.robustness else "")
        if lmms_eval is not None:
            several = len(requests) > 1
            _export(request, str(Path(lmms_eval) / request.benchmark) if several else lmms_eval)
    if len(requests) > 1:
        where = requests[0].folder.parent
        text = write_benchmark_table(folders, where)
        say(f"\n{text}\n\nthe table (text, json, markdown, html): {where}")


def _requests(args: argparse.Namespace, model: str) -> list[EvaluationRequest]:
    """A request for each benchmark; several have a folder each in that of the output."""
    from noisygrpo.evaluation.benchmarks import get_benchmark
    from noisygrpo.evaluation.request import EvaluationRequest

    written = [name.strip() for name in args.benchmark.split(",") if name.strip()]
    require(bool(written), "--benchmark: no name is given; see --list-benchmarks")
    names = [get_benchmark(name).name for name in written]
    for name in names:
        require(names.count(name) == 1, f"--benchmark: {name} is named twice")
    fields = _fields(args, several=len(names) > 1)
    folder = args.output_dir or ""
    return [
        EvaluationRequest(
            model=model,
            benchmark=name,
            out_dir=str(Path(folder) / name) if folder and len(names) > 1 else folder,
            **fields,
        )
        for name in names
    ]


def _fields(args: argparse.Namespace, *, several: bool) -> dict[str, Any]:
    """What the requests have in common."""
    from noisygrpo.evaluation.view import KINDS

    require(len(args.split) <= 1, f"--split {' '.join(args.split)}: a benchmark takes one split")
    for option, value in {"--split": args.split, "--image-root": args.image_root}.items():
        require(not (several and value), f"{option}: only with one benchmark, they differ in it")
    require(args.levels is None or args.robustness is not None, "--levels: only with --robustness")
    require(
        args.lmms_eval is None or args.robustness is None,
        "--lmms-eval: a robustness curve has no such file",
    )
    given = given_options(args, (*DECODING, *VIEW, *BENCHMARK))
    if args.robustness is not None:
        kinds = KINDS if args.robustness == ["all"] else args.robustness or ["gaussian"]
        given |= {"robustness": tuple(kinds)}
    if args.levels is not None:
        given |= {"levels": tuple(args.levels)}
    more = _overrides(args.overrides)
    vllm, further = given_options(args, VLLM), more.pop("vllm", {})
    for name in further:
        require(name not in vllm, f"--vllm.{name}: --{name.replace('_', '-')} says it already")
    return {
        "split": args.split[0] if args.split else "",
        "limit": args.rows,
        "overwrite": args.overwrite,
        "vllm": vllm | further,
        **given,
        **more,
    }


def _overrides(overrides: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """``--data``, ``--model.<field>``, ``--vllm.<argument>``; benchmarks have no other section."""
    from noisygrpo.models.spec import ModelSpec
    from noisygrpo.schema import Raw, checked, hints_of
    from noisygrpo.yaml_text import read_yaml

    allowed = ("revision", "dtype", "attn_implementation", "trust_remote_code")
    hints = {name: hint for name, hint in hints_of(ModelSpec).items() if name in allowed}
    result: dict[str, Any] = {}
    for name, text in overrides:
        section, _, field = name.partition(".")
        if name in ("data", "data.source"):
            result["data"] = text
        elif section == "model" and field not in ("", "path"):
            result |= checked({field: Raw(text)}, hints, "model")
        elif section == "vllm":
            result.setdefault("vllm", {})[field] = read_yaml(text, f"--{name}")
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
