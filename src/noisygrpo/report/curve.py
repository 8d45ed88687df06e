"""The learning curve of a run as a PNG: rewards of its rollouts, and accuracy on measured rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from noisygrpo.errors import require
from noisygrpo.evaluation.files import read_object
from noisygrpo.report.plots import (
    INK,
    PALETTE,
    local_mean,
    new_axes,
    new_figure,
    note_below,
    read_metrics,
    save,
    series,
)

_PART = re.compile(r"rewards/(.+)/mean")
_MEASURED = re.compile(r"evaluation/(.+)/accuracy")
Z = 1.96


@dataclass(frozen=True)
class Line:
    """Values over steps; ``errors`` are standard errors, None where there are none."""

    name: str
    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    errors: NDArray[np.float64] | None = None


def learning_curve(run_dir: str | Path, out: str | Path | None = None) -> Path:
    """Rewards of the rollouts over the steps, and accuracy before, while and after training.

    A reward function that gives the same throughout is named, not drawn, and so is the total where
    one function alone makes it move: it would be that curve once more. Reads ``metrics.jsonl`` and
    the evaluations of ``run_dir``, writes ``learning_curve.png`` there, or ``out``, and returns its
    path. Raises ``UserError`` without metrics to draw.
    """
    folder = Path(run_dir)
    records = read_metrics(folder / "metrics.jsonl")
    rewards, constant = reward_lines(records)
    require(bool(rewards), f"{folder / 'metrics.jsonl'}: holds no value named 'reward'")
    measured = measured_lines(folder, records)
    columns = 1 + bool(measured)
    figure = new_figure(width=5.4 * columns, height=3.9)
    axes = new_axes(figure, 1, columns, 1)
    for color, line in zip(PALETTE * 9, rewards, strict=False):
        _draw_rollouts(axes, line, color)
    axes.set_ylabel("mean over rollouts", fontsize=9, color=INK)
    notes = ["faint: each step; bold: local mean with its 95 % interval"]
    if measured:
        second = new_axes(figure, 1, columns, 2)
        for color, line in zip((PALETTE * 9)[len(rewards) :], measured, strict=False):
            _draw_measured(second, line, color)
        second.set_ylabel("accuracy on measured rows, %", fontsize=9, color=INK)
        notes.append("bars: ± one standard error")
    notes += [f"{name} is {value:g} throughout" for name, value in constant.items()]
    for one in figure.axes:
        one.set_xlabel("step", fontsize=9, color=INK)
        one.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10]))
    figure.suptitle(folder.resolve().name, x=0.01, ha="left", fontsize=11, color=INK)
    note_below(figure, "; ".join(notes))
    return save(figure, folder / "learning_curve.png" if out is None else Path(out))


def reward_lines(records: Sequence[dict[str, Any]]) -> tuple[list[Line], dict[str, float]]:
    """What is drawn of the rewards, and the functions that are constant with their value."""
    names = dict.fromkeys(key for record in records for key in record)
    parts = [match for name in names if (match := _PART.fullmatch(name))]
    lines, constant = [], {}
    for match in parts:
        found = series(records, re.compile(re.escape(match.group(0))))
        if found is None:
            continue
        if np.ptp(found[1]) > 1e-9:
            lines.append(Line(match.group(1), *found))
        else:
            constant[match.group(1)] = float(found[1][0])
    total = series(records, re.compile("reward"))
    if total is not None and len(lines) != 1:
        if not lines:
            constant = {}
        lines.insert(0, Line("reward", *total))
    return lines, constant


def measured_lines(folder: Path, records: Sequence[dict[str, Any]]) -> list[Line]:
    """Accuracies in percent by split, of those that were measured at least twice."""
    found: dict[str, dict[float, tuple[float, float]]] = {}
    steps = [float(record.get("step", place)) for place, record in enumerate(records, start=1)]
    for step, record in zip(steps, records, strict=True):
        for name in filter(_MEASURED.fullmatch, record):
            error = record.get(name.removesuffix("accuracy") + "stderr")
            split = name.split("/", 1)[1].removesuffix("/accuracy")
            found.setdefault(split, {})[step] = record[name], error or 0.0
    for moment, step in (("before", 0.0), ("after", max(steps, default=0.0))):
        for path in sorted((folder / "evaluation" / moment).glob("*/result.json")):
            result = read_object(path)
            point = result["accuracy"], result["stderr"] or 0.0
            found.setdefault(path.parent.name, {})[step] = point
    return [
        Line(
            split,
            np.array(sorted(points)),
            100 * np.array([points[step][0] for step in sorted(points)]),
            100 * np.array([points[step][1] for step in sorted(points)]),
        )
        for split, points in found.items()
        if len(points) > 1
    ]


def _draw_rollouts(axes: Axes, line: Line, color: str) -> None:
    """Every step faintly, the local mean boldly with its interval."""
    axes.plot(
        line.steps, line.values, color=color, alpha=0.3, linewidth=1, marker=".", markersize=3
    )
    mean, error = local_mean(line.values, max(1.0, len(line.values) / 20))
    axes.fill_between(
        line.steps, mean - Z * error, mean + Z * error, color=color, alpha=0.15, linewidth=0
    )
    axes.plot(line.steps, mean, color=color, linewidth=2, label=line.name, solid_capstyle="round")


def _draw_measured(axes: Axes, line: Line, color: str) -> None:
    axes.errorbar(
        line.steps, line.values, line.errors, color=color, linewidth=2, elinewidth=1.2, marker="o",
        markersize=5, label=line.name, clip_on=False,
    )  # fmt: skip
