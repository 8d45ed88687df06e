"""What one evaluation is asked: model, benchmark, decoding, view, engine, second judge."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.benchmarks import Benchmark, LoadOptions, get_benchmark
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.judge_api import KEY, JudgeEndpoint
from noisygrpo.evaluation.robustness import LEVELS, RobustnessPlan
from noisygrpo.evaluation.view import EvaluationView

ENGINES = ("hf", "vllm")

_IDENTITY = (
    "model", "revision", "dtype", "benchmark", "split", "prompt", "system", "engine", "max_pixels",
    "min_pixels",
)  # fmt: skip

_NO_MATTER = ("gpu_memory_utilization", "swap_space", "cpu_offload_gb")
"""Arguments of vLLM's that change no answer."""


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest(LoadOptions):
    """What ``noisygrpo evaluate --benchmark`` can be asked; every value is checked at once.

    Which rows, and in which prompt, is what `LoadOptions` says.
    """

    model: str
    """``playground``, a folder or a hub id."""
    benchmark: str
    """A name in ``BENCHMARKS``."""
    out_dir: str = ""
    """Default: ``runs/evaluation/<model>/<benchmark>``."""
    overwrite: bool = False
    """Remove the evaluation that the folder holds, instead of continuing or refusing it."""
    seed: int = 0
    """Of sampling (``temperature`` above 0) and of the noise of a view; never of the rows."""
    max_pixels: int | None = None
    """Larger images are scaled down to so many pixels; default: the processor's own limit."""
    min_pixels: int | None = None
    """Smaller images are scaled up to so many pixels."""
    batch_size: int = 32
    max_new_tokens: int | None = None
    """Default: the benchmark's."""
    temperature: float = 0.0
    top_p: float = 1.0
    text_bias_scale: float = 0.0
    noise_kind: str = "gaussian"
    noise_level: float = 0.0
    noise_at: str | None = None
    """Disturb the image within the model's pixel limits (model) or the file's own (file); None is
    model where the processor has such limits."""
    text_only: bool = False
    repetition_penalty: float = 1.0
    engine: str = "hf"
    vllm: dict[str, Any] = field(default_factory=dict)
    """Arguments of vLLM's engine by its names, such as ``tensor_parallel_size``."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    dtype: str = "auto"
    attn_implementation: str | None = None
    trust_remote_code: bool = False
    """Run Python code that comes with the model."""
    robustness: tuple[str, ...] = ()
    """Kinds of disturbance: measure a robustness curve instead of one evaluation."""
    levels: tuple[float, ...] = LEVELS
    """Levels of the robustness curve."""
    judge_url: str = ""
    """OpenAI-compatible endpoint of a second judge."""
    judge_model: str = ""
    judge_workers: int = 8
    judge_key: str = KEY
    """Environment variable that holds the judge's key."""

    def __post_init__(self) -> None:
        benchmark = get_benchmark(self.benchmark)
        require(
            self.engine in ENGINES, f"engine: {self.engine!r}, allowed are {', '.join(ENGINES)}"
        )
        require(
            self.engine == "vllm" or not self.vllm,
            f"{', '.join(self.vllm)}: an argument of vLLM's; only with --engine vllm",
        )
        require(
            self.limit is None or self.limit > 0,
            f"limit (--rows): {self.limit}, allowed is 1 or more",
        )
        require(
            self.noise_at in (None, "model", "file"),
            f"noise_at: {self.noise_at!r}, allowed are model, file",
        )
        require(
            self.noise_at is None or self.disturbed,
            f"noise_at: {self.noise_at!r} has no effect without noise_level or robustness",
        )
        for name, value in {"max": self.max_pixels, "min": self.min_pixels}.items():
            require(value is None or value > 0, f"{name}_pixels: {value}, allowed is 1 or more")
        self.generation(benchmark)
        self.view()
        if self.judge_url or self.judge_model:
            self.judge()
        if self.robustness:
            self.plan().views()
            require(not self.judge_url, "judge_url: a robustness curve has no second judge")
            require(
                self.view() == EvaluationView(seed=self.seed),
                "robustness: it sets noise_level, noise_kind and text_only itself",
            )

    @property
    def folder(self) -> Path:
        """Where everything goes."""
        name = "-".join(Path(self.model).parts[-2:]).strip("/")
        return Path(self.out_dir or f"runs/evaluation/{name}/{self.benchmark}")

    def generation(self, benchmark: Benchmark) -> Generation:
        """Decoding settings."""
        tokens = benchmark.max_new_tokens if self.max_new_tokens is None else self.max_new_tokens
        return Generation(
            self.batch_size, tokens, self.temperature, self.top_p, self.seed, self.text_bias_scale,
            self.repetition_penalty,
        )  # fmt: skip

    @property
    def disturbed(self) -> bool:
        """Whether some image is not shown as it is."""
        return self.noise_level > 0 or bool(self.robustness)

    def view(self, limits: tuple[int, int] | None = None) -> EvaluationView:
        """What the model sees of the images; ``limits``: of its processor."""
        return EvaluationView(self.noise_kind, self.noise_level, self.text_only, self.seed, limits)

    def plan(self, limits: tuple[int, int] | None = None) -> RobustnessPlan:
        """The views of the robustness curve; ``limits``: of the model's processor."""
        return RobustnessPlan(self.robustness, self.levels, seed=self.seed, limits=limits)

    def judge(self) -> JudgeEndpoint:
        """The second judge."""
        return JudgeEndpoint(
            self.judge_url, self.judge_model, self.judge_key, workers=self.judge_workers
        )

    def settings(self) -> dict[str, Any]:
        """What identifies the question, for the record and for resuming."""
        engine = {name: value for name, value in self.vllm.items() if name not in _NO_MATTER}
        more = {"vllm": engine} if engine else {}
        return {**{name: vars(self)[name] for name in _IDENTITY}, **more}
