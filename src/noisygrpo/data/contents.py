"""What a turn holds: text and pictures in all tools' spellings, as a list of parts.

A part is ``{"type": "text", "text"}`` or ``{"type": "image", "cell"}``; ``<image>`` in text is an
image at that place, whose cell is None and which keeps the number of ``<image1>``.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.data.rows import RowProblem

IMAGE = {"type": "image"}
PLACEHOLDER = re.compile(r"<image[ _]?(\d*)>")
_OTHER_MEDIA = re.compile(r"<(video|audio)[ _]?\d*>")

_QUOTED = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(\s+(?=['"]))?""", re.DOTALL)
"""A text in a Python literal, and the white space behind it if another text follows."""
_FOREIGN = re.compile(
    r"<img>[^<]*</img>|<\|image(?:_?\d+)?\|>|<ImageHere>|<Image>|<IMAGE>|<im_start><image>"
    r"|<image\s*/>"
)
"""Where a picture stands in files for one model, which here would be text."""

Part = dict[str, Any]


def listed(value: Any) -> Any:
    """A value, or the list that it holds as text, JSON's, Python's (csv, many parquet files) or
    NumPy's, which has no commas."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        for read in (json.loads, _literal):  # pandas writes lists as Python does
            try:
                return read(value.strip())
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return value


def _literal(text: str) -> Any:
    """A Python literal; texts side by side are several, as NumPy prints them, and not one."""
    return ast.literal_eval(_QUOTED.sub(lambda one: one[1] + ("," if one[2] else ""), text))


def turns_in(value: Any) -> Any:
    """A value, or the list of turns in it: as text, or by column (``{"role": […], "content":
    […]}``, as the datasets library stores its older sequences).
    """
    value = listed(value)
    if not isinstance(value, Mapping) or not {"role", "from"} & value.keys():
        return value
    columns = {key: items for key, items in value.items() if isinstance(items, list)}
    if len({len(items) for items in columns.values()}) != 1 or len(columns) < 2:
        return value
    return [dict(zip(columns, items, strict=True)) for items in zip(*columns.values(), strict=True)]


def mapping(text: str) -> Any:
    """The mapping that a text holds, JSON's or Python's; the text where it holds none."""
    found = listed(f"[{text}]")
    return found[0] if isinstance(found, list) and len(found) == 1 else text


def parts_of(content: Any) -> list[Part]:
    """The parts of a turn's content: text (with placeholders) or a list of typed parts."""
    if isinstance(content, str):
        return parts_of_text(content)
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list) or not content:
        raise RowProblem(f"content of a turn is {brief(content)}, expected text or a list of parts")
    return join([part for item in content for part in _parts_of_item(item)])


def _parts_of_item(item: Any) -> list[Part]:
    if isinstance(item, str):
        return parts_of_text(item)
    if isinstance(item, Mapping):
        kind = item.get("type")
        given = {key for key, value in item.items() if value is not None}
        pictured = bool(given & {"image", "image_url"})
        if kind in ("text", "input_text", "output_text") or (kind is None and "text" in given):
            before = [{**IMAGE, "cell": _cell_of(item)}] if pictured and kind is None else []
            return [*before, *parts_of_text(_text_in(item))]
        if kind in ("image", "image_url", "input_image") or pictured:
            return [{**IMAGE, "cell": _cell_of(item)}]
    raise RowProblem(f"part {brief(item)} of a turn is neither text nor an image")


def _text_in(item: Mapping[str, Any]) -> str:
    """What a text part holds."""
    for key in ("text", "content", "value"):
        found = item.get(key)
        if isinstance(found, Mapping):  # OpenAI's assistants: {"value", "annotations"}
            found = found.get("value")
        if isinstance(found, str):
            return found
    raise RowProblem(f"part {brief(item)} of a turn has no text")


_OF_PICTURES = frozenset(
    ("type", "text", "detail", "index", "id", "min_pixels", "max_pixels", "resized_height",
     "resized_width")
)  # fmt: skip
"""Keys beside a picture in a part that holds one."""


def _cell_of(item: Mapping[str, Any]) -> Any:
    """What an image part holds; None for a bare placeholder."""
    for key in ("image", "image_url", "url", "path", "bytes", "base64"):
        if item.get(key) is not None:
            return {"bytes": item[key]} if key in ("bytes", "base64") else item[key]
    unknown = [key for key, value in item.items() if value is not None and key not in _OF_PICTURES]
    if unknown:
        raise RowProblem(
            f"part {brief(item)} of a turn has its picture in {unknown[0]!r}; known are image, "
            "image_url, url, path, bytes and base64"
        )
    return None


def parts_of_text(text: str) -> list[Part]:
    """Text with ``<image>`` as parts; an image part keeps the number of ``<image1>``."""
    other = _OTHER_MEDIA.search(text)
    if other:
        raise RowProblem(f"the text contains {other.group()}; only pictures are supported")
    foreign = _FOREIGN.search(text)
    if foreign:
        raise RowProblem(
            f"the text contains {foreign.group():.60}, another tool's picture; write <image> there "
            "and the picture in a column"
        )
    pieces = PLACEHOLDER.split(text)
    parts: list[Part] = []
    for index, piece in enumerate(pieces):
        if index % 2:
            parts.append({**IMAGE, "cell": None, "number": piece})
        elif piece:
            parts.append({"type": "text", "text": piece})
    return parts


def join(parts: Sequence[Part]) -> list[Part]:
    """Parts with neighbouring texts made one."""
    result: list[Part] = []
    for part in parts:
        if result and part["type"] == result[-1]["type"] == "text":
            result[-1] = {"type": "text", "text": result[-1]["text"] + part["text"]}
        else:
            result.append(part)
    return result


def text_of(parts: Sequence[Part]) -> str:
    """Parts as text, with ``<image>`` where an image stands."""
    return "".join(part["text"] if part["type"] == "text" else "<image>" for part in parts)


def brief(value: Any) -> str:
    """A value as it is shown in a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text):,} characters)"
