"""The result of one evaluation as text."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.samples import write_atomic
from noisygrpo.report.table import percent, results_table

_SHOWN_FAILURES = 5


def result_text(result: Mapping[str, Any]) -> str:
    """What ``result.json`` holds, for a terminal: accuracy, metrics, kinds, judge, failures.

    Shares are in percent; standard errors are as in the file.
    """
    lines = [f"{result['name']}: {percent(result)} % right ({_count(result)})"]
    lines += [f"  {name:28} {value}" for name, value in _flat(result["metrics"])]
    lines += _pairs(result["pairs"]) if "pairs" in result else []
    if result["by_kind"]:
        lines += ["", results_table(result["by_kind"])]
    judge = result.get("judge")
    if judge is not None:
        lines += ["", f"judge {judge['judge']}: {percent(judge)} %, {judge['unjudged']} not judged"]
        agreement = judge.get("agreement_with_rules")
        if agreement is not None:
            lines.append(f"  agrees with the rules on {100 * agreement:.1f} %")
        more = {name: value for name, value in judge.items() if isinstance(value, Mapping)}
        lines += [f"  {name:28} {value}" for name, value in _flat(more)]
    notes = {"without_answer": "without an answer", "truncated": "cut at the length limit"}
    lines += [f"{result[key]} {text}" for key, text in notes.items() if result[key]]
    failed = result["failed"]
    if failed:
        lines.append(f"{len(failed)} failed, counted as wrong:")
        lines += [f"  {item['example_id']}: {item['why']}" for item in failed[:_SHOWN_FAILURES]]
        if len(failed) > _SHOWN_FAILURES:
            lines.append("  ... all of them are in result.json")
    return "\n".join(lines)


def write_report(folder: str | Path) -> str:
    """`result_text` of a finished evaluation; written into its folder as ``report.txt`` too."""
    path = Path(folder) / "result.json"
    require(path.is_file(), f"{folder}: no result.json; is the evaluation finished?")
    text = result_text(read_object(path))
    write_atomic(path.with_name("report.txt"), f"{text}\n")
    return text


def _pairs(pairs: Mapping[str, Any]) -> list[str]:
    whole, alone = (f"{100 * pairs[key]:.1f} %" for key in ("right", "right_alone"))
    lines = [f"{pairs['pairs']} pairs, right only as a whole: {whole}; their rows alone: {alone}"]
    if pairs["single"]:
        lines.append(f"{pairs['single']} of them have one evaluated row, which counts alone")
    return lines


def _count(result: Mapping[str, Any]) -> str:
    clusters = result.get("clusters", result["n"])
    related = f" in {clusters} clusters" if clusters != result["n"] else ""
    return f"n = {result['n']}{related}"


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of metrics; a nested result becomes one entry."""
    for name, value in metrics.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            if "accuracy" in value and "stderr" in value:
                yield label, percent(value)
            else:
                yield from _flat(value, f"{label} / ")
        elif isinstance(value, float):
            yield label, f"{100 * value:.1f}"
        elif value is not None:
            yield label, str(value)
