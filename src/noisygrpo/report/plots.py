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
from noisygrpo.evaluation.files import read_text

INK, SOFT, GRID = "#2b2b2b", "#57606a", "#e4e4e4"
PALETTE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#7f7f7f",
)  # Okabe & Ito


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records of a metrics file; a last line that a kill cut short is left out, one that is
    complete counts, whether a newline follows or not.
    """
    require(path.is_file(), f"{path}: there is no such file")
    records = []
    lines = read_text(path).split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            records.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            if number < len(lines):
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


def local_mean(
    values: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gaussian-weighted mean around each position and its standard error, ``width`` the standard
    deviation in positions; no lag, no shrunken ends.

    The error is that of a weighted mean of independent values, ``sqrt(v / n)`` with the weighted
    variance ``v`` around it and the effective number ``n = (sum w)^2 / sum w^2``, 0 for one value.
    """
    positions = np.arange(len(values))
    weights = np.exp(-0.5 * ((positions[:, None] - positions) / width) ** 2)
    total = weights.sum(axis=1)
    mean = weights @ values / total
    spread = (weights * (values - mean[:, None]) ** 2).sum(axis=1) / total
    number = total**2 / (weights**2).sum(axis=1)
    # What a mean of few values leaves of their variance: (n - 1) / n.
    error = np.sqrt(spread / np.maximum(number - 1.0, 1e-9))
    return mean, np.where(number > 1.001, error, 0.0)


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


def note_below(figure: Figure, text: str) -> None:
    """The figure's one legend, and over it what the reader must know of faint and bold."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    legend = figure.legend(
        handles.values(), handles.keys(), loc="outside lower left", ncols=6, frameon=False,
        fontsize=9, handlelength=1.6, columnspacing=1.4, title=text, title_fontsize=8,
        alignment="left",
    )  # fmt: skip
    legend.get_title().set_color(SOFT)


def require_png(path: Path, what: str) -> None:
    """See that a plot is not written under the name of another format."""
    require(
        path.suffix.lower() == ".png", f"{what}: {path} ends in {path.suffix!r}, allowed is .png"
    )


def save(figure: Figure, path: Path) -> Path:
    """Write the figure under a temporary name and rename it, so that no reader sees half a
    picture. Raises ``UserError`` for another ending than ``.png``.
    """
    require_png(path, "plot")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    figure.savefig(temporary, format="png", metadata={"Software": None})
    temporary.replace(path)
    return path
