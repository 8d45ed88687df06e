"""What the releases do and this package mends or leaves out, for runs compared with theirs.

``released: [wrap, noisy_zero]`` brings back what it names, and nothing else changes. Ids are those
of docs/papers.md, which also lists what else differs and cannot be brought back. What concerns a
reward is an argument of it (``compat``, ``form: r1v``); the released scorer of GeoQA is a benchmark
of its own (``geoqa-released``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noisygrpo.errors import require
from noisygrpo.schema import near, shown
from noisygrpo.training.settings import by_group, is_hinted, is_noisy

Values = Mapping[str, Any]

EPSILON = 1e-6
"""NoisyRollout's, in the denominator of the group normalisation (``core_algos.py:129-171``)."""


@dataclass(frozen=True)
class Defect:
    """One thing of a release."""

    says: str
    """What it does; shown by ``check``."""
    works: Callable[[Values], bool]
    needs: str
    """What has to be set for it to do anything."""


def _gaussian(values: Values) -> bool:
    return is_noisy(values) and values["noise_kind"] in (None, "gaussian")


def _scored_apart(values: Values) -> bool:
    return bool(values["temperature"] != 1.0)


def _opened(values: Values) -> bool:
    template = str(values["hint_template"])
    return is_hinted(values) and values["hint_place"] == "answer" and template != "{hint}"


DEFECTS: dict[str, Defect] = {
    "wrap": Defect(
        "values of a noisy picture outside [0, 255] wrap around (NoisyGRPO, B1)",
        _gaussian,
        "noisy views of noise_kind gaussian",
    ),
    "truncated_index": Defect(
        "a level's diffusion index is cut, not rounded (NoisyGRPO, NoisyRollout, B4)",
        _gaussian,
        "noisy views of noise_kind gaussian",
    ),
    "noisy_zero": Defect(
        "index 0 is noise of sigma .0047 (NoisyGRPO, B2, whose completions are then scored on the "
        "group's first picture; NoisyRollout's annealed half, R11)",
        lambda values: _gaussian(values) and values["view_plan"] in ("grid", "split"),
        "noise_kind gaussian and view_plan grid or split",
    ),
    "mask_noise_correct": Defect(
        "noisy completions with a higher correctness than the lowest clean one of their group "
        "train nothing (an option of NoisyGRPO, off in its scripts)",
        is_noisy,
        "noisy views",
    ),
    "epsilon": Defect(
        "1e-6 in the denominator of the advantage (NoisyRollout)",
        lambda values: values["advantage"] == "grpo" and by_group(values),
        "advantage grpo with scale_rewards group",
    ),
    "think_at_level_0": Defect(
        "the template without a hint begins the answers of level 0 too (Hint-GRPO, H10)",
        _opened,
        "two hint_levels or more, hint_place answer and a hint_template with text of its own",
    ),
    "score_at_1": Defect(
        "completions are scored at temperature 1, whatever they were sampled at (Hint-GRPO, H6)",
        _scored_apart,
        "a temperature other than 1",
    ),
}
"""Name in ``released`` to what it brings back."""


def check_released(values: Values) -> None:
    """Check that every name is known and does something.

    Raises:
        UserError: naming it, and what there is or what it needs.
    """
    names: Sequence[str] = values["released"] or ()
    for place, name in enumerate(names):
        require(
            name in DEFECTS,
            f"released: {shown(name)} is not one of {', '.join(DEFECTS)}{near(name, DEFECTS)}",
        )
        require(name not in names[:place], f"released: {name!r} is named twice")
        defect = DEFECTS[name]
        require(
            defect.works(values),
            f"released: {name!r} has no effect with these settings; it needs {defect.needs}",
        )


def is_released(values: Values, name: str) -> bool:
    """Whether a run brings back what ``name`` stands for."""
    return name in (values.get("released") or ())


def released_lines(values: Values, rewards: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for everything of the releases that is on, in training and in rewards."""
    lines = [f"{name}: {DEFECTS[name].says}" for name in values["released"] or ()]
    for entry in rewards:
        if entry.get("compat"):
            lines.append(f"reward {entry['name']}: compat, the released function")
        if entry.get("form") == "r1v":
            lines.append(f"reward {entry['name']}: form r1v, half answer and half <answer> format")
    return lines
