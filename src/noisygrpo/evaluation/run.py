"""Evaluations from requests: load benchmarks and model, answer, judge, summarize.

The command line fills an `EvaluationRequest` and calls `run_evaluation`, for a list of benchmarks
`run_evaluations`; nothing here prints but progress.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError
from noisygrpo.evaluation.benchmarks import Benchmark, get_benchmark, load_table
from noisygrpo.evaluation.benchmarks.base import located
from noisygrpo.evaluation.engine import Engine, LoadModel, load_model, model_spec
from noisygrpo.evaluation.evaluate import Answer, evaluate_answers
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.fingerprint import model_fingerprint
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.judge_api import judge_evaluation
from noisygrpo.evaluation.processes import ALONE, Processes
from noisygrpo.evaluation.request import EvaluationRequest
from noisygrpo.evaluation.robustness import CURVE_FILES, RobustnessPlan, robustness_curve
from noisygrpo.evaluation.samples import (
    read_samples,
    refuse_leftovers,
    remove_evaluation,
    write_json,
)
from noisygrpo.evaluation.stats import Result
from noisygrpo.evaluation.view import EvaluationView

__all__ = [
    "EvaluationRequest",
    "add_judge",
    "load_benchmark",
    "load_model",
    "run_evaluation",
    "run_evaluations",
]


@dataclass(frozen=True)
class _Asked:
    """One evaluation whose rows are there."""

    request: EvaluationRequest
    benchmark: Benchmark
    rows: Any
    generation: Generation
    settings: dict[str, Any]


def run_evaluation(request: EvaluationRequest, load: LoadModel | None = None) -> Result:
    """Run a request; returns accuracy with standard error, everything else is in its folder.

    ``load``: gives model and processor; by default they are loaded from ``request.model``. Raises
    ``UserError`` for anything wrong with data or settings before the first answer is generated,
    and for a folder that holds an evaluation of other weights or settings.
    """
    return run_evaluations([request], load)[0]


def run_evaluations(
    requests: Sequence[EvaluationRequest],
    load: LoadModel | None = None,
    processes: Processes = ALONE,
) -> list[Result]:
    """Run requests that differ in their benchmark alone, one after the other with one model.

    The rows of all are read first: what is wrong with the last one's ends the run before the model
    is loaded. ``processes``: those that answer together; all have to call this.
    """
    # Who brings a model along answers for its weights; else they are identified by content.
    weights = {} if load is not None else {"weights": _fingerprint(requests[0])}
    if requests[0].judge_url and not all(_is_judged(request.folder) for request in requests):
        requests[0].judge().require_reachable()
    asked = []
    for request in requests:
        with _named(request, several=len(requests) > 1):
            benchmark, rows = load_benchmark(request)
        settings = {**request.settings(), **weights}
        generation = request.generation(benchmark)
        asked.append(_Asked(request, benchmark, rows, generation, settings))
        if request.overwrite:
            views = request.plan().views() if request.robustness else {}
            now = weights.get("weights")
            refuse_leftovers(request.folder, views, now, lambda found: "view" in found)
    engine = Engine(requests[0], [one.rows for one in asked], load, processes)
    limits = engine.noise_limits()
    answers = [engine.answers(one.generation) for one in asked]
    if processes.main:
        for request in requests:
            if request.overwrite:
                _clear(request)
    processes.wait()
    pairs = zip(asked, answers, strict=True)
    return [_run(one, answer, limits, processes) for one, answer in pairs]


def _run(
    one: _Asked, answer: Answer, limits: tuple[int, int] | None, processes: Processes
) -> Result:
    request, benchmark, view = one.request, one.benchmark, one.request.view(limits)
    if request.robustness:
        return _robustness(one, answer, request.plan(limits), processes)
    result = evaluate_answers(
        answer,
        one.rows,
        request.folder,
        generation=one.generation,
        judge=benchmark.judge,
        metrics=benchmark.metrics,
        view=None if view == EvaluationView(seed=request.seed) else view,
        name=benchmark.name,
        settings=one.settings,
        processes=processes,
    )
    if processes.main:
        if request.judge_url:
            add_judge(request, benchmark)
        if benchmark.finish is not None:
            benchmark.finish(request.folder)
    return result


def _is_judged(folder: Path) -> bool:
    """Whether an evaluation is complete and a second judge has a verdict on every sample."""
    path = folder / "result.json"
    result = read_object(path) if path.is_file() else {}
    return bool(result.get("judge", {}).get("unjudged", 1) == 0)


def load_benchmark(request: EvaluationRequest) -> tuple[Benchmark, Any]:
    """The benchmark, completed from its data folder, and its rows."""
    benchmark = get_benchmark(request.benchmark)
    options = replace(request, data=located(benchmark, request.data))
    rows = (benchmark.load or load_table)(benchmark, options)
    if benchmark.bind is not None:
        benchmark = benchmark.bind(benchmark, Path(options.data).expanduser())
    return benchmark, rows


@contextmanager
def _named(request: EvaluationRequest, *, several: bool) -> Iterator[None]:
    """Name the benchmark in what is wrong with one of several."""
    try:
        yield
    except UserError as error:
        name = request.benchmark
        if not several or str(error).startswith(name):
            raise
        where = f" (no folder or file called {name} in {request.data})"
        found = located(get_benchmark(name), request.data) != request.data
        raise UserError(f"{name}: {error}{'' if found or not request.data else where}") from error


def add_judge(request: EvaluationRequest, benchmark: Benchmark) -> dict[str, Any]:
    """Ask the second judge about a finished evaluation; adds ``judge`` to ``result.json``."""
    endpoint = request.judge()
    summary = judge_evaluation(request.folder, endpoint.ask, endpoint.model, endpoint.workers)
    if benchmark.judge_more is not None:
        summary |= benchmark.judge_more(read_samples(request.folder / "samples.jsonl"), endpoint)
    path = request.folder / "result.json"
    write_json(path, {**read_object(path), "judge": summary})
    return summary


def _fingerprint(request: EvaluationRequest) -> str:
    from noisygrpo.models.loading import location

    return model_fingerprint(location(model_spec(request)), request.revision)


def _clear(request: EvaluationRequest) -> None:
    remove_evaluation(request.folder)
    if request.robustness:
        for name in request.plan().views():
            remove_evaluation(request.folder / name)
        for name in CURVE_FILES:
            (request.folder / name).unlink(missing_ok=True)


def _robustness(one: _Asked, answer: Answer, plan: RobustnessPlan, processes: Processes) -> Result:
    curve = robustness_curve(
        answer,
        one.rows,
        one.request.folder,
        plan,
        generation=one.generation,
        judge=one.benchmark.judge,
        metrics=one.benchmark.metrics,
        settings=one.settings,
        processes=processes,
    )
    clean = curve["curves"][one.request.robustness[0]][0]
    stderr = math.nan if clean["stderr"] is None else clean["stderr"]
    counts = {name: clean[name] for name in ("n", "clusters", "failures")}
    return Result(clean["accuracy"], stderr, **counts)
