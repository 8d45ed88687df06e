"""From a recipe's ``rewards`` list to functions and weights.

An entry is a name, or ``{"name": ..., "weight": 1.0, "label": ..., **arguments}``. The name is one
of ``REWARDS`` or ``path.py:function``. Every function is asked by a ``guard``.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

from noisygrpo.errors import UserError, require
from noisygrpo.rewards.functions import (
    RewardFunction,
    accuracy,
    check_accuracy,
    check_format,
    format_reward,
)
from noisygrpo.rewards.grounding import check_iou, iou
from noisygrpo.rewards.guard import Guard, guarded
from noisygrpo.rewards.released import check_noisyrollout, hint_accuracy, noisyrollout
from noisygrpo.rewards.semantic import check_semantic, semantic
from noisygrpo.rewards.vqa import anls, check_anls, vqa
from noisygrpo.schema import read_value
from noisygrpo.user_code import is_user_function, load_user_function, user_file

REWARDS: dict[str, RewardFunction] = {
    "accuracy": accuracy,
    "format": format_reward,
    "semantic": semantic,
    "noisyrollout": noisyrollout,
    "hint_accuracy": hint_accuracy,
    "iou": iou,
    "anls": anls,
    "vqa": vqa,
}
"""Name -> reward function; its keyword-only parameters are the arguments of a recipe."""

CHECKS: dict[str, Callable[..., None]] = {
    "accuracy": check_accuracy,
    "format": check_format,
    "semantic": check_semantic,
    "noisyrollout": check_noisyrollout,
    "iou": check_iou,
    "anls": check_anls,
}
"""Name -> check of the arguments (packages, models) before a run starts."""

RESERVED = ("name", "weight", "label", "on_error")


def load_rewards(
    specs: Sequence[Mapping[str, Any] | str],
) -> tuple[list[RewardFunction], list[float]]:
    """Return the functions and weights of a ``rewards`` list, ready for ``trl.GRPOTrainer``.

    A function's ``__name__`` is its label (metrics are named by it): the name, or ``label``. With
    ``on_error: skip`` a failure of a reward makes the batch unscorable and is logged; the default
    ``raise`` stops the run. Raises ``UserError`` for an unknown name or argument, a weight
    that is no number, labels that are not unique, an empty list.
    """
    require(len(specs) > 0, "rewards: the list is empty; name at least one reward")
    functions = [_load(index, _entry(index, spec)) for index, spec in enumerate(specs)]
    labels = [function.__name__ for function in functions]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    require(not twice, f"rewards: {twice} occur twice; give each its own 'label'")
    return functions, [float(_entry(i, spec).get("weight", 1.0)) for i, spec in enumerate(specs)]


def check_rewards(specs: Sequence[Mapping[str, Any] | str]) -> None:
    """Check what takes no time: names, weights and arguments; no file is run, no model looked for.

    Raises:
        UserError: as ``load_rewards`` does.
    """
    require(len(specs) > 0, "rewards: the list is empty; name at least one reward")
    for index, spec in enumerate(specs):
        entry = _entry(index, spec)
        name = entry["name"]
        function = REWARDS.get(name) if isinstance(name, str) else None
        if function is not None:
            arguments = {key: value for key, value in entry.items() if key not in RESERVED}
            _check_arguments(f"rewards[{index}] ({name})", function, arguments)
        else:
            _require_file(index, name)


def _require_file(index: int, name: Any) -> None:
    require(
        is_user_function(name),
        f"rewards[{index}].name: {name!r}; allowed: {sorted(REWARDS)} or 'path.py:name'",
    )
    user_file(name)


def _entry(index: int, spec: Mapping[str, Any] | str) -> dict[str, Any]:
    require(
        isinstance(spec, (str, Mapping)),
        f"rewards[{index}]: {spec!r} is neither a name nor a mapping with one",
    )
    entry = {"name": spec} if isinstance(spec, str) else dict(spec)
    require("name" in entry, f"rewards[{index}]: no 'name'; it has {sorted(entry)}")
    weight = entry.get("weight", 1.0)
    if (
        not isinstance(weight, (int, float))
        or isinstance(weight, bool)
        or not math.isfinite(weight)
    ):
        raise UserError(f"rewards[{index}].weight: {weight!r} is no number")
    label = entry.get("label")
    require(
        label is None or (isinstance(label, str) and bool(label.strip())),
        f"rewards[{index}].label: {label!r} is not a text that names the reward",
    )
    on_error = entry.get("on_error", "raise")
    require(
        on_error in ("raise", "skip"),
        f"rewards[{index}].on_error: {on_error!r} is not 'raise' or 'skip'",
    )
    return entry


def _load(index: int, entry: dict[str, Any]) -> RewardFunction:
    name = entry["name"]
    function = REWARDS.get(name) if isinstance(name, str) else None
    if function is None:
        _require_file(index, name)
        function = load_user_function(name)
    arguments = {key: value for key, value in entry.items() if key not in RESERVED}
    _check_arguments(f"rewards[{index}] ({name})", function, arguments)
    if name in CHECKS:
        CHECKS[name](**arguments)
    label = entry.get("label") or name.rpartition(":")[2]
    return guarded(Guard(function, label, arguments, entry.get("on_error", "raise") == "skip"))


def _check_arguments(where: str, function: RewardFunction, arguments: dict[str, Any]) -> None:
    """Refuse arguments that the function does not have; built-in ones are keyword-only, of the
    types that they say, and never negative."""
    parameters = inspect.signature(function).parameters
    keyword_only = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    builtin = function in REWARDS.values()
    for key in arguments:
        known = key in keyword_only if builtin else key in parameters or takes_any
        allowed = keyword_only if builtin else list(parameters)
        require(known, f"{where}: no argument {key!r}; it takes {allowed}")
        # What **kwargs would swallow, and what is almost the name of a setting, is a slip.
        settings = [p.name for p in parameters.values() if p.default is not p.empty]
        meant = difflib.get_close_matches(key, {*settings} - {*arguments}, 1, 0.75)
        require(
            key in parameters or not meant,
            f"{where}: no argument {key!r}; did you mean {' or '.join(map(repr, meant))}?",
        )
        if builtin:
            value = read_value(arguments[key], get_type_hints(function)[key], f"{where}.{key}")
            number = isinstance(value, (int, float))
            require(
                not number or (math.isfinite(value) and value >= 0),
                f"{where}.{key}: {value}, allowed is 0 or more",
            )
