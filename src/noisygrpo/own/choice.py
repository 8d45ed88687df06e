"""What ``noise_kind``, ``view_plan`` and ``advantage`` may hold, and how it is kept.

A field holds a name, the mapping ``{name: …, knob: value}``, or from Python a function. The name is
that of a published function, or ``path.py:function``. Whatever was given, it is kept as a name in
the field and the knobs in ``knobs: {field: {knob: value}}``, so that all that asks for a name finds
one. A knob that has a field of its own (``FLAT``) is kept there: ``{name: bayesian, alpha: 0.1}``
is ``advantage: bayesian, bayes_alpha: 0.1``.

Nothing here imports torch or runs a user's file.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

from noisygrpo import fields
from noisygrpo.errors import require
from noisygrpo.schema import plain, shown
from noisygrpo.user_code import is_user_function, user_file
from noisygrpo.yaml_text import read_yaml

FIELDS = ("noise_kind", "view_plan", "advantage")

KNOBS = "knobs"

BAYESIAN = {"alpha": "bayes_alpha", "r": "bayes_r", "constant_groups": "constant_groups"}

OF_THE_MEANS = ("level_baseline", "slope_prior")
"""Advantages that ask what earlier batches earned at each noise level."""

FROM_LEVELS = ("bayesian", *OF_THE_MEANS)
"""Advantages that compare the noise levels of a group."""

PLAN = {"levels": "noise_levels", "clean": "clean_rollouts"}

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""Functions that were given from Python, by the name that stands for them since."""


def flat_fields(field: str, name: Any) -> dict[str, str]:
    """Knob to the field of ``training`` that holds it, where it has one."""
    if field == "view_plan":
        return PLAN
    return BAYESIAN if (field, name) == ("advantage", "bayesian") else {}


def is_own(field: str, name: Any) -> bool:
    """Tell whether a name is that of a function that does not ship."""
    return name is not None and name not in fields.choices()[field]


REGISTRIES = {
    "noise_kind": ("noisygrpo.methods.noise", "NOISE_KINDS"),
    "view_plan": ("noisygrpo.methods.views", "PLANS"),
    "advantage": ("noisygrpo.methods.advantages", "ADVANTAGES"),
}


def is_known(field: str, name: Any) -> bool:
    """Tell whether a name that does not ship stands for a function all the same.

    Raises:
        UserError: it is a file's, and there is no such file.
    """
    if is_user_function(name):
        user_file(name, field)
        return True
    module, registry = REGISTRIES[field]
    # What was added to it from Python was added to the imported one.
    added = getattr(sys.modules.get(module), registry, {})
    return isinstance(name, str) and (name in FUNCTIONS or name in added)


def spread(given: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of ``training`` with choices as names, and knobs where they are kept.

    Args:
        given: fields as the user wrote them, together: a layer of a recipe, or a config's.
        names: what each of ``FIELDS`` is where ``given`` has a mapping without a name.

    Raises:
        UserError: a choice of another form, or a knob that is given twice, differently.
    """
    result = dict(given)
    for field in FIELDS:
        value = given.get(field)
        if isinstance(value, Mapping):
            name, knobs = _parts(field, value)
            if name is None:
                del result[field]
            else:
                result[field] = name
            name = names.get(field) if name is None else name
            for knob, one in knobs.items():
                _keep(result, field, flat_fields(field, name).get(knob), knob, one)
        elif callable(value):
            result[field] = remember(value)
    return result


def _parts(field: str, value: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Name (None where it is left out) and knobs of a mapping."""
    knobs = {key: one for key, one in value.items() if key != "name"}
    name = value.get("name")
    name = plain(name, f"training.{field}.name") if isinstance(name, str) else name
    if callable(name):
        name = remember(name)
    require(
        (name is None and "name" not in value) or (isinstance(name, str) and bool(name)),
        f"{field}: {shown(dict(value))} has no function's name under 'name'",
    )
    return name, knobs


def _keep(result: dict[str, Any], field: str, flat: str | None, knob: str, value: Any) -> None:
    if flat is None:
        own = dict(result.get(KNOBS) or {})
        own[field] = {**(own.get(field) or {}), knob: value}
        result[KNOBS] = own
        return
    require(
        result.get(flat) in (None, value),
        f"{field}: its {knob} {shown(value)} is the field {flat}, which is "
        f"{shown(result.get(flat))}",
    )
    result[flat] = value


def remember(function: Callable[..., Any]) -> str:
    """Return the name that stands for a function from Python: ``module:name``."""
    inner = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    module = getattr(inner, "__module__", None) or "python"
    name = first = f"{module}:{getattr(inner, '__qualname__', type(inner).__name__)}"
    number = 1
    while FUNCTIONS.get(name, function) is not function:
        number += 1
        name = f"{first}#{number}"
    FUNCTIONS[name] = function
    return name


def read_choice(field: str, text: str) -> tuple[str, dict[str, Any]]:
    """Return name and knobs of a choice on the command line: ``f`` or ``{name: f, knob: value}``.

    Raises:
        UserError: a mapping without a name, or no YAML.
    """
    if not text.lstrip().startswith("{"):
        return text, {}
    name, knobs = _parts(field, read_yaml(text, field))
    require(name is not None, f"{field}: {shown(text)} has no function's name under 'name'")
    return str(name), knobs


def joined(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with knobs beside their names, as a user writes them.

    `spread` gives back what this was made of.
    """
    result = {key: value for key, value in training.items() if key != KNOBS}
    for field, knobs in (training.get(KNOBS) or {}).items():
        name = {"name": training[field]} if training.get(field) is not None else {}
        if knobs:
            result[field] = {**name, **knobs}
    return result


def over(
    below: Mapping[str, Any], layer: Mapping[str, Any], names: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields below a layer without the knobs of functions that it replaces.

    Args:
        below: what `spread` made of the layers below.
        layer: what it made of this one.
        names: what each of ``FIELDS`` is below.
    """
    replaced = {field for field in FIELDS if layer.get(field) not in (None, names.get(field))}
    knobs = {f: known for f, known in (below.get(KNOBS) or {}).items() if f not in replaced}
    # Levels of one plan mean nothing to another.
    gone = {KNOBS, *(PLAN.values() if "view_plan" in replaced else ())}
    kept = {name: value for name, value in below.items() if name not in gone}
    return {**kept, KNOBS: knobs} if knobs else kept
