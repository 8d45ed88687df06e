"""One evaluation from a request: load model and benchmark, answer, judge, summarize.

The command line fills an `EvaluationRequest` and calls `run_evaluation`; nothing here prints but
progress.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from noisygrpo.evaluation.benchmarks import Benchmark, get_benchmark, load_table
from noisygrpo.evaluation.evaluate import Answer, answer_with, evaluate_answers
from noisygrpo.evaluation.fingerprint import model_fingerprint
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.judge_api import judge_evaluation
from noisygrpo.evaluation.request import EvaluationRequest
from noisygrpo.evaluation.robustness import CURVE_FILES, RobustnessPlan, robustness_curve
from noisygrpo.evaluation.rows import Rows
from noisygrpo.evaluation.samples import read_samples, remove_evaluation, write_json
from noisygrpo.evaluation.stats import Result
from noisygrpo.evaluation.view import EvaluationView
from noisygrpo.evaluation.vllm_engine import vllm_answers
from noisygrpo.models.vision import noise_limits, set_pixel_limits

__all__ = ["EvaluationRequest", "add_judge", "load_benchmark", "load_model", "run_evaluation"]

Loaded = tuple[Any, Any]
"""(model, processor)"""
LoadModel = Callable[[], Loaded]


def run_evaluation(request: EvaluationRequest, load: LoadModel | None = None) -> Result:
    """Run a request; returns accuracy with standard error, everything else is in its folder.

    ``load``: gives model and processor; by default they are loaded from ``request.model``. Raises
    ``UserError`` for anything wrong with data or settings before the first answer is generated,
    and for a folder that holds an evaluation of other weights or settings.
    """
    benchmark, rows = load_benchmark(request)
    generation, limits = request.generation(benchmark), _noise_limits(request, load)
    view = request.view(limits)
    # Who brings a model along answers for its weights; else they are identified by content.
    weights = {} if load is not None else {"weights": _fingerprint(request)}
    settings = {**request.settings(), **weights}
    if request.overwrite:
        _clear(request)
    if request.robustness:
        plan = request.plan(limits)
        return _robustness(request, benchmark, rows, plan, generation, settings, load)
    result = evaluate_answers(
        _answers(request, rows, generation, load),
        rows,
        request.folder,
        generation=generation,
        judge=benchmark.judge,
        metrics=benchmark.metrics,
        view=None if view == EvaluationView(seed=request.seed) else view,
        name=benchmark.name,
        settings=settings,
    )
    if request.judge_url:
        add_judge(request, benchmark)
    if benchmark.finish is not None:
        benchmark.finish(request.folder)
    return result


def load_benchmark(request: EvaluationRequest) -> tuple[Benchmark, Any]:
    """The benchmark, completed from its data folder, and its rows."""
    benchmark = get_benchmark(request.benchmark)
    rows = (benchmark.load or load_table)(benchmark, request)
    if benchmark.bind is not None:
        benchmark = benchmark.bind(benchmark, Path(request.data).expanduser())
    return benchmark, rows


def add_judge(request: EvaluationRequest, benchmark: Benchmark) -> dict[str, Any]:
    """Ask the second judge about a finished evaluation; adds ``judge`` to ``result.json``."""
    endpoint = request.judge()
    summary = judge_evaluation(request.folder, endpoint.ask, endpoint.model, endpoint.workers)
    if benchmark.judge_more is not None:
        summary |= benchmark.judge_more(read_samples(request.folder / "samples.jsonl"), endpoint)
    path = request.folder / "result.json"
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), "judge": summary})
    return summary


def load_model(request: EvaluationRequest) -> Loaded:
    """Model and processor of a request, on the GPU if there is one."""
    # Imported here: recipes know models, evaluation needs them only when it loads one itself.
    from noisygrpo.models.loading import default_device, load_any_processor
    from noisygrpo.models.loading import load_model as load_weights

    spec = _spec(request)
    return load_weights(spec).to(default_device()), load_any_processor(spec)


def _spec(request: EvaluationRequest) -> Any:
    from noisygrpo.models.spec import ModelSpec
    from noisygrpo.schema import checked, hints_of

    names = ("revision", "dtype", "attn_implementation", "trust_remote_code")
    given = {"path": request.model, **{name: vars(request)[name] for name in names}}
    return ModelSpec(**checked(given, hints_of(ModelSpec), "model"))


def _fingerprint(request: EvaluationRequest) -> str:
    from noisygrpo.models.loading import location

    return model_fingerprint(location(_spec(request)), request.revision)


def _clear(request: EvaluationRequest) -> None:
    remove_evaluation(request.folder)
    if request.robustness:
        for name in request.plan().views():
            remove_evaluation(request.folder / name)
        for name in CURVE_FILES:
            (request.folder / name).unlink(missing_ok=True)


def _answers(
    request: EvaluationRequest, rows: Any, generation: Generation, load: LoadModel | None
) -> Answer:
    """A function that loads the engine when it is first asked: a finished evaluation needs none."""
    made: list[Answer] = []

    def answer(batch: Any) -> Any:
        if not made:
            made.append(_engine(request, rows, generation, load))
        return made[0](batch)

    return answer


def _engine(
    request: EvaluationRequest, rows: Any, generation: Generation, load: LoadModel | None
) -> Answer:
    if request.engine == "vllm":
        return _vllm_engine(request, rows, generation)
    model, processor = _loaded(request, load)
    return answer_with(model, processor, generation)


def _vllm_engine(request: EvaluationRequest, rows: Any, generation: Generation) -> Answer:
    from noisygrpo.models.loading import load_any_processor, load_config, location

    spec = _spec(request)
    limits = {"max_pixels": request.max_pixels, "min_pixels": request.min_pixels}
    pixels = {name: value for name, value in limits.items() if value is not None}
    options: dict[str, Any] = {"mm_processor_kwargs": pixels} if pixels else {}
    options |= {"dtype": spec.dtype, "trust_remote_code": spec.trust_remote_code}
    if spec.revision is not None:
        options["revision"] = spec.revision
    processor, config = load_any_processor(spec), load_config(spec)
    images = max(1, Rows(rows).most_images())
    return vllm_answers(location(spec), processor, config, generation, images, **options)


def _noise_limits(request: EvaluationRequest, load: LoadModel | None) -> tuple[int, int] | None:
    """The pixels that images are brought into before they are disturbed."""
    if not request.disturbed or request.noise_at == "file":
        return None
    from noisygrpo.models.loading import load_any_processor

    processor = load_any_processor(_spec(request)) if load is None else load()[1]
    set_pixel_limits(processor, request.min_pixels, request.max_pixels)
    return noise_limits(request.noise_at, processor)


def _loaded(request: EvaluationRequest, load: LoadModel | None) -> Loaded:
    model, processor = load_model(request) if load is None else load()
    set_pixel_limits(processor, request.min_pixels, request.max_pixels)
    return model, processor


def _robustness(
    request: EvaluationRequest,
    benchmark: Benchmark,
    rows: Any,
    plan: RobustnessPlan,
    generation: Generation,
    settings: dict[str, Any],
    load: LoadModel | None,
) -> Result:
    curve = robustness_curve(
        _answers(request, rows, generation, load),
        rows,
        request.folder,
        plan,
        generation=generation,
        judge=benchmark.judge,
        metrics=benchmark.metrics,
        settings=settings,
    )
    clean = curve["curves"][request.robustness[0]][0]
    stderr = math.nan if clean["stderr"] is None else clean["stderr"]
    counts = {name: clean[name] for name in ("n", "clusters", "failures")}
    return Result(clean["accuracy"], stderr, **counts)
