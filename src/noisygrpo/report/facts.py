"""What was run: recipe and what differs from its base, versions, data, hours, results by split."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.run_names import SEED, labelled, refuse_twice, shortest_names
from noisygrpo.recipes.layers import fold, read_layers, read_text, recipe_names
from noisygrpo.report.plots import read_metrics
from noisygrpo.yaml_text import dump_yaml, read_yaml

RECIPE, ENVIRONMENT, METRICS = "recipe.yaml", "environment.json", "metrics.jsonl"

NOT_COMPARED = ("name", "output_dir", "run_name", "report_to", "logging_dir")
"""Fields that say where something is written, not what is done."""


@dataclass(frozen=True)
class Named:
    """A folder that a report is about, and what it is called there."""

    label: str
    folder: Path


def named_folders(paths: list[str]) -> list[Named]:
    """Folders given as ``folder`` or ``label=folder``, each with a label of its own.

    Raises:
        UserError: one is no folder, or holds nothing that a report shows.
    """
    given = [labelled(text) for text in paths]
    for _, path in given:
        require(path.is_dir(), f"report: {path} is not a folder")
        require(_holds(path), f"report: {path} holds no run and no evaluation")
    refuse_twice([path for _, path in given], "report")
    taken = [label for label, _ in given if label]
    plain = [path.resolve() for label, path in given if not label]
    names = dict(zip(plain, shortest_names(plain, taken), strict=True))
    found: list[Named] = []
    for label, path in given:
        name = label or names[path.resolve()]
        again = [one for one in found if one.label == name or one.label.startswith(f"{name} (")]
        found.append(Named(f"{name} ({len(again) + 1})" if again else name, path))
    short = [SEED.sub("", one.label) for one in found]
    if all(short) and len(set(short)) == len(short) > 1:  # one seed of each: it says nothing
        return [Named(name, one.folder) for name, one in zip(short, found, strict=True)]
    return found


def _holds(folder: Path) -> bool:
    names = (METRICS, "rollouts.jsonl", "rollouts", "robustness.json", "samples.jsonl")
    return any((folder / name).exists() for name in names) or bool(
        next(folder.rglob("samples.jsonl"), None)
    )


def facts(named: Named) -> dict[str, Any]:
    """Recipe, differences, versions, hours and results of a run's folder, as JSON values."""
    folder = named.folder
    recipe = read_recipe(folder / RECIPE)
    environment = _json(folder / ENVIRONMENT)
    arguments = environment.pop("arguments", [])
    base, differing = differences_from_base(recipe, arguments)
    metrics = metric_columns(folder)
    return {
        "label": named.label,
        "folder": str(folder),
        "recipe": dump_yaml(recipe) if recipe else "",
        "lines": _lines(recipe) or _asked(folder),
        "fields": {name: _shown(value) for name, value in flat(_long(recipe)).items()},
        "base": base,
        "differences": differing,
        "environment": environment,
        "arguments": [str(word) for word in arguments],
        "changes": _json(folder / "changes.json").get("changes", []),
        "hours": hours(metrics),
        "summary": results(_json(folder / "summary.json")),
        "metrics": metrics,
        "correct": correct_reward(recipe),
        "curve": _json(folder / "robustness.json") or None,
    }


