"""What `make gpu-figures` measures: parts of some minutes, the ones that say most first."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from shapes import Job

LIMIT = 480.0
"""Seconds of a part, after which it is killed."""
RECIPE = {"checkpointing": True, "freeze": True}
"""What the recipes do and the plain update does not: gradient checkpointing, a frozen tower."""


@dataclass(frozen=True)
class Shapes:
    """What all parts have in common."""

    sizes: tuple[str, ...] = ("3b", "7b")
    group: int = 8
    image_tokens: int = 1024
    completion: int = 64
    """Tokens of a completion in the plain update, as in the CPU's table of docs/performance.md."""
    long: int = 256
    """The same with the recipes' settings: what NoisyGRPO publishes."""
    prompts: int = 4
    """Groups of a whole step."""
    rollouts: int = 64
    """Sampled at once by an engine."""
    rounds: int = 3
    """After one to warm up."""
    dtype: str = "bfloat16"
    device: str = "cuda"


TINY = Shapes(
    sizes=("tiny",), group=4, image_tokens=16, completion=8, long=8, prompts=2, rollouts=4,
    rounds=1, device="cpu",
)  # fmt: skip
"""For a CPU, in seconds: it shows that everything works, and no number worth keeping."""


@dataclass(frozen=True)
class Part:
    """One measurement in a process of its own."""

    name: str
    """Of its file; words with hyphens."""
    what: str
    """``update``, ``step`` or ``rollouts``."""
    job: Job
    rounds: int
    label: str
    """What the table calls it, beside size and what is trained."""
    setting: str
    """The same for what is measured; equal where parts can be compared."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def model(self) -> str:
        """First column of the table."""
        known = {"3b": "Qwen2.5-VL-3B", "7b": "Qwen2.5-VL-7B"}
        return known.get(self.job.size, self.job.size)

    @property
    def trained(self) -> str:
        """Second column of the table."""
        if self.what == "rollouts":
            return ""
        return "LoRA" if self.job.lora else "full"


def all_parts(shapes: Shapes) -> list[Part]:
    """All of them, in the order in which they are measured."""
    parts: list[Part] = []
    for size in shapes.sizes:
        for lora in (False, True):
            job = base_job(shapes, size, lora)
            parts += [*updates(shapes, job), *whole_steps(shapes, job)]
        parts += engines(shapes, base_job(shapes, size, False))
    return parts


def base_job(shapes: Shapes, size: str, lora: bool) -> Job:
    return Job(
        size=size,
        group=shapes.group,
        image_tokens=shapes.image_tokens,
        completion=shapes.completion,
        dtype=shapes.dtype,
        device=shapes.device,
        threads=1,
        kernel="sdpa",
        lora=lora,
        freeze=False,
        checkpointing=False,
    )


def part(what: str, job: Job, label: str, setting: str, word: str, rounds: int) -> Part:
    way = [] if what == "rollouts" else ["lora" if job.lora else "full"]
    name = "-".join([job.size, *way, what, word])
    return Part(name, what, job, rounds, label, setting)


def updates(shapes: Shapes, job: Job) -> list[Part]:
    """The update alone, plain and with the recipes' settings."""
    setting = f"update, {shapes.completion} tokens"
    kinds = (
        ("trl", "sdpa", "TRL", "trl"),
        ("grpo", "sdpa", "shared prefix", "ours"),
        ("grpo", "flex", "shared prefix, flex attention", "flex"),
        ("papo_exact", "sdpa", "shared prefix, second view", "view"),
    )
    found = [
        part("update", replace(job, kind=kind, kernel=kernel), label, setting, word, shapes.rounds)
        for kind, kernel, label, word in kinds
    ]
    job = replace(job, completion=shapes.long, **RECIPE)
    setting = f"update, {shapes.long} tokens, tower frozen, checkpointing"
    return found + [
        part("update", replace(job, kind=kind, kernel=kernel), label, setting, f"recipe-{word}",
             shapes.rounds)
        for kind, kernel, label, word in kinds[:3]
    ]  # fmt: skip


def whole_steps(shapes: Shapes, job: Job) -> list[Part]:
    """Sampling with ``generate``, and an update in as many micro-batches as there are prompts."""
    job = replace(job, completion=shapes.long, prompts=shapes.prompts, whole=True, **RECIPE)
    setting = f"step, {shapes.prompts} x {shapes.group} rollouts of {shapes.long} tokens"
    kinds: tuple[tuple[dict[str, Any], str, str], ...] = (
        ({"kind": "trl"}, "TRL", "trl"),
        ({"kind": "grpo"}, "shared prefix", "ours"),
        ({"kind": "noisygrpo"}, "NoisyGRPO, shared prefix", "noisy"),
        ({"kind": "grpo", "prefill": True}, "shared prefix and prefill", "prefill"),
        ({"kind": "papo", "prefill": True}, "PAPO (second view), the same", "view"),
        ({"kind": "grpo", "kernel": "flex"}, "shared prefix, flex attention", "flex"),
    )
    return [
        part("step", replace(job, **changes), label, setting, word, shapes.rounds)
        for changes, label, word in kinds
    ]


def engines(shapes: Shapes, job: Job) -> list[Part]:
    """Sampling alone."""
    job = replace(job, completion=shapes.long, prompts=shapes.rollouts // shapes.group)
    setting = f"sampling, {shapes.rollouts} rollouts of {shapes.long} tokens"
    kinds = (("generate", "Transformers' generate"), ("vllm", "vLLM"))
    return [
        part("rollouts", replace(job, kind=kind), label, setting, kind, shapes.rounds)
        for kind, label in kinds
    ]


def chosen(parts: list[Part], words: list[str]) -> list[Part]:
    """Those whose names hold all words; all without words."""
    return [one for one in parts if set(words) <= set(one.name.split("-"))]
