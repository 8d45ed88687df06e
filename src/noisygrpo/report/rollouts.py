"""A run's rollouts as columns, read line by line: numbers of all of them, texts in chunks.

A hundred thousand rollouts have a hundred megabytes of text. So texts are compressed as they are
read, some steps to a chunk, and only numbers and seeds are kept open.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError
from noisygrpo.report.parts import zipped
from noisygrpo.report.tokens import find_tokenizer, token_ends

CHUNK = 1000
"""Rollouts whose texts are together, at least; a step is never cut apart."""

MOST_CHARACTERS = 20_000
"""Of one text; what is longer is cut, and the page says so."""

ROLLOUTS_FILE, ROLLOUTS_FOLDER = "rollouts.jsonl", "rollouts"

DRAWING = ("noise_knobs", "noise_size", "released")
"""Fields of a record, further ones than level, kind and seed, that say how a view was drawn."""

Record = Mapping[str, Any]


@dataclass
class Chunk:
    """Texts of the rollouts ``first .. first + count - 1``, compressed."""

    first: int
    count: int
    data: bytes


@dataclass
class Rollouts:
    """Columns with one entry per rollout, in the order of the file, which is that of the steps."""

    step: list[int] = field(default_factory=list)
    example: list[int] = field(default_factory=list)  # place in ``examples``
    index: list[int] = field(default_factory=list)  # position in its group
    level: list[float] = field(default_factory=list)
    reward: list[float | None] = field(default_factory=list)
    advantage: list[float | None] = field(default_factory=list)
    gain: list[float | None] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)  # 1: at the length limit
    unscorable: list[int] = field(default_factory=list)
    hint: list[float] = field(default_factory=list)  # share of the reasoning given
    parts: dict[str, list[float | None]] = field(default_factory=dict)  # by reward function
    seeds: list[list[str]] = field(default_factory=list)  # of the noise, one per image
    kinds: list[str | None] = field(default_factory=list)
    places: list[Mapping[str, Any]] = field(default_factory=list)  # further fields for drawing
    groups: list[int] = field(default_factory=list)  # where each group begins
    examples: list[str] = field(default_factory=list)  # ids
    prompts: list[Any] = field(default_factory=list)  # of each example, as first seen
    chunks: list[Chunk] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # lines that could not be read

    def __len__(self) -> int:
        return len(self.step)

    def columns(self) -> dict[str, Any]:
        """The numbers, as the page takes them."""
        names = ("step", "example", "index", "level", "reward", "advantage", "gain", "tokens")
        more = ("cut", "unscorable", "hint", "parts", "groups", "examples")
        return {name: getattr(self, name) for name in (*names, *more)}

    def members(self, group: int) -> range:
        """The rollouts of group number ``group``."""
        ends = self.groups[group + 1] if group + 1 < len(self.groups) else len(self)
        return range(self.groups[group], ends)

    def record(self, place: int) -> dict[str, Any]:
        """What drawing the view of a rollout needs of its record."""
        return {
            **self.places[place],
            "step": self.step[place],
            "example_id": self.examples[self.example[place]],
            "noise_level": self.level[place],
            "noise_seed": self.seeds[place],
            "noise_kind": self.kinds[place],
        }


class Reader:
    """Fills the columns record by record; `finish` gives them."""

    def __init__(self, tokenizer: Any = None) -> None:
        self.out = Rollouts()
        self._tokenizer = tokenizer
        self._known: dict[str, int] = {}
        self._texts: list[dict[str, Any]] = []
        self._drawing: dict[str, Mapping[str, Any]] = {}

    def add(self, record: Record) -> None:
        """Take one record.

        Raises:
            KeyError, TypeError, ValueError: it is none; nothing of it was taken.
        """
        values, rewards = _numbers(record), record.get("rewards") or {}
        if not isinstance(rewards, Mapping):
            raise TypeError("rewards are no mapping")
        example, texts = str(record["example_id"]), _texts(record, self._tokenizer)
        prompt, out = record.get("prompt"), self.out
        if len(self._texts) >= CHUNK and values["step"] != out.step[-1]:
            self.close_chunk()
        number = self._known.setdefault(example, len(self._known))
        if number == len(out.examples):
            out.examples.append(example)
            out.prompts.append(_cut_all(prompt))
        if self._begins_group(values["step"], number, values["index"]):
            out.groups.append(len(out))
        for name in rewards:
            out.parts.setdefault(str(name), [None] * len(out))
        for name, column in out.parts.items():
            column.append(rounded(rewards.get(name)))
        out.example.append(number)
        for name, value in values.items():
            getattr(out, name).append(value)
        more = {key: record[key] for key in DRAWING if record.get(key)}
        key = json.dumps(more, default=str)
        out.places.append(self._drawing.setdefault(key, more))  # one object for all alike
        self._texts.append(texts)

    def _begins_group(self, step: int, number: int, index: int) -> bool:
        out = self.out
        same = bool(out.step) and (step, number) == (out.step[-1], out.example[-1])
        return not same or index <= out.index[-1]

    def finish(self) -> Rollouts:
        """Return what was read."""
        self.close_chunk()
        return self.out

    def close_chunk(self) -> None:
        """Compress the texts so far."""
        if self._texts:
            count = len(self._texts)
            names = {name for texts in self._texts for name in texts}
            columns = {name: [texts.get(name) for texts in self._texts] for name in sorted(names)}
            self.out.chunks.append(Chunk(len(self.out) - count, count, zipped(columns)))
            self._texts = []


def read_rollouts(folder: Path) -> Rollouts:
    """Read ``rollouts.jsonl``, or the parquet files, of a run; no rollouts where it has none.

    A line that is no record, such as the last one of a run that was killed, is left out and named
    in ``problems``.
    """
    reader = Reader(find_tokenizer(folder))
    for where, record in iterate_records(folder):
        if isinstance(record, str):
            reader.out.problems.append(f"{where}: {record}")
            continue
        try:
            reader.add(record)
        except (KeyError, TypeError, ValueError) as error:
            problem = f"{where}: no record of a rollout ({type(error).__name__}: {error})"
            reader.out.problems.append(problem)
    return reader.finish()


def iterate_records(folder: Path) -> Iterator[tuple[str, Record | str]]:
    """Where each rollout stands, and its record, or what is wrong with the line."""
    path = folder / ROLLOUTS_FILE
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                where = f"{path.name} line {number}"
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    yield where, "not JSON"
                    continue
                yield where, record if isinstance(record, dict) else "not a JSON object"
    files = sorted((folder / ROLLOUTS_FOLDER).glob("step-*.parquet"), key=_step_and_part)
    for file_path in files:
        yield from _parquet(file_path)


def _step_and_part(path: Path) -> list[int]:
    return [int(word) for word in path.stem.split("-")[1:] if word.isdigit()]


def _parquet(path: Path) -> Iterator[tuple[str, Record | str]]:
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no parquet file: {error}") from error
    for number, row in enumerate(rows):
        if isinstance(row.get("turns"), str):
            row["turns"] = json.loads(row["turns"])
        yield f"{path.name} row {number}", row


def _numbers(record: Record) -> dict[str, Any]:
    """The entries of a record in the columns of `Rollouts` that have its numbers' names."""
    seeds = record.get("noise_seed")
    return {
        "step": int(record["step"]),
        "index": int(record.get("rollout_index") or 0),
        "level": float(record.get("noise_level") or 0.0),
        "reward": rounded(record.get("reward")),
        "advantage": rounded(record.get("advantage")),
        "gain": rounded(record.get("gain")),
        "tokens": int(record.get("completion_tokens") or 0),
        "cut": int(bool(record.get("truncated"))),
        "unscorable": int(bool(record.get("unscorable") or is_nan(record.get("reward")))),
        "hint": rounded(record.get("hint_ratio")) or 0.0,
        "seeds": [] if seeds is None else [str(seed) for seed in seeds],
        "kinds": record.get("noise_kind"),
    }


