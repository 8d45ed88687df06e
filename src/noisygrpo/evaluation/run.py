"""One evaluation from a request: load model and benchmark, answer, judge, summarize.

The command line fills an `EvaluationRequest` and calls `run_evaluation`; nothing here prints but
progress.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.benchmarks import (
    OFFICIAL,
    Benchmark,
    LoadOptions,
    get_benchmark,
    load_table,
)
from noisygrpo.evaluation.evaluate import Answer, evaluate_answers
from noisygrpo.evaluation.generate import Generation, generate_batch
from noisygrpo.evaluation.judge_api import JudgeEndpoint, judge_evaluation
from noisygrpo.evaluation.mme_cot_judge import judge_steps
from noisygrpo.evaluation.robustness import RobustnessPlan, robustness_curve
from noisygrpo.evaluation.samples import read_samples, write_json
from noisygrpo.evaluation.stats import Result
from noisygrpo.evaluation.view import View
from noisygrpo.evaluation.vllm_engine import vllm_answers
from noisygrpo.training.vision import set_pixel_limits

ENGINES = ("hf", "vllm")
_STEPS_TOKENS = 4096  # the judge writes every step of an answer out

Loaded = tuple[Any, Any]
"""(model, processor)"""


@dataclass(frozen=True)
class EvaluationRequest:
    """What ``noisygrpo evaluate`` can be asked."""

    model: str
    """``playground``, a folder or a hub id."""
    benchmark: str
    """A name in ``BENCHMARKS``."""
    out_dir: str = ""
    """Default: ``runs/evaluation/<model>/<benchmark>``."""
    data: str = ""
    """Local copy of the data: file or folder."""
    split: str = ""
    limit: int | None = None
    """At most so many rows."""
    prompt: str = OFFICIAL
    """``official``, the name of one of our prompts, or a text with ``{question}``."""
    system: str = ""
    image_root: str = ""
    seed: int = 0
    max_pixels: int | None = None
    """Larger images are scaled down to so many pixels; default: the processor's own limit."""
    min_pixels: int | None = None
    batch_size: int = 32
    max_new_tokens: int | None = None
    """Default: the benchmark's."""
    temperature: float = 0.0
    top_p: float = 1.0
    text_bias_scale: float = 0.0
    noise_kind: str = "gaussian"
    noise_level: float = 0.0
    text_only: bool = False
    engine: str = "hf"
    robustness: tuple[str, ...] = ()
    """Kinds of disturbance: measure a robustness curve instead of one evaluation."""
    judge_url: str = ""
    """OpenAI-compatible endpoint of a second judge."""
    judge_model: str = ""
    judge_workers: int = 8

    def __post_init__(self) -> None:
        get_benchmark(self.benchmark)
        require(
            self.engine in ENGINES, f"engine: {self.engine!r}, allowed are {', '.join(ENGINES)}"
        )
        require(self.limit is None or self.limit > 0, f"limit: {self.limit}, allowed is 1 or more")
        require(not (self.robustness and self.engine != "hf"), "robustness: only with engine hf")

    @property
    def folder(self) -> Path:
        """Where everything goes."""
        name = "-".join(Path(self.model).parts[-2:]).strip("/")
        return Path(self.out_dir or f"runs/evaluation/{name}/{self.benchmark}")

    def generation(self, benchmark: Benchmark) -> Generation:
        """Decoding settings."""
        tokens = self.max_new_tokens or benchmark.max_new_tokens
        return Generation(
            self.batch_size, tokens, self.temperature, self.top_p, self.seed, self.text_bias_scale
        )

    def settings(self) -> dict[str, Any]:
        """What identifies the question, for the record and for resuming."""
        names = ("model", "benchmark", "prompt", "system", "engine", "max_pixels", "min_pixels")
        return {name: value for name, value in asdict(self).items() if name in names}


def run_evaluation(request: EvaluationRequest, load: Callable[[], Loaded] | None = None) -> Result:
    """Run a request; returns accuracy with standard error, everything else is in its folder.

    ``load``: gives model and processor; by default they are loaded from ``request.model``. Raises
    ``UserError`` for anything wrong with data or settings before the first answer is generated.
    """
    benchmark, rows = load_benchmark(request)
    generation = request.generation(benchmark)
    view = View(request.noise_kind, request.noise_level, request.text_only, request.seed)
    if request.robustness:
        return _robustness(request, benchmark, rows, generation, load)
    result = evaluate_answers(
        _answers(request, generation, load),
        rows,
        request.folder,
        generation=generation,
        judge=benchmark.judge,
        metrics=benchmark.metrics,
        view=None if view == View(seed=request.seed) else view,
        name=benchmark.name,
        settings=request.settings(),
    )
    if request.judge_url:
        add_judge(request)
    return result


