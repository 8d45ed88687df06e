"""From an adapter's fields to the columns of examples: prompts, targets, ids, clusters."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from noisygrpo.data.answers import taken_out
from noisygrpo.data.contents import listed, parts_of_text, text_of
from noisygrpo.data.rows import Fields, RowProblem, as_answer
from noisygrpo.data.turns import (
    Turn,
    around,
    check_placeholders,
    finished,
    in_front,
    own_images,
    read_turns,
)

OTHER_MEDIA = ("video", "videos", "audio", "audios")
GROUNDING = re.compile(r"<(ref-object|bbox)>")


@dataclass
class Draft:
    """An example before its images are known."""

    row: int
    number: int
    """Which of the row's examples it is, from 0."""
    fields: Fields
    turns: list[Turn]
    images: list[Any] | None
    """Its own images, in order, None for one of the row's; None: the row's alone."""
    more: dict[str, Any] = field(default_factory=dict)
    """Further columns that the adapter made."""
    unwrapped: bool = False
    """Whether the answer was taken out of a worked solution (``answers.taken_out``)."""


def draft(row: int, number: int, fields: Fields, values: Mapping[str, Any]) -> Draft:
    """Check what an adapter made of a row, as far as that goes without images."""
    for name in OTHER_MEDIA:
        if listed(values.get(name)):
            raise RowProblem(f"it has {name}; only pictures are supported")
    turns = fields.get("turns")
    if turns is None:
        turns = [{"role": "user", "content": parts_of_text(fields["question"])}]
    if not turns or turns[-1]["role"] != "user":
        raise RowProblem("its last turn is not the user's: there is no question to answer")
    text = "\n".join(text_of(turn["content"]) for turn in turns)
    placeholder = GROUNDING.search(text) if values.get("objects") else None
    if placeholder:
        raise RowProblem(
            f"its text has {placeholder.group()}, which ms-swift fills in from 'objects'; write "
            "the text itself there"
        )
    if not text_of([part for part in turns[-1]["content"] if part["type"] == "text"]).strip():
        raise RowProblem("the question is empty")
    images = fields["images"] if fields.get("images") is not None else own_images(turns)
    target = taken_out(fields)
    return Draft(row, number, target or fields, turns, images, fields.get("more", {}), bool(target))


def finish(
    made: Draft, images: int, default_id: str, template: str, system: str, pattern: str
) -> dict[str, Any]:
    """The columns of an example but its images.

    ``images``: how many it has. ``system``: a turn put where the row has none. Raises
    ``RowProblem`` for placeholders that do not fit the images, and for an id that ``pattern``
    (``data.cluster_pattern``) does not match.
    """
    check_placeholders(made.turns, images)
    turns = in_front(made.turns)
    question = text_of(turns[-1]["content"]).strip()
    content = turns[-1]["content"]
    if "turns" not in made.fields:
        content = parts_of_text(question)
    turns = [*turns[:-1], {"role": "user", "content": around(template, content)}]
    if system and turns[0]["role"] != "system":
        turns = [{"role": "system", "content": [{"type": "text", "text": system}]}, *turns]
    fields = made.fields
    example_id = fields.get("id") or default_id
    cluster = fields.get("cluster") or fields.get("pair") or example_id
    if pattern:
        match = re.search(pattern, example_id)
        if match is None:
            raise RowProblem(f"data.cluster_pattern {pattern!r} not in id {example_id!r}")
        cluster = match.group(1) if match.re.groups else match.group(0)
    return {
        "prompt": finished(turns),
        "answer": fields["answer"],
        "reasoning": fields.get("reasoning", ""),
        "example_id": example_id,
        "cluster": cluster,
        "kind": fields.get("kind", ""),
        "question": question,
    }


def from_user(name: str, made: Any) -> list[Fields]:
    """What a user's adapter returned, as fields: None, a mapping, or a list of mappings."""
    items = [] if made is None else made if isinstance(made, (list, tuple)) else [made]
    return [_fields_of(name, item) for item in items]


KNOWN = ("question", "answer", "reasoning", "id", "cluster", "kind", "pair")


def _fields_of(name: str, item: Any) -> Fields:
    if not isinstance(item, Mapping):
        raise RowProblem(f"{name} returned {item!r:.80}; expected a mapping, a list of those, None")
    if item.get("answer") is None or (item.get("question") is None and not item.get("prompt")):
        raise RowProblem(f"{name} returned the keys {sorted(item)}; question and answer are needed")
    item = {key: _plain(value) for key, value in item.items()}
    fields: Fields = {key: item[key] for key in KNOWN if item.get(key) is not None}
    fields["answer"] = as_answer(item, "answer")
    for key in KNOWN:
        if key != "answer" and key in fields and not isinstance(fields[key], str):
            raise RowProblem(f"{name} returned {key} {fields[key]!r:.80}, which is not text")
    if item.get("prompt"):
        fields["turns"] = read_turns(item["prompt"], "prompt")
    for key in ("images", "image"):
        if key in item:
            cell = item[key]
            fields["images"] = [] if cell is None else cell if isinstance(cell, list) else [cell]
            break
    taken = (*KNOWN, "prompt", "images", "image")
    fields["more"] = {key: value for key, value in item.items() if key not in taken}
    return fields


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy or torch as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


def digest(*values: Any) -> bytes:
    """A stable address of JSON-like values and bytes."""
    state = hashlib.blake2b(digest_size=16)
    for value in values:
        _feed(state, value)
    return state.digest()


def _feed(state: Any, value: Any) -> None:
    if isinstance(value, (bytes, bytearray)):
        state.update(b"b%d:" % len(value))
        state.update(value)
    elif isinstance(value, Mapping):
        state.update(b"d%d:" % len(value))
        for key in sorted(value, key=str):
            _feed(state, str(key))
            _feed(state, value[key])
    elif isinstance(value, (list, tuple)):
        state.update(b"l%d:" % len(value))
        for item in value:
            _feed(state, item)
    else:
        text = repr(value).encode("utf-8", "surrogatepass")
        state.update(b"t%d:" % len(text))
        state.update(text)


def share(address: bytes) -> float:
    """Where an address lies in [0, 1): the fraction of all addresses below it."""
    return int.from_bytes(hashlib.blake2b(address, digest_size=8).digest(), "big") / 2**64
