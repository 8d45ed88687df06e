"""Rollouts of a run as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.report.facts import RECIPE, correct_reward, read_recipe
from noisygrpo.report.rollouts import is_nan, iterate_records, rounded, turn_of
from noisygrpo.terminal import one_line, printable

WIDTH, SHORT = 96, 600
"""Columns of a line; characters of a completion that are printed without ``--full``."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """Which rollouts are wanted; None and () leave a field open."""

    step: int | None = None
    example: str | None = None
    level: float | None = None
    text: str | None = None
    filters: tuple[str, ...] = ()
    most: int = 16
    full: bool = False

    @property
    def searching(self) -> bool:
        """Whether rollouts of any step and row may be meant."""
        return bool(self.filters or self.text or self.level is not None)


class Verdict:
    """Says which rollouts are right, as the run's recipe has it."""

    def __init__(self, folder: Path) -> None:
        """Read the recipe, where there is one."""
        self._rule = correct_reward(read_recipe(folder / RECIPE))

    def __call__(self, record: Record) -> bool | None:
        """Whether a rollout is right; None where nothing says."""
        value = rounded(self._deciding(record))
        return None if value is None else value >= self._rule["at"]

    def unscorable(self, record: Record) -> bool:
        """Whether a rollout has no reward because it could not be found out."""
        values = (record.get("reward"), self._deciding(record))
        return bool(record.get("unscorable")) or any(map(is_nan, values))

    def _deciding(self, record: Record) -> Any:
        rewards, named = _rewards(record), self._rule["reward"]
        plain = [name for name in rewards if "format" not in name] or list(rewards)
        name = named if named in rewards else next(iter(plain), "")
        return rewards.get(name)


KEEP: dict[str, Callable[[Record, bool | None], bool]] = {
    "wrong": lambda record, right: right is False,
    "right": lambda record, right: right is True,
    "wrong_up": lambda record, right: right is False and _value(record, "advantage") > 0,
    "right_down": lambda record, right: right is True and _value(record, "advantage") < 0,
    "prior_driven": lambda record, right: _value(record, "gain") > 0.5,
    "cut_off": lambda record, right: bool(record.get("truncated")),
}
"""Filters but ``unscorable``, which is the verdict's."""


def _value(record: Record, name: str) -> float:
    """A number of a record, 0 where it has none."""
    return rounded(record.get(name)) or 0.0


def _rewards(record: Record) -> Mapping[str, Any]:
    found = record.get("rewards")
    return found if isinstance(found, Mapping) else {}


def group_text(folder: Path, asked: Asked) -> str:
    """The rollouts that are asked for, as text.

    Raises:
        UserError: the folder has no rollouts, or none like that.
    """
    require(folder.is_dir(), f"rollouts: {folder} is not a folder")
    right = Verdict(folder)
    found, more, steps = _find(folder, asked, right)
    require(bool(steps), f"rollouts: {folder} holds none (rollouts.jsonl, or rollouts/)")
    where = f"; steps go from {min(steps)} to {max(steps)}"
    require(bool(found), f"rollouts: none of {folder} is like that{where}")
    lines: list[str] = []
    group: tuple[Any, Any] | None = None
    for record in found:
        now = (record.get("step"), record.get("example_id"))
        if now != group:
            group = now
            lines += _head(record)
        lines += _body(record, right, asked.full)
    if more:
        lines.append(f"and {more:,} more (--most)")
    return "\n".join(lines)


def _find(folder: Path, asked: Asked, right: Verdict) -> tuple[list[Record], int, set[int]]:
    """The rollouts, how many more there are, and the steps that the run has.

    Without a step the last one counts, without a row the first of it.
    """
    found: list[Record] = []
    more, steps = 0, set[int]()
    for record in _records(folder):
        step = int(record["step"])
        if not asked.searching and asked.step is None and steps and step > max(steps):
            found, more = [], 0  # a later step takes the place of what was found
        steps.add(step)
        if not _wanted(record, asked, right):
            continue
        first = found[0].get("example_id") if found else record.get("example_id")
        if not asked.searching and asked.example is None and record.get("example_id") != first:
            continue
        if len(found) < asked.most:
            found.append(record)
        else:
            more += 1
    return found, more, steps


def _records(folder: Path) -> Iterator[Record]:
    for _, record in iterate_records(folder):
        if isinstance(record, Mapping) and isinstance(record.get("step"), int):
            yield record


def _wanted(record: Record, asked: Asked, right: Verdict) -> bool:
    text = asked.text is None or asked.text.lower() in str(record.get("completion")).lower()
    level = asked.level is None or abs(_value(record, "noise_level") - asked.level) < 5e-4
    return (
        asked.step in (None, record["step"])
        and asked.example in (None, str(record.get("example_id")))
        and text
        and level
        and all(_kept(name, record, right) for name in asked.filters)
    )


def _kept(name: str, record: Record, right: Verdict) -> bool:
    return right.unscorable(record) if name == "unscorable" else KEEP[name](record, right(record))


def _head(record: Record) -> list[str]:
    """Step, row and prompt."""
    prompt = record.get("prompt")
    turns = [turn_of(turn)["text"] for turn in prompt] if isinstance(prompt, list) else [prompt]
    asked = textwrap.shorten(one_line(" / ".join(map(str, turns))), 300, placeholder=" …")
    title = f"step {record.get('step')}  {one_line(str(record.get('example_id')))}"
    gain = rounded(record.get("gain"))
    decides = "" if gain is None else f"  gain {gain:.2f}"
    return ["", title + decides, *textwrap.wrap(asked, WIDTH), "─" * min(len(title), WIDTH)]


def _body(record: Record, right: Verdict, full: bool) -> list[str]:
    """One rollout: what it saw and earned, then what it said."""
    level = _value(record, "noise_level")
    words = [f"#{record.get('rollout_index')}", f"level {level:.3g}" if level else "clean"]
    if _value(record, "hint_ratio"):
        words.append(f"hint {100 * _value(record, 'hint_ratio'):.0f} %")
    words.append("unscorable" if right.unscorable(record) else
                 {True: "right", False: "wrong", None: ""}[right(record)])  # fmt: skip
    advantage = rounded(record.get("advantage"))
    words.append(f"advantage {'–' if advantage is None else f'{advantage:+.2f}'}")
    parts = [f"{one_line(n)} {_number(v)}" for n, v in _rewards(record).items()]
    words.append(f"reward {_number(record.get('reward'))} ({', '.join(parts)})")
    words.append(f"{record.get('completion_tokens')} tokens")
    if record.get("truncated"):
        words.append("cut off")
    text = str(record.get("completion") or "")
    left = (
        "" if full or len(text) <= SHORT else f" … {len(text) - SHORT:,} characters more (--full)"
    )
    said = printable(text if full else text[:SHORT]) + left
    wrapped = [line for one in said.split("\n") for line in textwrap.wrap(one, WIDTH - 4) or [""]]
    return ["  ".join(word for word in words if word), *(f"    {line}" for line in wrapped), ""]


def _number(value: Any) -> str:
    number = rounded(value)
    return "–" if number is None else f"{number:.2f}"
