"""Labelled answers: a completion, the row's target, whether the completion deserves the point."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "rewards" / "cases"
SHARED = Path(__file__).parents[2] / "shared" / "cases" / "grading.jsonl"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rewards_of(rows: list[dict[str, Any]]) -> list[float | None]:
    from noisygrpo.rewards.functions import accuracy

    return accuracy(
        prompts=[""] * len(rows),
        completions=[row["completion"] for row in rows],
        answer=[row["target"] for row in rows],
        kind=[row["kind"] for row in rows],
        question=[row["question"] for row in rows],
        time_limit=600,  # the machine may be busy
        time_budget=3600,
    )
