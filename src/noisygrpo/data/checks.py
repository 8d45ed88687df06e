"""Checks of whole data sets before training: every text and every image, cheaply."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import datasets
import pyarrow.compute as pc
from tqdm import tqdm  # type: ignore[import-untyped]

from noisygrpo.data.convert import digest
from noisygrpo.data.example import KEYS, check_prompt
from noisygrpo.data.images import Checked, ImageProblem, check_image
from noisygrpo.data.rows import RowProblem, as_answer
from noisygrpo.errors import UserError, require

BAR_FROM = 3000
"""More rows than this get a progress bar while their images are checked."""

SHOWN = 5
"""So many rows are named; the rest are counted."""

Where = Callable[[int], str]


ENDS = 1 << 14
"""So many bytes at either end of an image's file say, with its length, which picture it is."""


class Seen(NamedTuple):
    """What was seen of a row."""

    asked: bytes
    """Address of its prompt and images, the same wherever they were read from."""
    answer: str
    """Its answer as JSON."""
    sizes: list[tuple[int, int]]
    """(width, height) of its images."""


def check_all_images(data: datasets.Dataset, where: Where) -> list[Seen]:
    """Read every image; returns what was seen of each row.

    Raises ``UserError`` naming the rows with images that cannot be read. ``where`` names row i of
    ``data`` as a person would find it. Nothing is decoded that does not look odd; see ``images``.
    """
    columns = data.with_format("arrow").select_columns(["images", "prompt", "answer"])
    hidden = len(columns) < BAR_FROM or not sys.stderr.isatty()
    problems, seen = [], []
    with tqdm(total=len(columns), desc="checking images", leave=False, disable=hidden) as bar:
        for batch in columns.iter(batch_size=100):
            for row in batch.to_pylist():
                pictures: list[Checked] = []
                try:
                    pictures = [check_image(struct) for struct in row["images"]]
                except ImageProblem as problem:
                    problems.append(f"{where(bar.n)}: {problem}")
                ends = [[len(p.data), p.data[:ENDS], p.data[-ENDS:]] for p in pictures]
                asked = digest(row["prompt"], ends)
                seen.append(Seen(asked, row["answer"], [picture.size for picture in pictures]))
                bar.n += 1
            bar.refresh()
    if problems:
        more = f"\n... and {len(problems) - SHOWN} more rows" if len(problems) > SHOWN else ""
        raise UserError("\n".join(problems[:SHOWN]) + more)
    return seen


def report_lines(
    data: datasets.Dataset, images: Sequence[int], where: Where, seen: Sequence[Seen] | None
) -> list[str]:
    """What is to be said of examples: how many have images, where these stand, what repeats.

    ``images``: how many each has. ``seen``: as ``check_all_images`` returns it.
    """
    having = sum(count > 0 for count in images)
    lines = [f"{having:,} of {len(data):,} rows have images"]
    several = sum(count > 1 for count in images)
    if several:
        lines[0] += f", {several:,} of them several (up to {max(images)})"
    inside = sum(map(has_image_in_text, data.select_columns(["prompt"])["prompt"]))
    if inside:
        lines.append(f"in {inside:,} rows a picture stands within the text, where <image> is")
    return lines + (duplicate_lines(seen, where) if seen is not None else [])


def has_image_in_text(prompt: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a prompt's images stand within its text, so that its contents are lists of parts."""
    return any(not isinstance(turn["content"], str) for turn in prompt)


def duplicate_lines(seen: Sequence[Seen], where: Where) -> list[str]:
    """Lines on rows that repeat an earlier one, and on those that contradict one."""
    first: dict[bytes, int] = {}
    same: list[tuple[int, int]] = []
    other: list[tuple[int, int]] = []
    for index, row in enumerate(seen):
        earlier = first.setdefault(row.asked, index)
        if earlier != index:
            agrees = seen[earlier].answer == row.answer
            (same if agrees else other).append((index, earlier))
    lines = []
    if same:
        lines.append(f"{len(same):,} rows repeat an earlier one: {pairs(same, where, where)}")
    if other:
        named = pairs(other, where, where)
        lines.append(
            f"{len(other):,} rows ask the same as an earlier one, answered otherwise: {named}"
        )
    return lines


def pairs(found: Sequence[tuple[int, int]], where: Where, where_other: Where) -> str:
    """The first few pairs of rows, named."""
    named = [f"{where(index)} = {where_other(other)}" for index, other in found[:SHOWN]]
    return "; ".join([*named, "…"] if len(found) > SHOWN else named)


def require_images(data: datasets.Dataset, plan: str, name: str = "data") -> None:
    """Raise ``UserError`` if no row has an image: there is nothing that a view could change."""
    images = data.with_format("arrow").select_columns(["images"])
    for batch in images.iter(batch_size=1000):
        if pc.any(pc.greater(pc.list_value_length(batch.column("images")), 0)).as_py():
            return
    raise UserError(
        f"{name}: none of {len(data):,} rows has an image, and the view plan {plan!r} puts noise "
        "on images; data.columns.image names their column"
    )


def validate_examples(data: datasets.Dataset, name: str = "examples") -> None:
    """Check a data set that claims the example format: keys, texts, unique ids, images.

    ``load_examples`` has done this already for what it returns; use it for rows made elsewhere.
    Raises ``UserError`` naming ``name`` and the row.
    """
    missing = [key for key in KEYS if key not in data.column_names]
    require(not missing, f"{name}: missing columns {missing}; an example has {list(KEYS)}")
    require(len(data) > 0, f"{name}: the data set has no rows")
    seen: dict[str, int] = {}
    for index, row in enumerate(data.remove_columns("images")):
        where = f"{name} row {index}"
        for key in ("example_id", "cluster"):
            text = row[key]
            require(isinstance(text, str) and bool(text.strip()), f"{where}: {key} is {text!r}")
        try:
            as_answer(row, "answer")
        except RowProblem as problem:
            raise UserError(f"{where}: {problem}") from problem
        check_prompt(row["prompt"], where)
        other = seen.setdefault(row["example_id"], index)
        require(other == index, f"{where}: example_id {row['example_id']!r} is also row {other}'s")
    check_all_images(data, lambda index: f"{name} row {index}")
