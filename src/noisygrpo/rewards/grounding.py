"""Boxes in the picture: intersection over union (IoU) with the boxes of the answer.

The reward of visual grounding in VLM-R1 (arXiv 2504.07615) and its followers. Boxes are corners,
``x1, y1, x2, y2``; where the row and the model write them in two frames (``frames``), the row's are
taken to the model's first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.errors import require
from noisygrpo.rewards.extract import answer_texts, extract_answer
from noisygrpo.rewards.frames import MAX_PIXELS, MIN_PIXELS, Box, check_frames, moved, size_in
from noisygrpo.rewards.references import by_reference

KEYS = ("bbox_2d", "bbox", "box", "box_2d")
FORMS = ("xyxy", "xywh")
MOST = 100
"""Boxes of a text that are looked at."""
RIGHT_FROM = 0.5
"""IoU at which a box counts as right (RefCOCO's accuracy)."""
_NUMBER = r"\s*(-?\d{1,7}(?:\.\d{1,9})?)\s*"
_FLAT = re.compile(rf"[\[(]{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}[\])]")
_PAIRS = re.compile(rf"[\[(]{_NUMBER},{_NUMBER}[\])]\s*,?\s*[\[(]{_NUMBER},{_NUMBER}[\])]")


def boxes_in(value: Any) -> list[Box] | None:
    """The boxes of an answer, as they are written; None where it holds no box.

    Four numbers, a list of such lists, ``{"bbox_2d": [...]}`` and lists of those, or a text with
    ``[x1, y1, x2, y2]``, ``(x1,y1),(x2,y2)`` or JSON in it.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, Mapping):
        inner = next((value[key] for key in KEYS if key in value), None)
        return None if inner is None else boxes_in(inner)
    if not isinstance(value, (list, tuple)) or not value:
        return None
    if all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value):
        return [tuple(map(float, value))] if len(value) == 4 else None  # type: ignore[list-item]
    parts = [boxes_in(one) for one in value]
    return None if None in parts else [box for part in parts for box in part or ()]


def _of_text(text: str) -> list[Box] | None:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        read = None
    if read is not None and (found := boxes_in(read)):
        return found[:MOST]
    numbers = [one.groups() for form in (_FLAT, _PAIRS) for one in form.finditer(text)]
    found = [(float(a), float(b), float(c), float(d)) for a, b, c, d in numbers]
    return found[:MOST] or None


def area(box: Box) -> float:
    """Area of a box; 0 where its corners are in the wrong order."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(one: Box, other: Box) -> float:
    """IoU of two boxes, in [0, 1]; 0 where both are empty."""
    inner = (*map(max, one[:2], other[:2]), *map(min, one[2:], other[2:]))
    shared = area(inner)  # type: ignore[arg-type]
    whole = area(one) + area(other) - shared
    return shared / whole if whole > 0 else 0.0


def matched(given: Sequence[Box], wanted: Sequence[Box]) -> float:
    """Σ IoU of pairs by the number of boxes on the longer side: a box too many costs as much as one
    that is missing. Pairs are made greedily, the largest IoU first.
    """
    pairs = sorted(
        ((overlap(a, b), i, j) for i, a in enumerate(given) for j, b in enumerate(wanted)),
        reverse=True,
    )
    left, right, total = set(range(len(given))), set(range(len(wanted))), 0.0
    for value, i, j in pairs:
        if i in left and j in right:
            left.discard(i)
            right.discard(j)
            total += value
    return total / max(len(given), len(wanted))


def same_boxes(answer: str, target: str, question: str = "") -> bool:
    """Whether two texts have the same boxes in two spellings: ``[1, 2, 3, 4]``, JSON, corners.

    Corners without "box" are two points, unless the question asks where something is.
    """
    named = re.search(r"box", answer, re.IGNORECASE) or _ASKS_PLACE.search(question)
    wanted = boxes_in(target) if named else None
    return wanted is not None and boxes_in(answer) == wanted


_ASKS_PLACE = re.compile(r"\b(?:(?:bounding\s+)?box(?:es)?|locate|localize|region|detect)\b", re.I)


def judged_by_overlap(answer: str, target: str) -> tuple[bool, str]:
    """Whether the boxes of an answer meet those of a target at `RIGHT_FROM`; the IoU in words."""
    given = boxes_in(answer)
    if given is None:
        return False, "no box in the answer"
    value = matched(given, boxes_in(target) or [])
    return value >= RIGHT_FROM, f"IoU {value:.2f}"


@by_reference
def iou(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[Any],
    hint: Sequence[str] | None = None,
    images: Sequence[Any] | None = None,
    *,
    threshold: float | None = None,
    target: str = "xyxy",
    frame: str | None = None,
    target_frame: str | None = None,
    min_pixels: int = MIN_PIXELS,
    max_pixels: int = MAX_PIXELS,
    **columns: Any,
) -> list[float | None]:
    """Intersection over union of the boxes in the extracted answer with those of the row.

    ``threshold``: 1 if it is at least that, else 0; without one the IoU itself, in [0, 1].
    ``target``: how the row writes boxes, corners (``xyxy``) or corner and size (``xywh``, COCO).
    ``frame``, ``target_frame``: in which frame (``frames.FRAMES``) the model and the row write
    them; without these in the same one. ``min_pixels``, ``max_pixels``: the processor's limits,
    for ``resized``. ``images``: the pictures of each row, one where a frame needs its size.
    Several boxes: Σ IoU of the best pairs by the greater number of boxes. 0 without a box in the
    answer; None where the row has none. Raises ``UserError`` for a row without its one picture.
    """
    check_iou(threshold, target, frame, target_frame, min_pixels, max_pixels)
    rewards: list[float | None] = []
    texts = answer_texts(completions, hint)
    for row, (text, wanted) in enumerate(zip(texts, answer, strict=True)):
        boxes = wanted_boxes(
            wanted,
            images[row] if images else (),
            target=target,
            frame=frame,
            target_frame=target_frame,
            min_pixels=min_pixels,
            max_pixels=max_pixels,
        )
        if boxes is None:
            rewards.append(None)
            continue
        given = boxes_in(extract_answer(text) or "")
        value = matched(given, boxes) if given else 0.0
        rewards.append(value if threshold is None else float(value >= threshold))
    return rewards


def wanted_boxes(
    answer: Any,
    pictures: Sequence[Any],
    *,
    target: str = "xyxy",
    frame: str | None = None,
    target_frame: str | None = None,
    min_pixels: int = MIN_PIXELS,
    max_pixels: int = MAX_PIXELS,
    **other: Any,
) -> list[Box] | None:
    """The boxes of a row as the model has to write them, corners in its frame; None without any.

    The arguments are those of `iou`; ``pictures`` are the row's.
    """
    boxes = boxes_in(answer)
    if boxes is None:
        return None
    if target == "xywh":
        boxes = [(x, y, x + width, y + height) for x, y, width, height in boxes]
    if frame is None or target_frame is None or frame == target_frame:
        return boxes
    ends = [size_in(one, pictures, min_pixels, max_pixels) for one in (target_frame, frame)]
    return moved(boxes, *ends)


def check_iou(
    threshold: float | None = None,
    target: str = "xyxy",
    frame: str | None = None,
    target_frame: str | None = None,
    min_pixels: int = MIN_PIXELS,
    max_pixels: int = MAX_PIXELS,
    **other: Any,
) -> None:
    """Raise ``UserError`` for arguments that cannot work, before a run starts."""
    require(target in FORMS, f"rewards.iou.target: {target!r} is not one of {list(FORMS)}")
    require(
        threshold is None or 0 < threshold <= 1,
        f"rewards.iou.threshold: {threshold}, allowed is more than 0 and at most 1, or null",
    )
    check_frames(frame, target_frame, min_pixels, max_pixels)
