"""The one example format: what a row of any source looks like to the rest of the package.

Adapters, files and the playground all give rows with exactly the keys of ``FEATURES``:

==============  ==============  ==================================================================
key             type            meaning
==============  ==============  ==================================================================
``prompt``      list of turns   conversation with plain-text content; the last turn is the user's.
                                No image placeholders: TRL puts ``images`` in front of the first
                                user turn
``images``      list of images  RGB; empty for a text-only row
``answer``      str             the target, never empty
``reasoning``   str             reference reasoning, "" where there is none
``example_id``  str             unique and stable: noise is addressed by it
``cluster``     str             rows that belong together for standard errors; equals
                                ``example_id`` where rows are independent
``kind``        str             question kind or category, "" if none
``question``    str             the bare question, without template
==============  ==============  ==================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
from PIL import Image as PILImage

from noisygrpo.data.images import to_rgb
from noisygrpo.errors import UserError, require


class RgbImage(datasets.Image):
    """An image column that decodes to RGB, with transparent parts white (``images.to_rgb``).

    Stored as the plain ``Image(mode="RGB")`` of the datasets library.
    """

    def decode_example(
        self, value: dict[str, Any], token_per_repo_id: dict[str, Any] | None = None
    ) -> PILImage.Image:
        """Decode one ``{"bytes", "path"}`` struct."""
        return to_rgb(datasets.Image().decode_example(value, token_per_repo_id))


FEATURES = datasets.Features(
    {
        "prompt": datasets.List(
            {"role": datasets.Value("string"), "content": datasets.Value("string")}
        ),
        "images": datasets.List(RgbImage(mode="RGB")),
        "answer": datasets.Value("string"),
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
    answer: str,
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
    for key in ("answer", "reasoning", "example_id", "cluster", "kind", "question"):
        require(isinstance(row[key], str), f"{where}: {key} is {row[key]!r}, not a string")
    for key in ("answer", "example_id", "cluster"):
        require(bool(row[key].strip()), f"{where}: {key} is empty")
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
        require(
            isinstance(content, str),
            f"{where}: content of the {role} turn is not plain text; images go into 'images'",
        )
        token = next((token for token in VISION_TOKENS if token in content), None)
        require(
            token is None,
            f"{where}: the {role} turn contains {token}, which a processor reads as an image",
        )
    require(prompt[-1]["role"] == "user", f"{where}: the last turn of prompt is not the user's")
