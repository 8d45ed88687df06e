"""Recipes: one YAML file that says everything about a run.

Sections: ``name``, ``model`` (a path, or a mapping), ``method``, ``data`` (a source, or a mapping),
``rewards``, ``training``, ``evaluation``; and ``base``, another recipe that this one starts
from. Any field can be overridden on the command line by its dotted name:
``--training.learning_rate 1e-5``. How bases, file and command line go together: ``layers``.

A recipe is checked as it is read: keys and types here, the values' meaning in ``settings`` before
the libraries of training are imported, what needs them where they are used, all of it before a
model is loaded. Relative paths in a recipe are relative to the working directory, like those on the
command line; only ``base`` is relative to its file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noisygrpo import fields
from noisygrpo.errors import UserError, require
from noisygrpo.models.spec import ModelSpec
from noisygrpo.own.choice import joined
from noisygrpo.recipes.layers import (
    SHORT,
    fold,
    overrides_layer,
    read_layers,
    read_text,
    recipe_names,
    recipe_text,
)
from noisygrpo.schema import checked, hints_of, nearest, shown
from noisygrpo.secrets import without_keys
from noisygrpo.training.ranges import MOST_STEPS
from noisygrpo.yaml_text import dump_yaml

if TYPE_CHECKING:
    from noisygrpo.data.spec import DataSpec

__all__ = [
    "EvaluationSpec",
    "Recipe",
    "dump_recipe",
    "load_recipe",
    "parse_recipe",
    "read_text",
    "recipe_from",
    "recipe_names",
    "recipe_text",
]

Check = Callable[[str, dict[str, Any], list[dict[str, Any]]], None]
"""Looks at method, ``training`` and ``rewards``; raises ``UserError``."""

SECTIONS = ("name", "base", "model", "method", "data", "rewards", "training", "evaluation")


@dataclass(frozen=True)
class EvaluationSpec:
    """What is measured before and after training."""

    splits: list[str] = field(default_factory=lambda: ["test"])
    """Names of the splits; each gets a row in the table."""
    source: str | list[str | dict[str, Any]] | None = None
    """Where the rows come from, if not from ``data.source``; a list as there."""
    rows: int | None = None
    """How many rows of each split; null takes all."""
    batch_size: int = 16
    """Rows generated together."""
    max_new_tokens: int = 256
    """Longest completion, in tokens."""
    temperature: float = 0.0
    """0 is greedy; above, completions are sampled at it, one a row."""
    text_bias_scale: float = 0.0
    """Strength of text-bias calibration (``methods.calibration``); 0 is plain decoding."""
    every: int | None = None
    """Measure every so many steps while training as well; null measures before and after only."""
    every_rows: int = 100
    """At most so many rows of each split are measured while training."""
    best: str | None = None
    """Split by whose accuracy the best checkpoint is kept while training, in ``best/``."""


@dataclass(frozen=True)
class Recipe:
    """A recipe whose keys and types are right."""

    name: str
    """What the run is called; default: the recipe's file, without its suffix."""
    model: ModelSpec
    method: str
    """A name in ``noisygrpo.training.settings.METHODS``."""
    data: DataSpec
    rewards: list[dict[str, Any]]
    """``{"name": …, "weight": …, **arguments}`` each; checked by ``rewards.load_rewards``."""
    training: dict[str, Any]
    """Fields of ``NoisyGRPOConfig``."""
    evaluation: EvaluationSpec | None


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML, defaults and overrides included; loading it gives an equal recipe.

    Keys are left out (``secrets``), which a comment on top says.
    """
    left_out: list[str] = []
    document = without_keys(asdict(recipe), left_out)
    document["training"] = joined(document["training"])
    text = dump_yaml(document)
    return f"# Left out, as keys: {', '.join(left_out)}\n{text}" if left_out else text


def load_recipe(
    name_or_path: str, overrides: Sequence[tuple[str, str]] = (), check: Check | None = None
) -> Recipe:
    """Read a recipe, apply overrides, and check every key and type.

    Args:
        name_or_path: a shipped recipe's name, or the path of a YAML file.
        overrides: (dotted field, text) pairs, later ones win.
        check: looks at method, ``training`` and rewards as soon as their types are right, such as
            ``settings.check_settings``.

    Raises:
        UserError: no such recipe; not YAML; unknown key; wrong type. The message names the field.
    """
    return _parse_layers(
        [*read_layers(name_or_path), overrides_layer(overrides)], Path(name_or_path).stem, check
    )


def recipe_from(
    document: dict[str, Any], overrides: Sequence[tuple[str, str]], name: str
) -> Recipe:
    """Apply overrides to a recipe's mapping and check it, as `load_recipe` does."""
    return _parse_layers([document, overrides_layer(overrides)], name)


def parse_recipe(document: Mapping[str, Any], name: str = "recipe") -> Recipe:
    """Check a recipe's mapping (what its YAML says) and make it a :class:`Recipe`.

    Raises:
        UserError: naming the field, what it holds and what is allowed.
    """
    return _parse_layers([document], name)


