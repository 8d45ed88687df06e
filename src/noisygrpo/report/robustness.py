"""Robustness curves as a plot and a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from noisygrpo.errors import require
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.robustness import read_curve
from noisygrpo.evaluation.samples import write_atomic
from noisygrpo.report.plots import INK, PALETTE, new_axes, new_figure, note_below, save
from noisygrpo.report.table import percent, table

Z = 1.96
_COLUMNS = 4
"""Panels side by side."""

Curve = Mapping[str, Any]
"""What `noisygrpo.evaluation.robustness.robustness_curve` returns."""


def robustness_plot(curves: Mapping[str, Curve], path: str | Path) -> Path:
    """Accuracy against the level of each disturbance, one panel for each kind, one line for each
    model.

    ``curves``: model name -> its curve. Bars are 95 % intervals; a dashed line is the accuracy
    without the image. Writes a PNG and returns its path.
    """
    require(bool(curves), "robustness plot: no curves")
    kinds = list(dict.fromkeys(kind for curve in curves.values() for kind in curve["curves"]))
    columns = min(len(kinds), _COLUMNS)
    rows = -(-len(kinds) // columns)
    figure = new_figure(width=1.2 + 3.6 * columns, height=0.7 + 3.2 * rows)
    for number, kind in enumerate(kinds, start=1):
        axes = new_axes(figure, rows, columns, number)
        for color, (name, curve) in zip(PALETTE * 9, curves.items(), strict=False):
            _draw(axes, name, kind, curve, color)
        axes.set_title(kind.replace("_", " "), loc="left", fontsize=11, color=INK)
        if number > len(kinds) - columns:
            axes.set_xlabel("level", fontsize=9, color=INK)
        axes.set_ylim(-4, 104)  # so that 0 and 100 % do not lie on the frame
        axes.set_yticks(range(0, 101, 20))
        if number % columns == 1 or columns == 1:
            axes.set_ylabel("accuracy, %", fontsize=9, color=INK)
    blind = any("text_only" in curve for curve in curves.values())
    dashed = "; dashed: without the image" if blind else ""
    note_below(figure, f"bars: 95 % interval{dashed}")
    return save(figure, Path(path))


def write_robustness_report(folder: str | Path) -> str:
    """Write ``robustness.png`` and ``report.txt`` beside ``robustness.json``; returns the text."""
    path, curve = Path(folder), read_curve(folder)
    settings = read_object(path / "clean" / "settings.json")
    name = "/".join(Path(settings.get("model", path.resolve().name)).parts[-2:])
    robustness_plot({name: curve}, path / "robustness.png")
    text = robustness_text(curve)
    write_atomic(path / "report.txt", f"{text}\n")
    return text


def robustness_text(curve: Curve) -> str:
    """The table, what the image is worth, and the failures that count as wrong."""
    lines = ["accuracy in percent ± standard error by level of disturbance", ""]
    lines.append(robustness_table(curve))
    looking = curve.get("looking")
    if looking is not None:
        low, mean, high = (100 * looking[name] for name in ("low", "difference", "high"))
        level = f"{100 * looking['confidence']:g} %"
        lines += ["", f"the image is worth {mean:+.1f} points [{level}: {low:+.1f}, {high:+.1f}]"]
    points = [point for points in curve["curves"].values() for point in points]
    failures = max(point.get("failures", 0) for point in points)
    if failures:
        rows = f"{failures} of {points[0]['n']} rows"
        lines.append(f"{rows} failed and count as wrong; result.json of each level lists them")
    return "\n".join(lines)


def robustness_table(curve: Curve, style: str = "text") -> str:
    """One line for each kind, one column for each level, and the text-only accuracy."""
    levels = sorted({point["level"] for points in curve["curves"].values() for point in points})
    rows = [
        [kind, *(next((percent(p) for p in points if p["level"] == level), "") for level in levels)]
        for kind, points in curve["curves"].items()
    ]
    text_only = curve.get("text_only")
    if text_only is not None:
        rows.append(["text only", percent(text_only), *[""] * (len(levels) - 1)])
    return table(["accuracy at level", *(f"{level:g}" for level in levels)], rows, style)


def _draw(axes: Axes, name: str, kind: str, curve: Curve, color: str) -> None:
    points = curve["curves"].get(kind, [])
    middles = [100 * point["accuracy"] for point in points]
    errors = [Z * 100 * (point["stderr"] or 0.0) for point in points]
    # An accuracy has no interval beyond 0 and 100 %.
    low = [min(error, middle) for error, middle in zip(errors, middles, strict=True)]
    high = [min(error, 100 - middle) for error, middle in zip(errors, middles, strict=True)]
    axes.errorbar(
        [point["level"] for point in points], middles, [low, high], color=color, linewidth=2,
        elinewidth=1.2, marker="o", markersize=4, label=name, capsize=0,
    )  # fmt: skip
    if "text_only" in curve:
        axes.axhline(
            100 * curve["text_only"]["accuracy"], color=color, linewidth=1.2, linestyle=(0, (4, 3))
        )
