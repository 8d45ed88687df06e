"""A comparison of runs as a table and as a plot."""

from pathlib import Path

from matplotlib.axes import Axes

from noisygrpo.evaluation.compare import Comparison, Difference
from noisygrpo.report.plots import GRID, INK, PALETTE, new_axes, new_figure, note_below, save
from noisygrpo.report.table import percent, table
from noisygrpo.terminal import one_line


def comparison_table(comparison: Comparison, style: str = "text") -> str:
    """Two tables: the accuracy of every method by task, and the differences from the baseline.

    Accuracies and differences are in percent and points; a method of several seeds shows their
    number. ``style``: ``text`` or ``markdown``.
    """
    accuracies = [
        [
            task,
            method.label,
            str(len(method.runs)),
            str(method.n),
            percent({"accuracy": method.accuracy, "stderr": method.stderr}),
        ]
        for task, methods in comparison.tasks.items()
        for method in methods
    ]
    differences = [
        [
            item.task,
            f"{item.method} - {item.baseline}",
            points(item),
            p_text(item.p_value),
            p_text(item.p_holm),
            item.test,
        ]
        for item in comparison.differences
    ]
    level = f"{100 * comparison.differences[0].confidence:g} %"
    first = table(["task", "method", "seeds", "n", "accuracy"], accuracies, style)
    header = ["task", "difference", f"points [{level}]", "p", "p (Holm)", "test"]
    text = f"{first}\n\n{table(header, differences, style)}"
    left_out = ", ".join(comparison.left_out)
    notes = [f"not in every run, left out: {left_out}"] if left_out else []
    return "\n\n".join([text, *notes, *map(one_line, comparison.notes)])


def points(item: Difference) -> str:
    """``+3.1 [+0.4, +5.9]`` in percentage points."""
    return f"{100 * item.difference:+.1f} [{100 * item.low:+.1f}, {100 * item.high:+.1f}]"


def p_text(p_value: float) -> str:
    """A p-value in three digits."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def comparison_plot(comparison: Comparison, path: str | Path) -> Path:
    """Differences from the baseline with their intervals, one line for each task and method; a PNG.

    An interval that leaves zero out is drawn in full colour, the others are pale.
    """
    tasks = list(dict.fromkeys(item.task for item in comparison.differences))
    methods = list(dict.fromkeys(item.method for item in comparison.differences))
    figure = new_figure(width=6.8, height=1.7 + (0.26 * len(methods) + 0.2) * len(tasks))
    axes = new_axes(figure)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.axvline(0, color=INK, linewidth=1)
    labelled: set[str] = set()
    for item in comparison.differences:
        number = methods.index(item.method)
        row = -tasks.index(item.task) - (number + 0.5) / (len(methods) + 0.6)
        _draw(axes, item, row, PALETTE[number % len(PALETTE)], item.method not in labelled)
        labelled.add(item.method)
    axes.set_yticks(
        [-place - len(methods) / 2 / (len(methods) + 0.6) for place in range(len(tasks))], tasks
    )
    axes.set_ylim(-len(tasks), 0.1)
    baseline = comparison.differences[0].baseline
    axes.set_title(f"against {baseline}", loc="left", fontsize=11, color=INK)
    axes.set_xlabel("difference in accuracy, percentage points", fontsize=9, color=INK)
    level = f"{100 * comparison.differences[0].confidence:g} %"
    note_below(figure, f"bars: {level} interval, on the same samples; faint: it holds 0")
    return save(figure, Path(path))


def _draw(axes: Axes, item: Difference, row: float, color: str, named: bool) -> None:
    alpha = 1.0 if item.low > 0 or item.high < 0 else 0.4
    low, mean, high = (100 * value for value in (item.low, item.difference, item.high))
    axes.plot([low, high], [row] * 2, color=color, alpha=alpha, linewidth=3, solid_capstyle="round")
    axes.plot(
        [mean], [row], color=color, alpha=alpha, marker="o", markersize=7, markeredgecolor="white"
    )
    if named:  # the legend shows a method's colour, never faint
        axes.plot([], [], color=color, marker="o", linewidth=3, label=item.method)
