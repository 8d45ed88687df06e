"""A measurement of noise levels as a plot, a table and a few sentences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noisygrpo.evaluation.samples import write_atomic
from noisygrpo.report.plots import INK, PALETTE, new_axes, new_figure, save
from noisygrpo.report.table import table

Found = Mapping[str, Any]
"""What `noisygrpo.runs.levels.measure_levels` returns."""


def write_levels_report(found: Found, folder: Path) -> str:
    """Write ``levels.png`` and ``report.txt`` into the folder; returns the text."""
    levels_plot(found, folder / "levels.png")
    text = levels_text(found)
    write_atomic(folder / "report.txt", f"{text}\n")
    return text


def levels_text(found: Found) -> str:
    """The table, the verdict, the proposed grid, and what the recipe's own levels mean."""
    lines = [
        f"by level of {found['noise_kind']} noise: {found['rows']} rows, "
        f"temperature {found['temperature']:g}; ± standard error",
        "",
        levels_table(found),
        "",
        found["verdict"],
    ]
    proposed = [entry for entry in found["grid"] if entry["level"] is not None]
    if proposed:
        levels = ", ".join(f"{entry['level']:g}" for entry in proposed)
        shares = ", ".join(_share(entry) for entry in proposed)
        lines.append(f"proposed: noise_levels [{levels}], at which is left: {shares}")
    if found["own"]:
        own = ", ".join(f"{entry['level']:g} ({entry['left']:.0%})" for entry in found["own"])
        lines.append(f"the recipe has: {own}{_own_fault(found)}")
    return "\n".join(lines)


def levels_table(found: Found, style: str = "text") -> str:
    """One line for each level, and for each view that shows nothing."""
    scale, digits = (100, 1) if found["by"] == "accuracy" else (1, 3)
    rows = [
        [
            f"{point['level']:g}",
            *_cells(point),
            "-" if fitted is None else f"{scale * fitted:.{digits}f}",
        ]
        for point, fitted in zip(found["points"], found["curve"], strict=True)
    ]
    rows += [[name, *_cells(point), ""] for name, point in found["blind"].items()]
    return table(["level", "accuracy, %", "reward", f"fitted {found['by']}"], rows, style)


def _cells(point: Mapping[str, Any]) -> list[str]:
    reward = point.get("reward")
    told = "-" if reward is None else _with_error(reward, 1, 3)
    return [_with_error(point["accuracy"], 100, 1), told]


def _with_error(score: Mapping[str, Any], scale: int, digits: int) -> str:
    """A mean with its standard error, where that is known."""
    mean, error = score["mean"], score["stderr"]
    spread = "" if error is None else f" ± {scale * error:.{digits}f}"
    return f"{scale * mean:.{digits}f}{spread}"


def _share(entry: Mapping[str, Any]) -> str:
    interval = f" [{entry['low']:g}, {entry['high']:g}]" if "low" in entry else ""
    return f"{entry['left']:.0%}{interval}"


def _own_fault(found: Found) -> str:
    """What is wrong with the recipe's levels as a whole, if anything."""
    noisy = [entry["left"] for entry in found["own"] if entry["level"] > 0]
    if noisy and min(noisy) > 0.9:
        return ": none of them is felt"
    gone = [entry["level"] for entry in found["own"] if entry["left"] <= 0]
    if gone:
        return f": at {', '.join(f'{level:g}' for level in gone)} the picture is gone"
    return ""


def levels_plot(found: Found, path: Path) -> Path:
    """Accuracy and reward against the level, with 95 % intervals; dashed is without a picture."""
    figure = new_figure(width=10.4, height=3.6)
    for number, name in enumerate(("accuracy", "reward")):
        points = [point for point in found["points"] if name in point]
        axes = new_axes(figure, 1, 2, number + 1)
        levels = [point["level"] for point in points]
        means = [point[name]["mean"] for point in points]
        errors = [1.96 * (point[name]["stderr"] or 0.0) for point in points]
        color = PALETTE[number]
        axes.errorbar(levels, means, errors, color=color, marker="o", markersize=4, linewidth=2)
        for blind, style in zip(found["blind"].items(), ((0, (4, 3)), (0, (1, 2))), strict=True):
            label, point = blind
            if name in point:
                axes.axhline(
                    point[name]["mean"], color=INK, linewidth=1, linestyle=style, label=label
                )
        for entry in found["grid"]:
            if entry["level"] and name == found["by"]:
                axes.axvline(entry["level"], color="#bbbbbb", linewidth=1)
        axes.set_title(f"{name} by level", loc="left", fontsize=11, color=INK)
        axes.set_xlabel(f"level of {found['noise_kind']} noise")
        axes.legend(frameon=False, fontsize=8)
    return save(figure, path)