def load_benchmark(request: EvaluationRequest) -> tuple[Benchmark, Any]:
    """The benchmark, completed from its data folder, and its rows."""
    benchmark = get_benchmark(request.benchmark)
    options = LoadOptions(
        request.data, request.split, request.limit, request.prompt, request.system,
        request.image_root, request.seed,
    )  # fmt: skip
    rows = (benchmark.load or load_table)(benchmark, options)
    if benchmark.bind is not None:
        benchmark = benchmark.bind(benchmark, Path(request.data).expanduser())
    return benchmark, rows


def add_judge(request: EvaluationRequest) -> dict[str, Any]:
    """Ask the second judge about a finished evaluation; adds ``judge`` to ``result.json``."""
    endpoint = JudgeEndpoint(request.judge_url, request.judge_model, workers=request.judge_workers)
    summary = judge_evaluation(request.folder, endpoint.ask, endpoint.model, endpoint.workers)
    if request.benchmark == "mme-cot":
        long = replace(endpoint, max_tokens=_STEPS_TOKENS)
        samples = read_samples(request.folder / "samples.jsonl")
        summary["key_steps"] = judge_steps(samples, long.ask, endpoint.workers)
    path = request.folder / "result.json"
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), "judge": summary})
    return summary


def _answers(
    request: EvaluationRequest, generation: Generation, load: Callable[[], Loaded] | None
) -> Answer:
    """A function that loads the engine when it is first asked: a finished evaluation needs none."""
    made: list[Answer] = []

    def answer(rows: Any) -> Any:
        if not made:
            made.append(_engine(request, generation, load))
        return made[0](rows)

    return answer


def _engine(
    request: EvaluationRequest, generation: Generation, load: Callable[[], Loaded] | None
) -> Answer:
    if request.engine == "vllm":
        return _vllm_engine(request, generation)
    model, processor = _loaded(request, load)
    return lambda rows: generate_batch(model, processor, rows, generation)


def _vllm_engine(request: EvaluationRequest, generation: Generation) -> Answer:
    from noisygrpo.loading import load_any_processor, load_config
    from noisygrpo.recipe import ModelSpec

    spec = ModelSpec(request.model)
    limits = {"max_pixels": request.max_pixels, "min_pixels": request.min_pixels}
    pixels = {name: value for name, value in limits.items() if value is not None}
    options: dict[str, Any] = {"mm_processor_kwargs": pixels} if pixels else {}
    processor, config = load_any_processor(spec), load_config(spec)
    return vllm_answers(request.model, processor, config, generation, **options)


def _loaded(request: EvaluationRequest, load: Callable[[], Loaded] | None) -> Loaded:
    model, processor = load_model(request) if load is None else load()
    set_pixel_limits(processor, request.min_pixels, request.max_pixels)
    return model, processor


def load_model(request: EvaluationRequest) -> Loaded:
    """Model and processor of a request, on the GPU if there is one."""
    # Imported here: recipes know models, evaluation needs them only when it loads one itself.
    from noisygrpo.loading import default_device, load_any_processor
    from noisygrpo.loading import load_model as load_weights
    from noisygrpo.recipe import ModelSpec

    spec = ModelSpec(request.model)
    return load_weights(spec).to(default_device()), load_any_processor(spec)


def _robustness(
    request: EvaluationRequest,
    benchmark: Benchmark,
    rows: Any,
    generation: Generation,
    load: Callable[[], Loaded] | None,
) -> Result:
    model, processor = _loaded(request, load)
    curve = robustness_curve(
        model,
        processor,
        rows,
        request.folder,
        RobustnessPlan(request.robustness, seed=request.seed),
        generation=generation,
        judge=benchmark.judge,
        settings=request.settings(),
    )
    clean = curve["curves"][request.robustness[0]][0]
    stderr = math.nan if clean["stderr"] is None else clean["stderr"]
    counts = {name: clean[name] for name in ("n", "clusters", "failures")}
    return Result(clean["accuracy"], stderr, **counts)