def _parse_layers(
    layers: Sequence[Mapping[str, Any]], name: str, check: Check | None = None
) -> Recipe:
    for layer in layers:
        for key in layer:
            require(
                key in SECTIONS,
                f"{shown(key)} is not a section of a recipe{nearest(key, SECTIONS)}",
            )
    folded = fold(layers)
    document = folded.document
    method, rewards, evaluation = (document.get(key) for key in ("method", "rewards", "evaluation"))
    require(isinstance(method, str), f"method: {shown(method)} is not a method's name")
    name = document.get("name", name)
    require(isinstance(name, str) and bool(name), f"name: {shown(name)} is not text")
    require(_names_a_folder(name), f"name: {shown(name)} is not a name that a folder can have")
    listed = isinstance(rewards, list) and all(isinstance(item, (str, dict)) for item in rewards)
    require(
        listed, f"rewards: {shown(rewards)} is not a list of rewards, such as [accuracy, format]"
    )
    entries = [{"name": item} if isinstance(item, str) else item for item in rewards or []]
    training = folded.without_leftovers(_training(document.get("training")), str(method))
    model = _model_spec(document)
    measured = None if evaluation is None else _evaluation_spec(evaluation)
    if check is not None:
        check(str(method), training, entries)
    data = _data_spec(document)  # last: its module takes a while to import
    return Recipe(name, model, str(method), data, entries, training, measured)


def _section(document: Mapping[str, Any], name: str, hints: Mapping[str, Any]) -> dict[str, Any]:
    """A section that may also be the text of its main field: ``model: folder``, ``data: file``."""
    section = document.get(name)
    return checked({SHORT[name]: section} if isinstance(section, str) else section, hints, name)


def _model_spec(document: Mapping[str, Any]) -> ModelSpec:
    values = _section(document, "model", hints_of(ModelSpec))
    lora = values.get("lora")
    if lora is not None:
        lora = (
            checked(lora, fields.hints("model.lora"), "model.lora") if fields.as_tested() else lora
        )
        # PEFT has a default for language models only; this one leaves out the head alone.
        values["lora"] = {"target_modules": "all-linear", **lora}
        _check_lora(values["lora"])
    bits = values.get("quantization")
    require(
        bits is None or lora is not None,
        f"model.quantization: {bits!r} freezes the weights; it needs model.lora",
    )
    return ModelSpec(**values)


def _check_lora(lora: Mapping[str, Any]) -> None:
    for name, low, high in (("r", 1, 65536), ("lora_alpha", 1, 10**6), ("lora_dropout", 0, 0.999)):
        value = lora.get(name, 1 if low else 0)
        number = isinstance(value, (int, float)) and low <= value <= high
        require(number, f"model.lora.{name}: {shown(value)}, allowed is {low} to {high:,}")
    targets = lora["target_modules"]
    require(
        bool(targets),
        f"model.lora.target_modules: {shown(targets)} names no module; leave it out for all linear "
        "layers",
    )


def _training(section: Any) -> dict[str, Any]:
    """The section with keys and types checked, by the installed libraries where they decide."""
    require(
        not isinstance(section, Mapping) or "max_prompt_length" not in section,
        "training.max_prompt_length is not a field: prompts are never cut; "
        "data.max_prompt_tokens leaves rows with longer ones out",
    )
    try:
        return checked(section, fields.hints("training"), "training")
    except UserError:
        if fields.as_tested():
            raise
    from noisygrpo.training.config import NoisyGRPOConfig  # imports TRL, which takes seconds

    hints = {name: hint for name, hint in hints_of(NoisyGRPOConfig).items() if name != "method"}
    return checked(section, hints, "training")


def _data_spec(document: Mapping[str, Any]) -> DataSpec:
    values = _section(document, "data", fields.hints("data"))
    require(
        bool(values.get("source")),
        "data.source is not given: a file, a folder, a hub id, or playground",
    )
    seed = values.get("seed", 0)
    require(0 <= seed < 2**32, f"data.seed: {seed}, allowed is 0 to {2**32 - 1:,}")
    for name in ("limit", "max_prompt_tokens"):  # the rest is checked where it is used
        count = values.get(name)
        positive = count is None or 0 < count <= MOST_STEPS
        require(positive, f"data.{name}: {count} is not a positive number of rows or tokens")
    from noisygrpo.data.spec import DataSpec

    return DataSpec(**values)


def _evaluation_spec(section: Any) -> EvaluationSpec:
    spec = EvaluationSpec(**checked(section, hints_of(EvaluationSpec), "evaluation"))
    require(
        bool(spec.splits),
        "evaluation.splits is empty; name at least one, or set evaluation to null",
    )
    for name in spec.splits:
        require(
            _names_a_folder(name),
            f"evaluation.splits: {shown(name)} is not a name that a folder can have",
        )
    for name in ("rows", "batch_size", "max_new_tokens", "every", "every_rows"):
        value = getattr(spec, name)
        least = value is None or 1 <= value <= MOST_STEPS
        require(least, f"evaluation.{name}: {value} is not positive, or above {MOST_STEPS:,}")
    warmth = spec.temperature
    require(0 <= warmth <= 10, f"evaluation.temperature: {warmth}, allowed is 0 (greedy) to 10")
    scale = spec.text_bias_scale
    require(0 <= scale <= 100, f"evaluation.text_bias_scale: {scale}, allowed is 0 (off) to 100")
    _check_while_training(spec)
    return spec


def _names_a_folder(name: str) -> bool:
    return name not in ("", ".", "..") and not {*name} & {*"/\\\0"} and len(name) <= 100


def _check_while_training(spec: EvaluationSpec) -> None:
    require(
        spec.best is None or spec.every is not None,
        f"evaluation.best: {spec.best!r} has no effect without evaluation.every",
    )
    require(
        spec.best is None or spec.best in spec.splits,
        f"evaluation.best: {spec.best!r} is not one of evaluation.splits {spec.splits}",
    )
    require(
        spec.every is not None or spec.every_rows == EvaluationSpec.every_rows,
        f"evaluation.every_rows: {spec.every_rows} has no effect without evaluation.every",
    )
