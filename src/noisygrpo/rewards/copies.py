"""Copies of what a reward function is given, so that what it changes in place is its own.

Pictures, arrays and tensors are copied once for a function and a batch: rollouts of one row share
their picture, as they do in TRL, and a copy for each rollout could fill the memory.
"""

from __future__ import annotations

import copy
import datetime
import sys
import types
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from PIL import Image

NOT_COPIED = frozenset({"trainer_state", "environments", "log_extra", "log_metric"})
"""What TRL hands over to be looked at or called, and not as data."""

_UNCHANGING = (
    bool, int, float, complex, str, bytes, type(None), Decimal, Fraction, datetime.date,
    datetime.timedelta, types.FunctionType, types.MethodType, types.BuiltinFunctionType, type,
)  # fmt: skip

_PLAIN = {bool, int, float, str, type(None)}


def own(value: Any, *, deep: bool = True) -> Any:
    """Return a value as a new one at any depth.

    ``deep``: also what is neither a list nor a mapping; knobs may hold a model, say.
    """
    return _own(value, {} if deep else None)


def copied(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns, prompts and completions as new ones; see ``own``."""
    big: dict[int, Any] = {}
    return {k: value if k in NOT_COPIED else _own(value, big) for k, value in given.items()}


def _own(value: Any, big: dict[int, Any] | None) -> Any:
    """``big``: what was copied of this batch, by the id of what it is a copy of; None: nothing."""
    if type(value) is list:
        plain = _PLAIN.issuperset(map(type, value))  # tokens, of which there are many
        return list(value) if plain else [_own(item, big) for item in value]
    if type(value) is dict:
        return {key: _own(item, big) for key, item in value.items()}
    if type(value) is tuple:
        return tuple(_own(item, big) for item in value)
    if big is None or isinstance(value, _UNCHANGING):
        return value
    if id(value) not in big:
        big[id(value)] = _copy(value)
    return big[id(value)]


def _copy(value: Any) -> Any:
    if isinstance(value, Image.Image):
        return _picture(value)
    torch = sys.modules.get("torch")  # imported if there is a tensor
    if torch is not None and isinstance(value, torch.Tensor):
        return value.detach().clone()
    try:
        return copy.deepcopy(value)
    except Exception:  # an object with a lock, a file or a connection, say: there is one of it
        return value


def _picture(image: Image.Image) -> Image.Image:
    """A copy that still says from which file it was read, and in which format."""
    new = image.copy()
    new.format = image.format
    if (name := getattr(image, "filename", None)) is not None:
        vars(new)["filename"] = name
    return new
