"""Conversations of rows: roles and contents of all tools' layouts, and where the pictures stand.

A turn in the making is ``{"role", "content"}`` whose content is a list of parts, each text or an
image. ``<image>`` in text is an image at that place. A finished prompt has plain-text contents
where its images all stand in front of the first user turn (TRL puts them there), and lists of parts
in every turn otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.data.contents import (
    IMAGE,
    Part,
    brief,
    join,
    parts_of,
    text_of,
    turns_in,
)
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

Turn = dict[str, Any]


def read_turns(value: Any, column: str) -> list[Turn]:
    """Turns of ``{role, content}``, ``{from, value}`` or ``{human, assistant}`` mappings, in a list
    or by column.

    Raises ``RowProblem`` for anything else, and for roles that have no place here (tools).
    """
    value = turns_in(value)
    if not isinstance(value, list) or not value:
        raise RowProblem(f"column {column!r} is {brief(value)}, expected a list of turns")
    turns = []
    for item in value:
        if not isinstance(item, Mapping):
            raise RowProblem(f"column {column!r}: turn {brief(item)} is no mapping")
        if item.get("role") is not None or item.get("from") is not None:
            role = item.get("role") if item.get("role") is not None else item["from"]
            content = item.get("content") if item.get("content") is not None else item.get("value")
            turns.append(_turn(role, content, column, item))
        elif item.get("human") is not None:
            turns.append(_turn("user", item["human"], column, item))
            if item.get("assistant") is not None:
                turns.append(_turn("assistant", item["assistant"], column, {}))
        else:
            raise RowProblem(
                f"column {column!r}: turn {brief(item)} has neither role and content nor from "
                "and value"
            )
    return turns


def _with_pictures(parts: list[Part], turn: Mapping[str, Any], column: str) -> list[Part]:
    """A turn's parts with the pictures that the turn has in a key of its own (Ollama's rows): at
    its ``<image>``, else in front.
    """
    name = next((key for key in ("images", "image") if turn.get(key) not in (None, [], "")), None)
    if name is None:
        return parts
    cells = turn[name] if isinstance(turn[name], list) else [turn[name]]
    pictures = [{**IMAGE, "cell": cell} for cell in cells]
    places = [at for at, part in enumerate(parts) if part["type"] == "image"]
    if not places:
        return [*pictures, *parts]
    if len(places) != len(cells) or any(parts[at]["cell"] is not None for at in places):
        raise RowProblem(
            f"column {column!r}: a turn has {len(cells)} in {name!r} and {len(places)} images in "
            "its text"
        )
    for at, picture in zip(places, pictures, strict=True):
        parts[at] = picture
    return parts


def _turn(role: Any, content: Any, column: str, item: Mapping[str, Any]) -> Turn:
    name = ROLES.get(str(role).lower())
    if name is None:
        raise RowProblem(
            f"column {column!r}: role {role!r} is not supported; roles are {', '.join(ROLES)}"
        )
    if content is None and item.get("tool_calls"):
        raise RowProblem(f"column {column!r}: a turn has tool_calls; tools are not supported")
    return {"role": name, "content": _with_pictures(parts_of(content), item, column)}


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
