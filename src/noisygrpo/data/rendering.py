"""A finished prompt as the text that a model reads, by its chat template.

Some templates (SmolVLM, LLaVA, LLaVA-OneVision) read a turn's content as a list of parts alone and
write nothing of a plain text, others (of text models) read plain text alone. A prompt without
images is given in the form that the template reads, so that it is the one that is trained on: TRL
makes parts of every prompt of a vision-language model.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from noisygrpo.data.turns import with_image_slots
from noisygrpo.errors import UserError

_PROBE = "x7q"


def rendered(processor: Any, prompt: Sequence[Mapping[str, Any]], images: int) -> str:
    """The text of a prompt with this many images, up to where the answer begins.

    Raises:
        UserError: the template refuses the prompt, or is none.
    """
    messages = with_image_slots(prompt, images)
    if not images and not _reads_plain_text(processor):
        messages = [_in_parts(turn) for turn in messages]
    return _render(processor, messages)


def _in_parts(turn: Mapping[str, Any]) -> dict[str, Any]:
    return {**turn, "content": [{"type": "text", "text": turn["content"]}]}


@functools.lru_cache(maxsize=8)
def _reads_plain_text(processor: Any) -> bool:
    """Whether the template writes a content that is plain text."""
    turn = {"role": "user", "content": _PROBE}
    try:
        if _PROBE in _render(processor, [turn]):
            return True
        return _PROBE not in _render(processor, [_in_parts(turn)])
    except UserError:  # it is told with the first prompt
        return True


def _render(processor: Any, messages: Sequence[Mapping[str, Any]]) -> str:
    try:
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        raise UserError(f"the model's chat template refuses a prompt: {error}") from error
    return str(text)
