"""Conversations of rows: roles and contents of all tools' layouts, and where the pictures stand.

A turn in the making is ``{"role", "content"}`` whose content is a list of parts, each text or an
image. ``<image>`` in text is an image at that place. A finished prompt has plain-text contents
where its images all stand in front of the first user turn (TRL puts them there), and lists of parts
in every turn otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.data.rows import RowProblem
from noisygrpo.errors import require

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
}
"""Names of roles in other tools' files."""

IMAGE = {"type": "image"}
PLACEHOLDER = re.compile(r"<image[ _]?(\d*)>")
_OTHER_MEDIA = re.compile(r"<(video|audio)[ _]?\d*>")

Part = dict[str, Any]
Turn = dict[str, Any]


def read_turns(value: Any, column: str) -> list[Turn]:
    """Turns of ``{role, content}``, ``{from, value}`` or ``{human, assistant}`` mappings.

    Raises ``RowProblem`` for anything else, and for roles that have no place here (tools).
    """
    value = listed(value)
    if not isinstance(value, list) or not value:
        raise RowProblem(f"column {column!r} is {_short(value)}, expected a list of turns")
    turns = []
    for item in value:
        if not isinstance(item, Mapping):
            raise RowProblem(f"column {column!r}: turn {_short(item)} is no mapping")
        if item.get("role") is not None or item.get("from") is not None:
            role = item.get("role") if item.get("role") is not None else item["from"]
            content = item.get("content") if item.get("content") is not None else item.get("value")
            turns.append(_turn(role, content, column))
        elif item.get("human") is not None:
            turns.append(_turn("user", item["human"], column))
            if item.get("assistant") is not None:
                turns.append(_turn("assistant", item["assistant"], column))
        else:
            raise RowProblem(
                f"column {column!r}: turn {_short(item)} has neither role and content nor from "
                "and value"
            )
    return turns


def listed(value: Any) -> Any:
    """A value, or the list that it holds as JSON text (in csv, and in many parquet files)."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _turn(role: Any, content: Any, column: str) -> Turn:
    name = ROLES.get(str(role).lower())
    if name is None:
        raise RowProblem(
            f"column {column!r}: role {role!r} is not supported; roles are {', '.join(ROLES)}"
        )
    return {"role": name, "content": parts_of(content)}


def parts_of(content: Any) -> list[Part]:
    """The parts of a turn's content: text (with placeholders) or a list of typed parts."""
    if isinstance(content, str):
        return parts_of_text(content)
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list) or not content:
        raise RowProblem(
            f"content of a turn is {_short(content)}, expected text or a list of parts"
        )
    return join([part for item in content for part in _parts_of_item(item)])


def _parts_of_item(item: Any) -> list[Part]:
    if isinstance(item, str):
        return parts_of_text(item)
    if isinstance(item, Mapping):
        kind = item.get("type")
        given = {key for key, value in item.items() if value is not None}
        if kind == "text" or (kind is None and "text" in given):
            return parts_of_text(str(item.get("text") or ""))
        if kind in ("image", "image_url", "input_image") or given & {"image", "image_url"}:
            return [{**IMAGE, "cell": _cell_of(item)}]
    raise RowProblem(f"part {_short(item)} of a turn is neither text nor an image")


def _cell_of(item: Mapping[str, Any]) -> Any:
    """What an image part holds; None for a bare placeholder."""
    for key in ("image", "image_url", "url", "path", "bytes", "base64"):
        if item.get(key) is not None:
            return {"bytes": item[key]} if key in ("bytes", "base64") else item[key]
    return None


def parts_of_text(text: str) -> list[Part]:
    """Text with ``<image>`` as parts; an image part keeps the number of ``<image1>``."""
    other = _OTHER_MEDIA.search(text)
    if other:
        raise RowProblem(f"the text contains {other.group()}; only pictures are supported")
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


def own_images(turns: Sequence[Turn]) -> list[Any] | None:
    """One entry per image part, its cell or None; None where no part has a cell."""
    cells = [part["cell"] for turn in turns for part in turn["content"] if part["type"] == "image"]
    return cells if any(cell is not None for cell in cells) else None


