"""A recipe's layers: its bases, the file itself, the command line; and what they make together.

Mappings are merged field by field, lists and values replaced. Two things are taken back on the way,
so that what is named last is what is trained:

- A ``method`` that a layer names takes nothing over of another method below it: the fields of
  ``training.settings.OF_A_METHOD`` there, and those that the new method sets, are dropped.
  ``--method grpo`` on a recipe of NoisyGRPO is GRPO.
- A field below that would do nothing because of a layer above is dropped: ``save_steps`` of a
  base under ``save_strategy: no``. In the same layer, or above, it is the user's mistake and
  refused (``training.idle``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from noisygrpo import fields
from noisygrpo.errors import UserError, require
from noisygrpo.own.choice import FIELDS, over, spread
from noisygrpo.recipes.gone import leave_out_gone
from noisygrpo.schema import Raw, near, nearest, shown
from noisygrpo.training.idle import idle
from noisygrpo.training.settings import chosen, complete, taken_back
from noisygrpo.yaml_text import MOST_CHARACTERS, read_yaml

SHORT = {"model": "path", "data": "source"}
"""Sections that may be given as plain text, with the field that the text then means."""


@dataclass
class Folded:
    """Layers made one."""

    document: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, int] = field(default_factory=dict)
    """Field of ``training``, or ``method``, to the number of the layer that set it last."""

    def add(self, layer: Mapping[str, Any], number: int) -> None:
        """Put a layer over those below."""
        document = dict(layer)
        if isinstance(document.get("training"), dict):
            document["training"] = dict(document["training"])
            leave_out_gone(document)
        method, below = document.get("method"), self.document.get("method")
        if isinstance(method, str) and below not in (None, method):
            kept = self.document.get("training")
            if isinstance(kept, dict):
                dropped = taken_back(method)
                kept = {key: value for key, value in kept.items() if key not in dropped}
                self.document["training"] = kept
        self._choose(document)
        _refuse_epochs(document.get("training"), self.document.get("training"))
        self.document = merge(self.document, document)
        if method is not None:
            self.origin["method"] = number
        if isinstance(document.get("training"), dict):
            self.origin |= dict.fromkeys(document["training"], number)

    def _choose(self, document: dict[str, Any]) -> None:
        """Keep noise, plan and advantage as names; knobs of a function that is replaced go."""
        layer, below = document.get("training"), self.document.get("training")
        if not isinstance(layer, dict):
            return
        below = below if isinstance(below, dict) else {}
        method = document.get("method", self.document.get("method"))
        names = {**chosen({"method": method}), **{k: below[k] for k in FIELDS if below.get(k)}}
        try:
            document["training"] = spread(layer, names)
        except UserError as error:
            raise UserError(f"training.{error}") from None
        if below:
            self.document["training"] = over(below, document["training"], names)

    def without_leftovers(self, training: Mapping[str, Any], method: str) -> dict[str, Any]:
        """``training`` without the fields that a layer above has switched off."""
        values = complete({**fields.defaults("training"), **training, "method": method})
        by_method = taken_back(method)
        dropped = set()
        for name, rule in idle(training, values):
            switched = [self.origin.get(switch, -1) for switch in rule.switches]
            if by_method & set(rule.switches):
                switched.append(self.origin.get("method", -1))
            if self.origin.get(name, -1) < max(switched):
                dropped.add(name)
        return {name: value for name, value in training.items() if name not in dropped}


def _refuse_epochs(layer: Any, below: Any) -> None:
    """Raise where a layer asks for epochs and the layers below count steps, as long as both stay.

    ``idle`` cannot see it of 3 epochs: who leaves the field out has as many.
    """
    if not isinstance(layer, dict) or not isinstance(below, dict) or "max_steps" in layer:
        return
    epochs, steps = layer.get("num_train_epochs"), below.get("max_steps")
    require(
        epochs is None or steps in (None, -1),
        f"training.num_train_epochs: {shown(epochs)} has no effect with max_steps {shown(steps)} "
        "of the recipe below; give max_steps -1 for epochs",
    )


def fold(layers: Sequence[Mapping[str, Any]]) -> Folded:
    """Make one document of layers, the lowest first."""
    folded = Folded()
    for number, layer in enumerate(layers):
        folded.add(layer, number)
    return folded


def read_layers(name_or_path: str, base_of: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The documents of a recipe and its bases, the lowest first.

    Raises:
        UserError: no such recipe, not YAML, not a mapping, or bases that lead in a circle.
    """
    text, label, folder = _find(name_or_path)
    document = read_yaml(text, label)
    require(
        isinstance(document, dict),
        f"{label}: a recipe is a mapping of sections, not "
        + ("an empty file" if document is None else type(document).__name__),
    )
    base = document.pop("base", None)
    if base is None:
        return [document]
    require(isinstance(base, str), f"{label}: base: {shown(base)} is not a recipe's name or path")
    require(label not in base_of, f"{label}: base {base!r} leads back to this recipe")
    require(len(base_of) < 20, f"{label}: base: more than 20 recipes stand on each other")
    if base not in recipe_names():
        require(
            base.endswith((".yaml", ".yml")),
            f"{label}: base: {shown(base)} is neither a shipped recipe nor a .yaml file"
            f"{nearest(base, recipe_names())}",
        )
        base = str((folder or Path()) / base)
    return [*read_layers(base, (*base_of, label)), document]


