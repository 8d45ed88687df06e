"""The one example format: what a row of any source looks like to the rest of the package.

Adapters, files and the playground all give rows with the keys of ``FEATURES``, and with the further
columns of their source:

==============  ==============  ==================================================================
key             type            meaning
==============  ==============  ==================================================================
``prompt``      list of turns   conversation; the last turn is the user's. Contents are plain text
                                without placeholders where the images stand in front of the first
                                user turn (TRL puts them there); else all are lists of parts, text
                                or ``{"type": "image"}``
``images``      list of images  RGB; empty for a text-only row
``answer``      any             the target: text (never empty), a number, a list, as in the source
``reasoning``   str             reference reasoning, "" where there is none
``example_id``  str             unique and stable: noise is addressed by it
``cluster``     str             rows that belong together for standard errors; equals
                                ``example_id`` where rows are independent
``kind``        str             question kind or category, "" if none
``question``    str             the bare question, without template
``pair``        str             not always there: rows of one name count as right in an evaluation
                                only if all of them are; "" where a row stands alone
==============  ==============  ==================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
from PIL import Image as PILImage

from noisygrpo.data.features import Exact, RgbImage
from noisygrpo.data.rows import RowProblem, as_answer
from noisygrpo.errors import UserError, require

FEATURES = datasets.Features(
    {
        "prompt": datasets.List({"role": datasets.Value("string"), "content": Exact()}),
        "images": datasets.List(RgbImage(mode="RGB")),
        "answer": Exact(),
        "reasoning": datasets.Value("string"),
        "example_id": datasets.Value("string"),
        "cluster": datasets.Value("string"),
        "kind": datasets.Value("string"),
        "question": datasets.Value("string"),
    }
)
"""Arrow types of an example; images decode to PIL, in RGB, on access."""

KEYS: tuple[str, ...] = tuple(FEATURES)
"""The keys of an example, in order."""

ROLES = ("system", "user", "assistant")

VISION_TOKENS = (
    "<|image_pad|>",
    "<|video_pad|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image|>",
    "<image_soft_token>",
    "<IMG_CONTEXT>",
    "<image>",
)
CHAT_TOKENS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|end|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<start_of_turn>",
    "<end_of_turn>",
)
"""Text that tokenizers read as the end of a turn or the start of another: a question with one of
these in it ends where its writer did not mean it to."""
_TOKENS = re.compile("|".join(map(re.escape, (*VISION_TOKENS, *CHAT_TOKENS))))
"""Text that processors turn into image tokens. One of these inside a prompt makes the number of
image tokens differ from the number of image features, and the forward fails in the middle of a
run."""


def make_prompt(question: str, template: str = "{question}", system: str = "") -> list[dict]:
    """Build the conversation: an optional system turn and one user turn.

    ``template`` holds ``{question}``; other braces (LaTeX) are left alone.
    """
    require("{question}" in template, f"data.prompt: {template!r} does not contain {{question}}")
    turns = [{"role": "system", "content": system}] if system else []
    return [*turns, {"role": "user", "content": template.replace("{question}", question)}]


def make_example(
    question: str,
    answer: Any,
    images: Sequence[Any] = (),
    *,
    example_id: str,
    reasoning: str = "",
    cluster: str = "",
    kind: str = "",
    template: str = "{question}",
    system: str = "",
) -> dict[str, Any]:
    """Build one example; ``cluster`` defaults to ``example_id``."""
    return {
        "prompt": make_prompt(question, template, system),
        "images": list(images),
        "answer": answer,
        "reasoning": reasoning,
        "example_id": example_id,
        "cluster": cluster or example_id,
        "kind": kind,
        "question": question,
    }


def check_example(row: Mapping[str, Any], where: str = "example") -> None:
    """Raise ``UserError`` unless ``row`` is an example (keys, types, roles, RGB images).

    ``where`` names the row in the message, such as ``"train.jsonl line 7"``.
    """
    missing = [key for key in KEYS if key not in row]
    require(not missing, f"{where}: missing {missing}; an example has the keys {list(KEYS)}")
    for key in ("reasoning", "example_id", "cluster", "kind", "question"):
        require(isinstance(row[key], str), f"{where}: {key} is {row[key]!r}, not a string")
    for key in ("example_id", "cluster"):
        require(bool(row[key].strip()), f"{where}: {key} is empty")
    try:
        as_answer(row, "answer")
    except RowProblem as problem:
        raise UserError(f"{where}: {problem}") from problem
    check_prompt(row["prompt"], where)
    for number, image in enumerate(row["images"]):
        if not isinstance(image, PILImage.Image) or image.mode != "RGB":
            kind = image.mode if isinstance(image, PILImage.Image) else type(image).__name__
            raise UserError(f"{where}: image {number} is {kind}, expected a PIL image in RGB")


def check_prompt(prompt: Any, where: str) -> None:
    """Raise ``UserError`` unless ``prompt`` is a list of text turns that ends with the user's."""
    require(
        isinstance(prompt, list) and len(prompt) > 0,
        f"{where}: prompt is {prompt!r}, expected a non-empty list of turns",
    )
    for turn in prompt:
        role, content = turn.get("role"), turn.get("content")
        require(role in ROLES, f"{where}: role {role!r} in prompt; allowed: {list(ROLES)}")
        text = content if isinstance(content, str) else _text_of_parts(content)
        require(
            text is not None,
            f"{where}: content of the {role} turn is {content!r:.80}, expected text or a list of "
            'parts, {"type": "text", "text": …} or {"type": "image"}',
        )
        found = _TOKENS.search(text or "")
        if found:
            token = found.group()
            read = "an image" if token in VISION_TOKENS else "the start or end of a turn"
            raise UserError(
                f"{where}: the {role} turn contains {token}, which a processor reads as {read}"
            )
    require(prompt[-1]["role"] == "user", f"{where}: the last turn of prompt is not the user's")


def _text_of_parts(content: Any) -> str | None:
    """The text of a list of parts, None if it is none."""
    if not isinstance(content, list):
        return None
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        text = part.get("text") if kind == "text" else "" if kind == "image" else None
        if not isinstance(text, str):
            return None
        texts.append(text)
    return "\n".join(texts)


def as_stored(example: Mapping[str, Any]) -> dict[str, Any]:
    """An example as its Arrow columns hold it, images left out."""
    encode = Exact().encode_example
    turns = [
        {"role": turn["role"], "content": encode(turn["content"])} for turn in example["prompt"]
    ]
    rest = {key: example[key] for key in KEYS if key != "images"}
    return {**rest, "prompt": turns, "answer": encode(example["answer"])}
