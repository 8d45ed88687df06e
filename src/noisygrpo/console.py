"""What a run says on the terminal: what it is about to do, and a line per step."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from noisygrpo.evaluation.progress import duration
from noisygrpo.prepare import Prepared
from noisygrpo.training.config import NoisyGRPOConfig

SHOWN = {
    "reward": "reward",
    "rewards/accuracy/mean": "accuracy",
    "advantage/prior_driven": "prior-driven",
    "completions/mean_length": "tokens",
    "completions/clipped_ratio": "truncated",
}
"""Metric of ``metrics.jsonl`` to its short name in a step's line."""


def describe(prepared: Prepared) -> list[str]:
    """What the run will do, in lines of ``name  value``."""
    recipe, config = prepared.recipe, prepared.config
    rewards = ", ".join(
        f"{reward['name']}" + ("" if weight == 1 else f" x {weight:g}")
        for reward, weight in zip(recipe.rewards, prepared.weights, strict=True)
    )
    source = f"{recipe.data.source}, split {recipe.data.split}, {len(prepared.train)} rows"
    lines = [("recipe", recipe.name), ("model", recipe.model.path), ("method", recipe.method)]
    lines += [("views", views_line(config)), ("data", source), ("rewards", rewards)]
    lines += [
        ("batch" if number == 0 else "", line) for number, line in enumerate(prepared.batch.lines())
    ]
    lines.append(("output", str(config.output_dir)))
    return [f"{name:8} {value}" for name, value in lines]


def views_line(config: NoisyGRPOConfig) -> str:
    """The view plan and the advantage in words."""
    if not config.noisy:
        return f"every rollout sees the clean image; advantage {config.advantage}"
    levels = (
        "U[0, 1]"
        if config.noise_levels is None
        else ", ".join(f"{x:g}" for x in config.noise_levels)
    )
    noise = f"{config.noise_kind} noise at levels {levels}"
    return f"{config.view_plan}, {noise}; advantage {config.advantage}"


class StepLine(TrainerCallback):
    """Prints a line per logged step: metrics of ``SHOWN``, seconds, and the time left."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._began, self._first = 0.0, 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock."""
        self._began, self._first = time.monotonic(), state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print the line; logs without a reward (evaluation, the end's summary) are left out."""
        if not state.is_world_process_zero or logs is None or "reward" not in logs:
            return
        done = state.global_step - self._first
        each = (time.monotonic() - self._began) / max(done, 1)
        left = duration(each * (state.max_steps - state.global_step))
        parts = [f"{short} {logs[name]:.3g}" for name, short in SHOWN.items() if name in logs]
        parts += [f"{each:.1f} s a step", f"{left} left"]
        line = " · ".join([f"step {state.global_step}/{state.max_steps}", *parts])
        print(line, file=self._stream or sys.stdout, flush=True)
