"""What came out of `make gpu-acceptance`: a page of its goals, its runs and their accuracy."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpu_table import Goal, step_goal
from machine import Machine

HEADER = (
    "run", "seconds a step", "of which generation", "tokens a completion", "peak GB", "planned GB",
)  # fmt: skip
ABOUT_TRL = "an update at least 3 times as fast as TRL's, at most 1/3 of its memory"


def page(folder: Path, methods: Sequence[str], machine: Machine, *, figures: Path) -> str:
    """Write ``acceptance.md`` into the folder and return it."""
    from noisygrpo.check.duration import measure
    from noisygrpo.evaluation.samples import write_atomic

    runs = {name: measure(folder / name) for name in methods}
    rows = [
        (
            name,
            f"{run.seconds:.3g}",
            f"{run.generate_seconds:.3g}",
            f"{run.completion_tokens:.0f}",
            peak(folder / name),
            planned(folder / "logs" / "check.log"),
        )
        for name, run in runs.items()
    ]
    lines = ["| " + " | ".join(cells) + " |" for cells in (HEADER, ["---"] * len(HEADER), *rows)]
    goals = [*of_trl(figures, machine), of_step(runs)]
    compared = (folder / "logs" / "compare.log").read_text(encoding="utf-8").strip()
    text = "\n".join(
        [
            f"`make gpu-acceptance` on {machine.line()}.",
            "",
            *(f"- {goal.line()}" for goal in goals),
            "",
            *lines,
            "",
            compared,
            "",
        ]
    )
    write_atomic(folder / "acceptance.md", text)
    return text


def of_step(runs: dict[str, Any]) -> Goal:
    """NoisyGRPO's step against GRPO's; their completions may differ in length, which is said."""
    noisy, plain = runs["noisygrpo"], runs["grpo"]
    goal = step_goal("in these runs", noisy.seconds, plain.seconds)
    lengths = f"{noisy.completion_tokens:.0f} and {plain.completion_tokens:.0f} tokens a completion"
    return Goal(goal.text, goal.state, f"{goal.numbers}, {lengths}")


def of_trl(figures: Path, machine: Machine) -> list[Goal]:
    """The goals about TRL, from the newest `make gpu-figures` on the same card."""
    files = sorted(figures.glob("*/figures.json"), key=lambda path: path.stat().st_mtime)
    for file in reversed(files):
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["machine"]["card"] == machine.card:
            goals = [Goal(**goal) for goal in found["goals"]]
            return [goal for goal in goals if "TRL" in goal.text]
    why = "`make gpu-figures` was not run on this card"
    return [Goal(ABOUT_TRL, "not measured", why)]


def planned(log: Path) -> str:
    """The peak in GB that `check --plan` printed for one card."""
    lines = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    return next((cells[-3] for cells in lines if cells[:1] == ["ddp"]), "")


def peak(run: Path) -> str:
    """Highest memory of the card over the steps, in GB; nothing on a CPU."""
    steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = [step["memory/peak_gb"] for step in steps if "memory/peak_gb" in step]
    return f"{max(found) * 2**30 / 1e9:.3g}" if found else ""
