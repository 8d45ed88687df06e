"""How long a step takes: from a measurement, never from a guess.

A measurement is a run of ours: ``metrics.jsonl`` has the seconds of every step and the tokens that
were generated. What is kept of it is the seconds that one process needs for one rollout, generation
and update together; a step of a plan then takes

    seconds = (rollouts of a step / GPUs) * (seconds of a rollout on one process)

which holds where a GPU's share of the work is like the measured one: same model, same kind of
device, lengths alike. Decoding more rollouts together is faster for each, so for larger shares this
is an upper limit. ``throughput.json`` keeps the measurements that come with the package.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import median
from typing import Any

from noisygrpo.errors import require

WARM_UP = 2
"""Steps at the beginning that are left out: caches, kernels and memory pools are still cold."""

PARTS = ("time/noise", "time/generate", "time/reward", "time/score", "time/update")


@dataclass(frozen=True)
class Measurement:
    """What was measured, on what."""

    model: str
    """As in the recipe's ``model.path``."""
    engine: str
    """``generate`` or ``vllm``."""
    device: str
    processes: int
    rollouts: float
    """Of a step, over all processes."""
    seconds: float
    """Of a step, median."""
    generate_seconds: float
    """Of these, spent on generation."""
    completion_tokens: float
    """Mean length of a completion."""
    source: str
    """Where the numbers are from."""

    @property
    def seconds_per_rollout(self) -> float:
        """Seconds that one process takes for one rollout."""
        return self.seconds * self.processes / self.rollouts


def measure(folder: str | Path) -> Measurement:
    """Read a run's folder.

    Raises:
        UserError: it is no run, or it has too few steps.
    """
    folder = Path(folder)
    for name in ("metrics.jsonl", "environment.json", "recipe.yaml"):
        require((folder / name).is_file(), f"--measured: {folder} holds no {name}: no run")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "time/update" in line][WARM_UP:]
    require(
        len(steps) > 0,
        f"--measured: {folder} has no step after the first {WARM_UP}; make it longer",
    )
    found = json.loads((folder / "environment.json").read_text())
    recipe = _recipe(folder)
    seconds = median(sum(step[name] for name in PARTS) for step in steps)
    length = median(step["completions/mean_length"] for step in steps)
    tokens = median(step["tokens_per_second"] * sum(step[n] for n in PARTS) for step in steps)
    cpu = f"CPU, {found['threads']} threads"
    return Measurement(
        model=recipe["model"]["path"],
        engine="vllm" if recipe["training"].get("use_vllm") else "generate",
        device=cpu if found["gpus"] == "none" else found["gpus"].split(", ")[0],
        processes=int(found.get("processes", 1)),
        rollouts=round(tokens / length, 2),
        seconds=round(seconds, 4),
        generate_seconds=round(median(step["time/generate"] for step in steps), 4),
        completion_tokens=round(length, 1),
        source=f"{len(steps)} steps of {folder.name}",
    )


def _recipe(folder: Path) -> dict[str, Any]:
    import yaml

    document: dict[str, Any] = yaml.safe_load((folder / "recipe.yaml").read_text())
    return document


def shipped(model: str, engine: str) -> list[Measurement]:
    """Return the measurements of a model with an engine that come with the package."""
    text = (resources.files("noisygrpo.check") / "throughput.json").read_text(encoding="utf-8")
    found = [Measurement(**entry) for entry in json.loads(text)]
    return [entry for entry in found if (entry.model, entry.engine) == (model, engine)]


def time_lines(found: Measurement, rollouts: int, gpus: int, updates: int) -> list[str]:
    """Say how long ``rollouts`` on ``gpus`` take, with all that is learnt from them, once and
    ``updates`` times."""
    step = rollouts / gpus * found.seconds_per_rollout
    whole = step * updates
    spent = f"{whole / 3600:.1f} hours" if whole >= 3600 else f"{whole / 60:.1f} minutes"
    return [
        f"{step:.1f} s for {rollouts} rollouts, {spent} for {updates} of these",
        f"from {found.source}: {found.seconds:.2f} s for {found.rollouts:.0f} rollouts of "
        f"{found.completion_tokens:.0f} tokens on {found.processes} x {found.device}, "
        f"{found.engine}",
    ]


def rate_lines(rate: float, rollouts: int, gpus: int, tokens: int, updates: int) -> list[str]:
    """Say the same from a rate that the user gives: tokens per second and GPU, all work counted."""
    step = rollouts * tokens / (rate * gpus)
    return [
        f"at most {step:.1f} s for {rollouts} rollouts of up to {tokens} tokens, "
        f"{step * updates / 3600:.1f} hours for {updates} of them",
        f"from --tokens-per-second {rate:g}: completion tokens of a whole step, on each GPU",
    ]


UNKNOWN = [
    "not known: nothing was measured for this model and engine. Measure a few steps on one GPU,",
    "  noisygrpo train RECIPE --training.max_steps 6 --no-evaluation --output-dir runs/probe",
    "and give the run: noisygrpo check RECIPE --plan --measured runs/probe",
]
"""What is said without a measurement."""
