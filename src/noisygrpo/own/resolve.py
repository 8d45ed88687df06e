"""From the name of a noise, a view plan or an advantage, and its knobs, to what is called.

A function gets what it is about in its first places, by name what it names of what is offered, and
its knobs::

    noise       f(image, level, …)     offered: rng
    view plan   f(group, …)            offered: rng, levels, clean, seed, step, example_id
    advantage   f(rewards, …)          offered: levels, correct, means (of earlier batches)

What a user's function returns is looked at in every call; what is wrong ends the run in one line.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from noisygrpo.contained import UserCodeError, contained
from noisygrpo.errors import UserError, require
from noisygrpo.methods.advantages import ADVANTAGES, AdvantageResult
from noisygrpo.methods.declared import declared
from noisygrpo.methods.level_means import LevelMeans
from noisygrpo.methods.noise import NOISE_KINDS
from noisygrpo.methods.views import OFFERED, PLANS, View, as_views
from noisygrpo.own.choice import FUNCTIONS, KNOBS, is_own
from noisygrpo.schema import nearest, shown
from noisygrpo.user_code import is_user_function, load_user_function

Function = Callable[..., Any]

CALL_LIMIT = 300.0
"""Seconds for one call: a picture, a group's views, a batch's advantages."""


@dataclass(frozen=True)
class Kind:
    """What one of the three fields may hold."""

    registry: Mapping[str, Function]
    places: tuple[str, ...]
    """What comes first, in this order."""
    offered: tuple[str, ...]
    """What it may name besides its knobs."""


KINDS = {
    "noise_kind": Kind(NOISE_KINDS, ("image", "level"), ("rng",)),
    "view_plan": Kind(PLANS, ("group",), OFFERED),
    "advantage": Kind(ADVANTAGES, ("rewards",), ("levels", "correct", "means")),
}


def resolve(field: str, name: str, knobs: Mapping[str, Any] | None = None) -> Function:
    """Return the function of a name, with its knobs bound; a user's one is guarded.

    Raises:
        UserError: there is no such function, or it does not take these knobs; the message names
            ``field``.
    """
    kind = KINDS[field]
    if name in kind.registry:
        function = kind.registry[name]
    elif name in FUNCTIONS:
        function = FUNCTIONS[name]
    elif is_user_function(name):
        function = load_user_function(name, field)
    else:
        allowed = ", ".join(kind.registry)
        raise UserError(f"{field}: {shown(name)} is not one of {allowed} or path.py:function")
    check_knobs(field, name, function, dict(knobs or {}))
    bound = functools.partial(function, **knobs) if knobs else function
    return GUARDS[field](name, bound) if is_own(field, name) else bound


def check_knobs(field: str, name: str, function: Function, knobs: Mapping[str, Any]) -> None:
    """See that a function takes its places and these knobs, and needs nothing else.

    Raises:
        UserError: naming function, argument and what it takes.
    """
    kind = KINDS[field]
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise UserError(f"{field}: {name} has no signature that can be read: {error}") from None
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    first, rest = parameters[: len(kind.places)], parameters[len(kind.places) :]
    placed = len(first) == len(kind.places) and all(one.kind in by_place for one in first)
    swallows = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    require(
        placed and not swallows,
        f"{field}: {name} takes ({_listed(parameters)}); it must begin with "
        f"({', '.join(kind.places)})",
    )
    takes_any = any(one.kind is one.VAR_KEYWORD for one in rest)
    known = [one.name for one in rest if one.kind is not one.VAR_KEYWORD]
    own = [one for one in known if one not in kind.offered]
    none = "; it takes none"
    for knob in knobs:
        require(
            knob in own or (takes_any and knob not in kind.offered),
            f"{field}: {name} has no knob {knob!r}{nearest(knob, own) if own else none}",
        )
    for one in rest:
        variadic = one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        given = variadic or one.default is not one.empty or one.name in (*knobs, *kind.offered)
        require(
            given,
            f"{field}: {name} needs {one.name!r}; give it a default or the knob {field}.{one.name} "
            f"(offered by name: {', '.join(kind.offered)})",
        )


def _listed(parameters: list[inspect.Parameter]) -> str:
    return ", ".join(str(one) for one in parameters)


def takes(function: Function, name: str) -> bool:
    """Tell whether a function names an argument."""
    return name in inspect.signature(function).parameters


def guard_noise(name: str, function: Function) -> Function:
    """Return the noise; what it draws is an RGB picture, of the same size unless it says not."""
    with_rng = takes(function, "rng")
    resizes = declared(function, "changes_size")

    def noise(image: Image.Image, level: float, rng: Any) -> Image.Image:
        result = _called(
            f"noise_kind: {name}", function, image, level, **({"rng": rng} if with_rng else {})
        )
        require(
            isinstance(result, Image.Image),
            f"noise_kind: {name} returned {described(result)}; a PIL image is needed",
        )
        require(
            result.mode == "RGB",
            f"noise_kind: {name} returned a picture of mode {result.mode}; RGB is needed",
        )
        require(
            resizes or result.size == image.size,
            f"noise_kind: {name} made a picture of {image.size} one of {result.size}; give it the "
            f"same size, or say so in its file: {name.rpartition(':')[2]}.changes_size = True",
        )
        return result

    vars(noise)["changes_size"] = resizes
    return noise


def guard_plan(name: str, function: Function) -> Function:
    """Return the plan; what it returns is a level in [0, 1] or a view for each rollout."""

    def plan(group: int, **offered: Any) -> list[View]:
        made = _called(f"view_plan: {name}", function, group, **offered)
        try:
            return as_views(made, group)
        except ValueError as error:
            raise UserError(f"view_plan: {name} {error}") from None

    vars(plan)["__signature__"] = _without_bound(function)
    return plan


def _without_bound(function: Function) -> inspect.Signature:
    """The signature without keywords that are bound: these are no longer offered to it."""
    bound = function.keywords if isinstance(function, functools.partial) else {}
    signature = inspect.signature(function)
    left = [one for one in signature.parameters.values() if one.name not in bound]
    return signature.replace(parameters=left)


def guard_advantage(name: str, function: Function) -> Function:
    """Return the estimator, which is shown no unscorable completion unless it looks across groups.

    A group of which some rewards are NaN is given to it alone and without them; a group with fewer
    than two others gets 0.
    """
    across, knows_means = declared(function, "across_groups"), takes(function, "means")

    def advantage(
        rewards: Tensor,
        levels: Tensor | None = None,
        *,
        correct: Tensor | None = None,
        means: LevelMeans | None = None,
    ) -> AdvantageResult:
        called = functools.partial(function, means=means) if knows_means else function
        known = {"levels": levels, "correct": correct}.items()
        offered = {k: value for k, value in known if value is not None and takes(function, k)}
        missing = torch.isnan(rewards)
        if across or not missing.any():
            result = _weights(name, called, rewards, offered)
            return result._replace(advantages=result.advantages.masked_fill(missing, 0.0))
        return _by_group(name, called, rewards, offered, missing)

    vars(advantage)["across_groups"] = across
    vars(advantage)["__signature__"] = _advantage_signature(function)
    return advantage


def _advantage_signature(function: Function) -> inspect.Signature:
    """The offered names that the function takes, so that callers make only these."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ("rewards", "levels", *(one for one in ("correct", "means") if takes(function, one)))
    return inspect.Signature([inspect.Parameter(one, kind) for one in names])


