"""Pictures of a page: clean ones by row, and views drawn again, within a number of bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from noisygrpo.errors import UserError
from noisygrpo.evaluation.rows import UNREADABLE
from noisygrpo.report.rollouts import Rollouts
from noisygrpo.report.views import redraw_all

LONGEST_SIDE = 448
"""Pixels of a picture in a page that can be mailed; in a folder of parts pictures keep theirs."""

QUALITY = 70
MOST_VIEWS = 2500
"""Rollouts whose views are in a page that can be mailed: drawing takes time as well as bytes."""

MOST_CLEAN = 4000
BATCH = 16
"""Groups, or rows, that are drawn side by side."""

Row = Mapping[str, Any]
Images = Callable[[str], Row | None]
"""Gives the row of an example id, with images that can be decoded; None where there is none."""


@dataclass
class Shown:
    """Pictures that went into a page, and what is to be said of them."""

    clean: dict[str, list[Any]] = field(default_factory=dict)  # by example id
    views: dict[int, dict[int, list[Any]]] = field(default_factory=dict)  # group: {rollout: ...}
    size: int = 0
    problems: list[str] = field(default_factory=list)


def encode(image: Image.Image, longest: int | None) -> list[Any]:
    """``[data URI, width, height]``: WebP, scaled down to ``longest``; the size is the image's."""
    shown = image if image.mode in ("RGB", "L") else image.convert("RGB")
    if longest is not None and max(shown.size) > longest:
        scale = longest / max(shown.size)
        size = [max(1, round(side * scale)) for side in shown.size]
        shown = shown.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=QUALITY, method=2)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return [f"data:image/webp;base64,{text}", *image.size]


def evenly(items: Sequence[Any]) -> list[Any]:
    """The items in an order whose every beginning covers them evenly."""
    return [items[place] for place in spread(len(items))]


def spread(count: int) -> Iterator[int]:
    """0 .. count - 1 in an order whose every beginning covers the whole evenly."""
    bits = max(1, (count - 1).bit_length())
    for number in range(2**bits):
        place = int(f"{number:0{bits}b}"[::-1], 2)
        if place < count:
            yield place


def groups_in_order(rollouts: Rollouts) -> list[int]:
    """Groups, so that every beginning of the list has all steps, or as many as it can, evenly."""
    by_step: dict[int, list[int]] = {}
    for group, first in enumerate(rollouts.groups):
        by_step.setdefault(rollouts.step[first], []).append(group)
    steps = list(by_step)
    order = [by_step[steps[place]] for place in spread(len(steps))]
    deepest = max(map(len, order), default=0)
    return [groups[depth] for depth in range(deepest) for groups in order if depth < len(groups)]


@dataclass(frozen=True)
class Room:
    """What pictures may take."""

    size: float  # bytes in all
    longest: int | None = LONGEST_SIDE  # pixels of a side; None leaves pictures as they are
    clean: float = MOST_CLEAN  # rows
    views: float = MOST_VIEWS  # rollouts
    own_code: bool = False  # whether a noise of the user's may be run


def add_clean(shown: Shown, ids: Sequence[str], rows: Images, room: Room) -> None:
    """Add clean pictures of rows in their order, until there is no more room."""
    chosen = [name for name in ids if name not in shown.clean][: int(min(room.clean, len(ids)))]
    start = shown.size
    with ThreadPoolExecutor(2) as pool:
        for batch in _batches(chosen):
            found = [(example, _images(shown, rows, example)) for example in batch]
            jobs = [
                (name, pool.submit(_encode_all, images, room.longest))
                for name, images in found
                if images
            ]
            for example, job in jobs:
                made = job.result()
                if shown.size - start + _size(made) > room.size:
                    return
                shown.clean[example] = made
                shown.size += _size(made)


def add_views(shown: Shown, rollouts: Rollouts, rows: Images, room: Room) -> None:
    """Draw the views of whole groups again, in `groups_in_order`, while there is room."""
    drawn, start = 0, shown.size
    with ThreadPoolExecutor(2) as pool:
        for batch in _batches(groups_in_order(rollouts)):
            jobs = []
            for group in batch:
                noisy = [place for place in rollouts.members(group) if rollouts.seeds[place]]
                example = rollouts.examples[rollouts.example[rollouts.groups[group]]]
                images = _images(shown, rows, example) if noisy else []
                if images:
                    jobs.append((group, pool.submit(_draw, rollouts, noisy, images, room)))
                    drawn += len(noisy)
            for group, job in jobs:
                try:
                    made = job.result()
                except UserError as error:
                    shown.problems.append(str(error))
                    continue
                size = sum(map(_size, made.values()))
                if shown.size - start + size > room.size:
                    return
                shown.views[group] = made
                shown.size += size
            if drawn > room.views:
                return


def _draw(
    rollouts: Rollouts, places: Sequence[int], images: Sequence[Image.Image], room: Room
) -> dict[int, list[Any]]:
    """The views of some rollouts; those that share their noise share the picture."""
    made: dict[Any, list[Any]] = {}
    found: dict[int, list[Any]] = {}
    for place in places:
        key = (rollouts.level[place], *rollouts.seeds[place])
        if key not in made:
            views = redraw_all(rollouts.record(place), images, own_code=room.own_code)
            made[key] = _encode_all(views, room.longest)
        found[place] = made[key]
    return found


def _encode_all(images: Sequence[Image.Image], limit: int | None) -> list[Any]:
    return [encode(image, limit) for image in images]


def _images(shown: Shown, rows: Images, example: str) -> list[Image.Image]:
    """A row's images, decoded; none where there is no such row or one cannot be read."""
    try:
        row = rows(example)
        return [] if row is None else list(row["images"])
    except (*UNREADABLE, UserError) as error:
        shown.problems.append(f"{example}: {error}")
        return []


def _size(pictures: Sequence[Sequence[Any]]) -> int:
    return sum(len(picture[0]) + 20 for picture in pictures)


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