def in_front(turns: Sequence[Turn]) -> list[Turn]:
    """Turns without their placeholders, where these all stand at the start of the first user turn.

    TRL puts a row's images there by itself. White space behind them goes with them.
    """
    first = next((turn for turn in turns if turn["role"] == "user"), None)
    if first is None:
        return list(turns)
    content = first["content"]
    start = 0
    while start < len(content) and _is_blank(content[start]):
        start += 1
    leading = sum(part["type"] == "image" for part in content[:start])
    if leading == 0 or leading != count_images(turns):
        return list(turns)
    rest = list(content[start:])
    if rest:
        rest[0] = {"type": "text", "text": rest[0]["text"].lstrip()}
    return [{**turn, "content": rest} if turn is first else turn for turn in turns]


def _is_blank(part: Part) -> bool:
    return part["type"] == "image" or not part["text"].strip()


def count_images(turns: Sequence[Turn]) -> int:
    """How many image parts there are."""
    return sum(part["type"] == "image" for turn in turns for part in turn["content"])


def check_placeholders(turns: Sequence[Turn], images: int) -> None:
    """Raise ``RowProblem`` unless the text has no placeholder, or one for each image in order."""
    parts = [part for turn in turns for part in turn["content"] if part["type"] == "image"]
    if not parts:
        return
    if len(parts) != images:
        raise RowProblem(f"{len(parts)} <image> in its text, but {images} image(s) in the row")
    numbers = [part.get("number") or "" for part in parts]
    if any(numbers):
        expected = [[str(n + first) for n in range(len(parts))] for first in (0, 1)]
        if numbers not in expected:
            raise RowProblem(
                f"the images in its text are numbered {', '.join(n or '(none)' for n in numbers)}; "
                f"allowed is each once and in order, 1 to {len(parts)}"
            )


def around(template: str, parts: Sequence[Part]) -> list[Part]:
    """The template's text with ``{question}`` replaced by the parts."""
    pieces = template.split("{question}")
    if len(pieces) > 2 and any(part["type"] == "image" for part in parts):
        raise RowProblem(
            "data.prompt has {question} twice, and the question has images in its text"
        )
    result: list[Part] = [{"type": "text", "text": pieces[0]}] if pieces[0] else []
    for piece in pieces[1:]:
        result += [*parts, *([{"type": "text", "text": piece}] if piece else [])]
    return join(result)


def finished(turns: Sequence[Turn]) -> list[Turn]:
    """Turns as a prompt: plain text, or lists of parts in every turn if an image is in the text."""
    if not count_images(turns):
        return [{"role": turn["role"], "content": text_of(turn["content"])} for turn in turns]
    return [
        {
            "role": turn["role"],
            "content": [
                dict(IMAGE) if part["type"] == "image" else dict(part) for part in turn["content"]
            ],
        }
        for turn in turns
    ]


def plain_text(content: str | Sequence[Part]) -> str:
    """The text of a finished turn's content, with ``<image>`` where an image stands."""
    return content if isinstance(content, str) else text_of(content)


def with_image_slots(prompt: Sequence[Mapping[str, Any]], images: int) -> list[dict[str, Any]]:
    """A finished prompt with a slot for each image: where its text has one, else in front.

    Without images (``images`` 0, also of a row that is asked without them) every content is plain
    text: templates of some families reject parts without images. Raises ``UserError`` for a prompt
    of plain text with images and no user turn.
    """
    if not images:
        return [{**turn, "content": _without_images(turn["content"])} for turn in prompt]
    if any(not isinstance(turn["content"], str) for turn in prompt):
        return [dict(turn) for turn in prompt]
    messages, pending = [], images
    for turn in prompt:
        content: list[Part] = [{"type": "text", "text": turn["content"]}]
        if turn["role"] == "user":
            content, pending = [dict(IMAGE) for _ in range(pending)] + content, 0
        messages.append({"role": turn["role"], "content": content})
    require(pending == 0, "prompt: it has images but no user turn to put them in")
    return messages


def _without_images(content: str | Sequence[Part]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text):,} characters)"
