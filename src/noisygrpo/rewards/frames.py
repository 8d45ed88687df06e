"""The frames in which boxes are written: pixels of one picture or of another, parts of its sides.

Data have pixels of the picture as it is stored, Qwen2.5-VL writes pixels of the picture as its
processor hands it over, Qwen2-VL and Qwen3-VL thousandths of its sides, PaliGemma-like data parts
in [0, 1]. A box is taken from one frame to another by the two widths and the two heights; VLM-R1
(arXiv 2504.07615) does so with the boxes of its rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from noisygrpo.errors import require

Box = tuple[float, float, float, float]
Size = tuple[float, float]
"""Width and height."""

FRAMES = ("picture", "resized", "thousandths", "unit")
"""Pixels of the picture as stored, of the picture as Qwen2.5-VL's processor resizes it, thousandths
of its sides, parts of its sides in [0, 1]."""

STEP = 28
"""Qwen2.5-VL's sides are multiples of this: patches of 14 pixels, two of which make a token."""
MIN_PIXELS, MAX_PIXELS = 56 * 56, 28 * 28 * 16384
"""The limits of Qwen2.5-VL's processor where ``model.min_pixels`` and ``max_pixels`` are unset."""


def resized(width: int, height: int, low: int, high: int) -> tuple[int, int]:
    """Width and height of a picture as Qwen2.5-VL's processor resizes it.

    Each side to the nearest multiple of ``STEP``; where that is more than ``high`` or less than
    ``low`` pixels, the sides by one factor first, then down or up to a multiple.
    """
    wide, tall = (STEP * round(side / STEP) for side in (width, height))
    if wide * tall > high:
        factor = math.sqrt(high / (width * height))
        wide, tall = (max(STEP, STEP * math.floor(s * factor / STEP)) for s in (width, height))
    elif wide * tall < low:
        factor = math.sqrt(low / (width * height))
        wide, tall = (STEP * math.ceil(s * factor / STEP) for s in (width, height))
    return wide, tall


def size_in(frame: str, pictures: Sequence[Any], low: int, high: int) -> Size:
    """Width and height of a row's picture in a frame.

    ``pictures``: PIL images; raises ``UserError`` where the frame needs one and there are others.
    """
    if frame not in ("picture", "resized"):
        return (1.0, 1.0) if frame == "unit" else (1000.0, 1000.0)
    require(
        len(pictures) == 1,
        f"rewards.iou: boxes in the frame {frame!r} need one picture, the row has {len(pictures)}",
    )
    width, height = pictures[0].size
    return resized(width, height, low, high) if frame == "resized" else (width, height)


def moved(boxes: Sequence[Box], start: Size, end: Size) -> list[Box]:
    """Boxes of a frame of size ``start`` in one of size ``end``."""
    across, down = end[0] / start[0], end[1] / start[1]
    return [(a * across, b * down, c * across, d * down) for a, b, c, d in boxes]


def check_frames(answer: str | None, target: str | None, low: int, high: int) -> None:
    """Raise ``UserError`` for frames that there are not, for one without the other, and for limits
    in the wrong order.
    """
    for name, frame in (("frame", answer), ("target_frame", target)):
        known = frame is None or frame in FRAMES
        require(known, f"rewards.iou.{name}: {frame!r} is not one of {list(FRAMES)}")
    both = (answer is None) is (target is None)
    require(both, "rewards.iou: frame (of the answer) and target_frame (of the row) go together")
    require(0 < low <= high, f"rewards.iou: min_pixels {low} is not between 1 and {high}")
