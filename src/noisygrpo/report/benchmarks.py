"""One table over several benchmarks: for a terminal, as JSON, as Markdown and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from noisygrpo.evaluation.benchmarks import get_benchmark
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.samples import write_atomic, write_json
from noisygrpo.report.table import percent, table
from noisygrpo.terminal import one_line

HEADER = ("benchmark", "n", "accuracy", "judge", "official numbers", "failures")
TABLE_FILE = "table"
"""Stem of the files that are written, beside ``report.txt``."""

_STYLE = (
    "body{font:16px/1.5 sans-serif;margin:2em}table{border-collapse:collapse}"
    "td,th{padding:.3em .8em;text-align:right;border-bottom:1px solid #ccc}"
    "td:first-child,th:first-child{text-align:left}"
)


def write_benchmark_table(folders: Mapping[str, Path], target: Path) -> str:
    """Write and return the table of finished evaluations.

    ``folders``: benchmark to the folder with its ``result.json``. ``target`` gets ``report.txt``,
    ``table.json`` (benchmark to accuracy as a share, standard error, n, failures, metrics, judge),
    ``table.md`` and ``table.html``.
    """
    results = {name: read_object(folder / "result.json") for name, folder in folders.items()}
    rows = [_row(name, result) for name, result in results.items()]
    title = "accuracy in percent ± standard error"
    text = f"{title}\n{table(HEADER, rows)}"
    kept = ("accuracy", "stderr", "n", "clusters", "failures", "metrics", "judge")
    write_json(
        target / f"{TABLE_FILE}.json",
        {name: {key: r[key] for key in kept if key in r} for name, r in results.items()},
    )
    write_atomic(target / f"{TABLE_FILE}.md", f"{title}\n\n{table(HEADER, rows, 'markdown')}\n")
    write_atomic(target / f"{TABLE_FILE}.html", _html(title, rows))
    write_atomic(target / "report.txt", f"{text}\n")
    return text


def _row(name: str, result: Mapping[str, Any]) -> list[str]:
    """The cells of a benchmark; a second judge's accuracy where there is one."""
    judge = result.get("judge")
    judged = "" if judge is None else percent(judge)
    official = [
        f"{label} {100 * value:.1f}"
        for label in get_benchmark(name).headline
        if isinstance(value := _metric(result["metrics"], label), float)
    ]
    n, failures = str(result["n"]), str(result["failures"])
    return [name, n, percent(result), judged, ", ".join(official), failures]


def _metric(metrics: Mapping[str, Any], label: str) -> Any:
    value: Any = metrics
    for key in label.split("/"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _html(title: str, rows: list[list[str]]) -> str:
    def line(cells: Any, tag: str) -> str:
        return "".join(f"<{tag}>{escape(one_line(cell))}</{tag}>" for cell in cells)

    body = "\n".join(f"<tr>{line(cells, 'td')}</tr>" for cells in rows)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{title}</h1>\n<table>\n"
        f"<tr>{line(HEADER, 'th')}</tr>\n{body}\n</table>\n</html>\n"
    )