def is_nan(value: Any) -> bool:
    """Whether a record holds a number that is none."""
    return isinstance(value, float) and math.isnan(value)


def rounded(value: Any, digits: int = 4) -> float | None:
    """A number for the page; None for anything else, NaN and infinities among them."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return round(float(value), digits)


def cut(text: Any) -> str:
    """A text of at most ``MOST_CHARACTERS``."""
    text = text if isinstance(text, str) else "" if text is None else str(text)
    if len(text) <= MOST_CHARACTERS:
        return text
    left_out = len(text) - MOST_CHARACTERS
    return f"{text[:MOST_CHARACTERS]}\n… {left_out:,} characters more, left out of this page"


def _cut_all(value: Any) -> Any:
    """A prompt, or turns, with every text cut; anything that is no text or list as text."""
    if isinstance(value, list):
        return [turn_of(turn) for turn in value[:200]]
    return cut(value)


def turn_of(turn: Any) -> dict[str, str]:
    """Return a message as ``{"role", "text"}``, a picture in it as ``[image]``."""
    if not isinstance(turn, Mapping):
        return {"role": "", "text": cut(turn)}
    content = turn.get("content")
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        content = "\n".join(
            "[image]" if part.get("type") == "image" else str(part.get("text") or "")
            for part in parts
        )
    if not content and turn.get("tool_calls"):
        content = json.dumps(turn["tool_calls"], default=str)
    return {"role": str(turn.get("role", "")), "text": cut(content)}


def _texts(record: Record, tokenizer: Any) -> dict[str, Any]:
    """The texts of a record, and what is as long as they are."""
    found: dict[str, Any] = {"completion": cut(record.get("completion"))}
    if record.get("hint"):
        found["hint"] = cut(record["hint"])
    if record.get("turns"):
        found["turns"] = _cut_all(record["turns"])
    if record.get("noise_seed") is not None and len(record["noise_seed"]):
        found["seeds"] = [str(seed) for seed in record["noise_seed"]]
        found["kind"] = record.get("noise_kind")
    seen = record.get("visual_dependence")
    if seen is not None:
        found["seen"] = [rounded(value, 3) for value in list(seen)[:MOST_CHARACTERS]]
        ends = token_ends(tokenizer, found["completion"], found.get("hint", ""), len(seen))
        if ends is not None:
            found["ends"] = ends
    return found
