"""Recipes: one YAML file that says everything about a run.

Sections: ``name``, ``model`` (a path, or a mapping), ``method``, ``data`` (a source, or a mapping),
``rewards``, ``training``, ``evaluation``; and ``base``, another recipe that this one starts
from. Any field can be overridden on the command line by its dotted name:
``--training.learning_rate 1e-5``. Mappings are merged, lists and values replaced.

A recipe is checked as it is read: keys and types here, the values' meaning where they are used
(``NoisyGRPOConfig``, ``data``, ``rewards``), all of it before a model is loaded. Relative paths
in a recipe are relative to the working directory, like those on the command line; only ``base``
is relative to its file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from noisygrpo.data.spec import DataSpec
from noisygrpo.errors import UserError, require
from noisygrpo.models.spec import ModelSpec
from noisygrpo.schema import Raw, checked, hints_of, nearest, read_yaml

SECTIONS = ("name", "base", "model", "method", "data", "rewards", "training", "evaluation")
SHORT = {"model": "path", "data": "source"}
"""Sections that may be given as plain text, with the field that the text then means."""


@dataclass(frozen=True)
class EvaluationSpec:
    """What is measured before and after training."""

    splits: list[str] = field(default_factory=lambda: ["test"])
    """Names of the splits; each gets a row in the table."""
    source: str | None = None
    """Where the rows come from, if not from ``data.source``."""
    rows: int | None = None
    """How many rows of each split; null takes all."""
    batch_size: int = 16
    """Rows generated together."""
    max_new_tokens: int = 256
    """Longest completion, in tokens."""
    text_bias_scale: float = 0.0
    """Strength of text-bias calibration (``methods.calibration``); 0 is plain decoding."""


@dataclass(frozen=True)
class Recipe:
    """A recipe whose keys and types are right."""

    name: str
    """What the run is called; default: the recipe's file, without its suffix."""
    model: ModelSpec
    method: str
    """A name in ``noisygrpo.training.config.METHODS``."""
    data: DataSpec
    rewards: list[dict[str, Any]]
    """``{"name": …, "weight": …, **arguments}`` each; checked by ``rewards.load_rewards``."""
    training: dict[str, Any]
    """Fields of ``NoisyGRPOConfig``."""
    evaluation: EvaluationSpec | None


def recipe_names() -> list[str]:
    """Names of the recipes that ship with the package."""
    folder = resources.files("noisygrpo") / "recipes"
    return sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".yaml"))