def results(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The splits of a summary that were measured before and after; what is none is left out."""

    def measured(entry: Any) -> bool:
        moments = [_mapping(_mapping(entry).get(name)) for name in ("before", "after")]
        return all(_number(moment.get("accuracy")) is not None for moment in moments)

    return {split: entry for split, entry in summary.items() if measured(entry)}


def correct_reward(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Which reward says what is right, and from which value on, where the recipe says so."""
    training = _mapping(recipe.get("training"))
    at = training.get("correct_at")
    return {"reward": training.get("correct_reward"), "at": 1.0 if at is None else at}


def hours(metrics: Mapping[str, Any]) -> float | None:
    """Hours of all steps; None where nothing says."""
    found = metrics["columns"].get("step_time") or []
    seconds = [value for value in found if value is not None]
    return sum(seconds) / 3600 if seconds else None


def metric_columns(folder: Path) -> dict[str, Any]:
    """``metrics.jsonl`` as columns: ``{"steps": [...], "columns": {name: [value or None]}}``.

    A step that occurs twice, as after a resume, keeps its last values.
    """
    path = folder / METRICS
    records = read_metrics(path) if path.is_file() else []
    rows: dict[float, dict[str, Any]] = {}
    for position, record in enumerate(records, start=1):
        step = record.get("step", position) if isinstance(record, dict) else None
        if isinstance(step, int | float) and math.isfinite(step):
            rows.setdefault(step, {}).update(record)
    steps = sorted(rows)
    names = dict.fromkeys(name for step in steps for name in rows[step])
    columns = {name: [_number(rows[step].get(name)) for step in steps] for name in names}
    kept = {name: values for name, values in columns.items() if any(v is not None for v in values)}
    return {"steps": steps, "columns": {n: v for n, v in kept.items() if n not in ("step",)}}


def differences_from_base(
    recipe: Mapping[str, Any], arguments: list[Any]
) -> tuple[str, list[list[str]]]:
    """What the recipe was made from, and ``[field, there, here]`` where it differs.

    The base is the recipe that the command named, or the one that that recipe stands on; a shipped
    recipe of the same name where the command is not known. ("", []) where there is none.
    """
    named = str(arguments[1]) if len(arguments) > 1 and arguments[0] == "train" else ""
    for candidate in (named, str(recipe.get("name", ""))):
        try:
            layers = read_layers(candidate) if candidate else []
        except UserError:
            continue  # the file is gone, or is none: the next one
        if not layers:
            continue
        below = layers[:-1] or layers
        name = _base_name(candidate) if len(layers) > 1 else candidate
        return name, _differences(fold(below).document, recipe)
    return "", []


def _base_name(candidate: str) -> str:
    """What a recipe's ``base`` says."""
    if candidate in recipe_names():
        return candidate
    return str(read_yaml(read_text(Path(candidate)), candidate).get("base", candidate))


def _differences(base: Mapping[str, Any], here: Mapping[str, Any]) -> list[list[str]]:
    """Fields that the base sets otherwise; those that it leaves out count where they are in the
    recipe's ``training`` or not at their default.
    """
    flat_base, flat_here = flat(_long(base)), flat(_long(here))
    defaults = flat(_defaults())
    found = []
    for name, value in flat_here.items():
        before = flat_base.get(name, defaults.get(name))
        if name.split(".")[-1] in NOT_COMPARED or name.split(".")[0] in NOT_COMPARED:
            continue
        if before != value and not (name not in flat_base and value in (None, "", {}, [])):
            found.append([name, _shown(before), _shown(value)])
    gone = [name for name in flat_base if name not in flat_here and name.startswith("training.")]
    return found + [[name, _shown(flat_base[name]), "left out"] for name in gone]


def _defaults() -> dict[str, Any]:
    """What the sections hold that a recipe does not mention."""
    from dataclasses import asdict

    from noisygrpo.data.spec import DataSpec
    from noisygrpo.models.spec import ModelSpec
    from noisygrpo.recipes.recipe import EvaluationSpec

    parts: dict[str, Any] = {
        "model": ModelSpec("-"),
        "data": DataSpec("-"),
        "evaluation": EvaluationSpec(),
    }
    return {name: asdict(part) for name, part in parts.items()}


def _long(document: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with its short forms written out."""
    if not document:
        return {}
    out = dict(document)
    for section, field in (("model", "path"), ("data", "source")):
        if isinstance(out.get(section), str):
            out[section] = {field: out[section]}
    out["rewards"] = [
        {"name": item} if isinstance(item, str) else item for item in out.get("rewards") or []
    ]
    return out


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted field to value."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            found |= flat(item, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = item
    return found


def _lines(recipe: Mapping[str, Any]) -> list[list[str]]:
    """The recipe in a few lines of name and value."""
    if not recipe:
        return []
    data, training = _mapping(_long(recipe).get("data")), _mapping(recipe.get("training"))
    model = _mapping(_long(recipe).get("model"))
    rewards = [str(item.get("name")) for item in _long(recipe)["rewards"]]
    limit = f", at most {data['limit']} rows" if data.get("limit") else ""
    lines = [
        ["recipe", str(recipe.get("name"))],
        ["model", str(model.get("path")) + (" with LoRA" if model.get("lora") else "")],
        ["method", str(recipe.get("method"))],
        ["data", f"{data.get('source')}, split {data.get('split')}{limit}"],
        ["rewards", ", ".join(rewards)],
    ]
    names = ("view_plan", "noise_kind", "noise_levels", "advantage", "num_generations",
             "learning_rate", "beta", "max_steps", "seed")  # fmt: skip
    return lines + [[name, _shown(training[name])] for name in names if name in training]


def _asked(folder: Path) -> list[list[str]]:
    """What the evaluations in a folder were asked, of the first of them."""
    first = next(iter(sorted(folder.rglob("settings.json"))), None)
    settings = {} if first is None else _json(first)
    left_out = ("weights", "moment", "name")
    shown = {name: value for name, value in flat(settings).items() if name not in left_out}
    return [[name, _shown(value)] for name, value in shown.items() if value not in (None, "")]


def _shown(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(f"{value:.6g}") if good else None


def read_recipe(path: Path) -> dict[str, Any]:
    """Return what a recipe file says; {} where there is none."""
    if not path.is_file():
        return {}
    found = read_yaml(read_text(path), str(path))
    return dict(found) if isinstance(found, Mapping) else {}


def _json(path: Path) -> dict[str, Any]:
    """A JSON object of a file; {} where there is none."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from error
    return dict(found) if isinstance(found, Mapping) else {}
