"""Writes ``fields.json``: what the heavy libraries say about a recipe's fields.

``make fields`` runs this after a change of a field, a registry of names, or a tested version; a
test says where that was forgotten.
"""

import collections.abc
import dataclasses
import enum
import json
import typing
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from peft import LoraConfig
from transformers import GenerationConfig
from transformers.generation.configuration_utils import ALL_CACHE_IMPLEMENTATIONS
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.utils.logging import log_levels

from noisygrpo.data.spec import DataSpec
from noisygrpo.fields import PACKAGES, PATH
from noisygrpo.methods.advantages import ADVANTAGES, CONSTANT_GROUPS
from noisygrpo.methods.dependence import CORRECTIONS
from noisygrpo.methods.hints import SELECTIONS, STYLES
from noisygrpo.methods.noise import NOISE_KINDS
from noisygrpo.methods.schedules import SCHEDULES
from noisygrpo.methods.views import PLANS
from noisygrpo.schema import _options, hints_of
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.outcomes import MISSING

CHOICES = {
    "view_plan": PLANS,
    "noise_kind": NOISE_KINDS,
    "noise_decay": SCHEDULES,
    "second_view": ["none", "text", *NOISE_KINDS],
    "view_correction": CORRECTIONS,
    "hint_selection": SELECTIONS,
    "hint_style": STYLES,
    "advantage": ADVANTAGES,
    "constant_groups": CONSTANT_GROUPS,
    "reward_missing": MISSING,
    "report_to": ["all", "none", *INTEGRATION_TO_CALLBACK],
    "cache_implementation": ALL_CACHE_IMPLEMENTATIONS,
    "log_level": [*log_levels, "passive"],
    "log_level_replica": [*log_levels, "passive"],
}
"""Fields of ``training`` whose names are the keys of a registry."""

NAMES = {str: "str", int: "int", float: "float", bool: "bool", type(None): "null"}


def described() -> dict[str, Any]:
    """Return what the file holds."""
    training = described_fields(NoisyGRPOConfig)
    training.pop("method")
    return {
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "choices": {name: list(names) for name, names in CHOICES.items()},
        "generation": sorted(GenerationConfig().to_dict()),
        "fields": {
            "data": described_fields(DataSpec),
            "model.lora": described_fields(LoraConfig),
            "training": training,
        },
    }


def described_fields(cls: type) -> dict[str, Any]:
    """Return type and default of every field that a recipe can set."""
    hints = hints_of(cls)
    return {
        field.name: {"type": described_type(hints[field.name]), "default": default_of(field)}
        for field in dataclasses.fields(cls)
        if field.init
    }


def described_type(hint: Any) -> list[Any]:
    """Return the options of a type, in words of JSON; "any" for what YAML does not know."""
    options: list[Any] = []
    for option in _options(hint):
        if typing.get_origin(option) is collections.abc.Callable:
            continue  # from Python only
        origin = typing.get_origin(option) or option
        args = [arg for arg in typing.get_args(option) if arg is not Ellipsis]
        if option in NAMES:
            options.append(NAMES[option])
        elif origin is typing.Literal:
            options.append({"one of": args})
        elif isinstance(origin, type) and issubclass(origin, enum.Enum):
            options.append({"one of": [member.value for member in origin]})
        elif origin in (list, tuple):
            options.append({"list": described_type(args[0]) if args else ["any"]})
        elif origin is dict:
            options.append({"dict": described_type(args[1]) if args else ["any"]})
        else:
            options.append("any")
    enumerated = any(isinstance(part, enum.EnumMeta) for part in _options(hint))
    # ``SchedulerType | str`` means the names of the enumeration.
    return [option for option in options if not (enumerated and option == "str")]


def default_of(field: dataclasses.Field[Any]) -> Any:
    """Return the default as YAML would give it; null where there is none."""
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return None
    value = value.value if isinstance(value, enum.Enum) else value
    return value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else None


def text() -> str:
    """Return the file, one field a line."""
    found = described()
    parts = [f'"versions": {json.dumps(found["versions"])}']
    parts += [f'"generation": {json.dumps(found["generation"])}']
    parts += [f'"choices": {_lines(found["choices"], 2)}']
    sections = {name: _lines(entries, 3) for name, entries in found["fields"].items()}
    parts += ['"fields": {\n' + ",\n".join(f'  "{k}": {v}' for k, v in sections.items()) + "\n }"]
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _lines(mapping: dict[str, Any], indent: int) -> str:
    lines = [f'{" " * indent}"{name}": {json.dumps(mapping[name])}' for name in sorted(mapping)]
    return "{\n" + ",\n".join(lines) + "\n" + " " * (indent - 1) + "}"


if __name__ == "__main__":
    Path(str(resources.files("noisygrpo") / PATH)).write_text(text())