def overrides_layer(overrides: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What the command line sets, as a layer; later ones win."""
    document: dict[str, Any] = {}
    for dotted, text in overrides:
        *sections, last = dotted.split(".")
        require(all([*sections, last]), f"--{dotted}: not a dotted field name")
        change: dict[str, Any] = {last: _override_value(dotted, text)}
        for name in reversed(sections):
            change = {name: change}
        document = merge(document, change)
    return document


def _override_value(dotted: str, text: str) -> Any:
    # A whole section ("--rewards '[accuracy]'", "--evaluation null") has no type to read it by.
    mapping = dotted.rpartition(".")[2] in FIELDS and text.lstrip().startswith("{")
    if "." in dotted and not mapping:
        return Raw(text)
    return text if dotted in SHORT else read_yaml(text, f"--{dotted}")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` on ``base``: mappings by their fields, all else replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if value is None and key in ("model", "training") and isinstance(below, dict):
            continue  # a section without a line changes nothing
        if key in SHORT and isinstance(below, (str, dict)) and isinstance(value, (str, Mapping)):
            below, value = (
                {SHORT[key]: side} if isinstance(side, str) else side for side in (below, value)
            )
        if key in FIELDS and isinstance(below, str) and isinstance(value, Mapping):
            below = {"name": below}  # ``--training.advantage f`` and then ``….advantage.alpha 1``
        if isinstance(below, dict) and isinstance(value, Mapping):
            value = merge(below, value)
        result[key] = value
    return result


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
    require(name in names, f"{shown(name)} is not a shipped recipe{nearest(name, names)}")
    return (resources.files("noisygrpo") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def _find(name_or_path: str) -> tuple[str, str, Path | None]:
    """Text, label for messages, and folder (None if shipped) of a recipe."""
    if name_or_path in recipe_names():
        return recipe_text(name_or_path), f"recipe {name_or_path}", None
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        hint = near(name_or_path, recipe_names()) or "; `noisygrpo recipes` lists those that ship"
        raise UserError(f"{shown(name_or_path)} is neither a shipped recipe nor a .yaml file{hint}")
    return read_text(path), str(path), path.parent


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        UserError: there is no such file, it cannot be read, or it is not text of a recipe's size.
    """
    try:
        require(path.is_file(), f"{path}: there is no such file")
        size = path.stat().st_size
        require(size <= 4 * MOST_CHARACTERS, f"{path}: {size:,} bytes; this is not a recipe")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})"
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"{shown(str(path))}: cannot be read: {reason}") from None