def _by_group(
    name: str, function: Function, rewards: Tensor, offered: dict[str, Tensor], missing: Tensor
) -> AdvantageResult:
    whole = ~missing.any(1)
    advantages, gains = torch.zeros_like(rewards), torch.zeros_like(rewards[:, 0])
    parts = [whole.nonzero()[:, 0]] if whole.any() else []
    parts += [row for row in (~whole).nonzero() if int((~missing[row]).sum()) > 1]
    has_gain = False
    for rows in parts:
        seen = ~missing[rows[0]]
        few = {key: value[rows][:, seen] for key, value in offered.items()}
        result = _weights(name, function, rewards[rows][:, seen], few)
        advantages[rows[:, None], seen.nonzero()[:, 0]] = result.advantages
        if result.gain is not None:
            has_gain, gains[rows] = True, result.gain
    return AdvantageResult(advantages, gains if has_gain else None)


def _weights(
    name: str, function: Function, rewards: Tensor, offered: Mapping[str, Tensor]
) -> AdvantageResult:
    """Call the estimator with copies, and check shape, dtype and numbers of what it returns."""
    given = {"rewards": rewards, **offered}
    copies = {key: value.clone() for key, value in given.items()}
    first, *rest = copies
    made = _called(
        f"advantage: {name}", function, copies[first], **{key: copies[key] for key in rest}
    )
    for key, value in given.items():
        same = torch.equal(copies[key].nan_to_num(), value.nan_to_num())
        require(same, f"advantage: {name} modifies the {key} that it gets; work on a copy")
    result = made if isinstance(made, AdvantageResult) else AdvantageResult(made)
    checked = [("advantages", result.advantages, rewards.shape)]
    if result.gain is not None:
        checked.append(("gains", result.gain, rewards.shape[:1]))
    for what, value, shape in checked:
        good = isinstance(value, Tensor) and value.shape == shape and value.is_floating_point()
        require(
            good,
            f"advantage: {name} returned {described(value)} as {what}; a floating-point tensor of "
            f"shape {tuple(shape)} is needed",
        )
        finite = torch.isfinite(value) if value.ndim == 1 else value.isfinite() | rewards.isnan()
        row = int(finite.reshape(len(rewards), -1).all(1).int().argmin())
        require(
            bool(finite.all()),
            f"advantage: {name} returned {what} that are not finite: {shown(value[row].tolist())} "
            f"for the rewards {shown(rewards[row].tolist())}",
        )
    to = rewards.dtype, rewards.device
    gain = None if result.gain is None else result.gain.detach().to(to[1], to[0])
    return AdvantageResult(result.advantages.detach().to(to[1], to[0]), gain)


def _called(where: str, function: Function, *args: Any, **kwargs: Any) -> Any:
    try:
        with contained(CALL_LIMIT):
            made = function(*args, **kwargs)
    except UserCodeError as error:  # anything may be wrong in a user's function
        raise UserError(f"{where} {error}") from error
    if inspect.iscoroutine(made):
        made.close()  # nobody will await it
    return made


def described(value: Any) -> str:
    """Say what a value is: type, dtype and shape where it has some."""
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} {tuple(value.shape)}"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"an array of {value.dtype} {tuple(value.shape)}"
    return shown(value) if value is None else type(value).__name__


GUARDS = {"noise_kind": guard_noise, "view_plan": guard_plan, "advantage": guard_advantage}


def resolved(config: Any, field: str) -> Function:
    """Return the function that a config names in one of its fields."""
    return resolve(field, str(getattr(config, field)), (getattr(config, KNOBS) or {}).get(field))