def recipe_text(name: str) -> str:
    """YAML of a shipped recipe.

    Raises:
        UserError: there is no such recipe; the message names the nearest.
    """
    names = recipe_names()
    require(name in names, f"{name!r} is not a shipped recipe{nearest(name, names)}")
    return (resources.files("noisygrpo") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML, defaults and overrides included; loading it gives an equal recipe."""
    return str(yaml.safe_dump(asdict(recipe), sort_keys=False, allow_unicode=True, width=100))


def load_recipe(name_or_path: str, overrides: Sequence[tuple[str, str]] = ()) -> Recipe:
    """Read a recipe, apply overrides, and check every key and type.

    Args:
        name_or_path: a shipped recipe's name, or the path of a YAML file.
        overrides: (dotted field, text) pairs, later ones win.

    Raises:
        UserError: no such recipe; not YAML; unknown key; wrong type. The message names the field.
    """
    document = _read_document(name_or_path, base_of=())
    return recipe_from(document, overrides, Path(name_or_path).stem)


def recipe_from(
    document: dict[str, Any], overrides: Sequence[tuple[str, str]], name: str
) -> Recipe:
    """Apply overrides to a recipe's mapping and check it, as `load_recipe` does."""
    for dotted, text in overrides:
        _override(document, dotted, text)
    return parse_recipe(document, name)


def parse_recipe(document: Mapping[str, Any], name: str = "recipe") -> Recipe:
    """Check a recipe's mapping (what its YAML says) and make it a :class:`Recipe`.

    Raises:
        UserError: naming the field, what it holds and what is allowed.
    """
    for key in document:
        require(key in SECTIONS, f"{key} is not a section of a recipe{nearest(key, SECTIONS)}")
    method, rewards, evaluation = (document.get(key) for key in ("method", "rewards", "evaluation"))
    require(isinstance(method, str), f"method: {method!r} is not a method's name")
    name = document.get("name", name)
    require(isinstance(name, str) and bool(name), f"name: {name!r} is not text")
    listed = isinstance(rewards, list) and all(isinstance(item, (str, dict)) for item in rewards)
    require(listed, f"rewards: {rewards!r} is not a list of rewards, such as [accuracy, format]")
    return Recipe(
        name=name,
        model=ModelSpec(**_section(document, "model", hints_of(ModelSpec))),
        method=str(method),
        data=_data_spec(document),
        rewards=[{"name": item} if isinstance(item, str) else item for item in rewards or []],
        training=checked(_training(document), _training_hints(), "training"),
        evaluation=None if evaluation is None else _evaluation_spec(evaluation),
    )


def _section(document: Mapping[str, Any], name: str, hints: Mapping[str, Any]) -> dict[str, Any]:
    """A section that may also be the text of its main field: ``model: folder``, ``data: file``."""
    section = document.get(name)
    return checked({SHORT[name]: section} if isinstance(section, str) else section, hints, name)


def _data_spec(document: Mapping[str, Any]) -> DataSpec:
    values = _section(document, "data", hints_of(DataSpec))
    require(
        bool(values.get("source")),
        "data.source is not given: a file, a folder, a hub id, or playground",
    )
    return DataSpec(**values)


def _evaluation_spec(section: Any) -> EvaluationSpec:
    spec = EvaluationSpec(**checked(section, hints_of(EvaluationSpec), "evaluation"))
    require(
        bool(spec.splits),
        "evaluation.splits is empty; name at least one, or set evaluation to null",
    )
    for name in spec.splits:
        plain = name not in (".", "..") and not {*name} & {*"/\\\0"}
        require(plain, f"evaluation.splits: {name!r} is not a name that a folder can have")
    for name, value in (
        ("rows", spec.rows),
        ("batch_size", spec.batch_size),
        ("max_new_tokens", spec.max_new_tokens),
    ):
        require(value is None or value > 0, f"evaluation.{name}: {value} is not positive")
    scale = spec.text_bias_scale
    require(scale >= 0, f"evaluation.text_bias_scale: {scale}, allowed is 0 (off) or more")
    return spec


def _training(document: Mapping[str, Any]) -> Any:
    """The section ``training``; refuses the field that other trainers have for long prompts."""
    section = document.get("training")
    require(
        not isinstance(section, Mapping) or "max_prompt_length" not in section,
        "training.max_prompt_length is not a field: prompts are never cut; "
        "data.max_prompt_tokens leaves rows with longer ones out",
    )
    return section


def _training_hints() -> dict[str, Any]:
    from noisygrpo.training.config import NoisyGRPOConfig  # imports TRL, which takes seconds

    return {name: hint for name, hint in hints_of(NoisyGRPOConfig).items() if name != "method"}


def _read_document(name_or_path: str, base_of: tuple[str, ...]) -> dict[str, Any]:
    text, label, folder = _find(name_or_path)
    document = read_yaml(text, label)
    require(
        isinstance(document, dict),
        f"{label}: a recipe is a mapping of sections, not {type(document).__name__}",
    )
    base = document.pop("base", None)
    if base is None:
        return document
    require(isinstance(base, str), f"{label}: base: {base!r} is not a recipe's name or path")
    require(label not in base_of, f"{label}: base {base!r} leads back to this recipe")
    if base not in recipe_names():
        require(
            base.endswith((".yaml", ".yml")),
            f"{label}: base: {base!r} is neither a shipped recipe nor a .yaml file"
            f"{nearest(base, recipe_names())}",
        )
        base = str((folder or Path()) / base)
    return _merge(_read_document(base, (*base_of, label)), document)


def _find(name_or_path: str) -> tuple[str, str, Path | None]:
    """Text, label for messages, and folder (None if shipped) of a recipe."""
    if name_or_path in recipe_names():
        return recipe_text(name_or_path), f"recipe {name_or_path}", None
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        hint = nearest(name_or_path, recipe_names())
        raise UserError(f"{name_or_path!r} is neither a shipped recipe nor a .yaml file{hint}")
    return read_text(path), str(path), path.parent


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        UserError: there is no such file, or it is not text.
    """
    require(path.is_file(), f"{path}: there is no such file")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})"
        ) from None


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if key in SHORT and isinstance(below, (str, dict)) and isinstance(value, (str, Mapping)):
            below, value = (
                {SHORT[key]: side} if isinstance(side, str) else side for side in (below, value)
            )
        if isinstance(below, dict) and isinstance(value, Mapping):
            value = _merge(below, value)
        result[key] = value
    return result


def _override(document: dict[str, Any], dotted: str, text: str) -> None:
    """Set one dotted field, making the mappings on the way."""
    *sections, last = dotted.split(".")
    require(all([*sections, last]), f"--{dotted}: not a dotted field name")
    change: dict[str, Any] = {last: _override_value(dotted, text)}
    for name in reversed(sections):
        change = {name: change}
    document.update(_merge(document, change))


def _override_value(dotted: str, text: str) -> Any:
    # A whole section ("--rewards '[accuracy]'", "--evaluation null") has no type to read it by.
    if "." in dotted:
        return Raw(text)
    return text if dotted in SHORT else read_yaml(text, f"--{dotted}")
