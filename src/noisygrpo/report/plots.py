"""Plots as PNG files, drawn without a display and without matplotlib's global state."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from noisygrpo.errors import UserError, require

INK, GRID = "#2b2b2b", "#e4e4e4"
PALETTE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#7f7f7f",
)  # Okabe & Ito

# Names in metrics.jsonl; trl calls the mean of a reward function "rewards/<function>/mean".
_REWARD = re.compile("reward")
_ACCURACY = re.compile(r"rewards/\w*(accuracy|correct)\w*/mean|accuracy")


def learning_curve(run_dir: str | Path, out: str | Path | None = None) -> Path:
    """Mean reward and accuracy of the rollouts over the steps of a run, each value and a smoothed
    line.

    Reads ``metrics.jsonl`` of ``run_dir`` (one JSON object a line; ``step`` and trl's metric
    names), writes ``learning_curve.png`` there, or ``out``, and returns its path. Raises
    ``UserError`` without metrics to draw.
    """
    folder = Path(run_dir)
    records = read_metrics(folder / "metrics.jsonl")
    panels = [
        (title, *found)
        for title, name in (("mean reward", _REWARD), ("accuracy of rollouts", _ACCURACY))
        if (found := series(records, name)) is not None
    ]
    require(
        bool(panels),
        f"{folder / 'metrics.jsonl'}: holds no value named 'reward'",
    )
    figure = new_figure(width=5.2 * len(panels), height=3.4)
    for number, (title, steps, values) in enumerate(panels):
        axes = new_axes(figure, 1, len(panels), number + 1)
        draw_series(axes, steps, values, PALETTE[number])
        axes.set_title(title, loc="left", fontsize=11, color=INK)
        axes.set_xlabel("step")
    return save(figure, folder / "learning_curve.png" if out is None else Path(out))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records of a metrics file; a last line that a kill cut short is left out."""
    require(path.is_file(), f"{path}: there is no such file")
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], start=1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise UserError(f"{path}: line {number} is not JSON: {error}") from error
    return records


def series(
    records: Sequence[dict[str, Any]], name: re.Pattern[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Steps and values of the first key that ``name`` matches in full; ``None`` if none does.

    A record without ``step`` counts as the step of its position, from 1. A step that occurs twice,
    as it does after a resume, keeps its last value. What is not a finite number is left out.
    """
    keys = dict.fromkeys(key for record in records for key in record if name.fullmatch(key))
    for key in keys:
        points = {
            float(record.get("step", position)): float(record[key])
            for position, record in enumerate(records, start=1)
            if isinstance(record.get(key), int | float) and math.isfinite(record[key])
        }
        if points:
            steps = sorted(points)
            return np.array(steps), np.array([points[step] for step in steps])
    return None


def smooth(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Gaussian-weighted local mean over positions, ``width`` their standard deviation; no lag, no
    shrunken ends.
    """
    positions = np.arange(len(values))
    weights = np.exp(-0.5 * ((positions[:, None] - positions) / width) ** 2)
    return np.asarray(weights @ values / weights.sum(axis=1))


def draw_series(
    axes: Axes,
    steps: NDArray[np.float64],
    values: NDArray[np.float64],
    color: str,
    label: str | None = None,
) -> None:
    """Every value faintly and a smoothed line over it, with its last value written at its end."""
    axes.plot(steps, values, color=color, alpha=0.25, linewidth=1, marker=".", markersize=3)
    line = smooth(values, max(1.0, len(values) / 20)) if len(values) > 2 else values
    axes.plot(steps, line, color=color, linewidth=2, label=label, solid_capstyle="round")
    axes.annotate(
        f"{line[-1]:.2f}",
        (steps[-1], line[-1]),
        (4, 0),
        textcoords="offset points",
        color=color,
        va="center",
    )


def new_figure(width: float, height: float) -> Figure:
    """A white figure of this size in inches, laid out without overlaps."""
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def new_axes(figure: Figure, rows: int = 1, columns: int = 1, number: int = 1) -> Axes:
    """Axes with a light horizontal grid and no frame, so that the data is the darkest thing on the
    page.
    """
    axes = figure.add_subplot(rows, columns, number)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    return axes


def save(figure: Figure, path: Path) -> Path:
    """Write the figure under a temporary name and rename it, so that no reader sees half a
    picture.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    figure.savefig(temporary, format="png", metadata={"Software": None})
    temporary.replace(path)
    return path
