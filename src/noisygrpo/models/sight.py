"""Whether a model sees what its processor makes of a picture, told from one blank picture.

The model puts the features of a picture in the place of the tokens with one id. A folder of which
the tokenizer, the processor or the configuration is another model's loads as well as any other; in
it there is no such token, and the model fails in its first forward, or learns without seeing.
"""

from __future__ import annotations

from typing import Any

import torch
from jinja2 import TemplateError
from PIL import Image

from noisygrpo.errors import UserError

BLANK = (448, 224)
"""Wide, so that a processor that cuts pictures into tiles makes several."""


def blank_picture() -> Image.Image:
    """The picture that a processor is tried on."""
    return Image.new("RGB", BLANK, (127, 127, 127))


def blank_inputs(processor: Any, *questions: str, padded: bool = True) -> dict[str, Any] | None:
    """What a processor makes of a batch of questions about one blank picture each.

    Padded tensors, as it is scored and evaluated with; or, as TRL samples, what comes unasked.
    None where the chat template refuses such prompts: rows may have another form, and each is
    tried.

    Raises:
        UserError: the processor fails on them.
    """
    talks = [
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
        for question in questions
    ]
    template = {"tokenize": False, "add_generation_prompt": True}
    try:
        texts = [processor.apply_chat_template(talk, **template) for talk in talks]
    except TemplateError:
        return None
    try:
        pictures = [[blank_picture()] for _ in texts]
        options = {"padding": True, "return_tensors": "pt"} if padded else {}
        return dict(processor(text=texts, images=pictures, **options))
    except Exception as error:  # processors raise whatever their arithmetic runs into
        said = " ".join(str(error).split())[:300]
        raise UserError(
            f"model.path: its processor ({type(processor).__name__}) fails on {len(texts)} "
            f"prompt(s) with a picture: {type(error).__name__}: {said}; "
            f"{_wanted(processor, texts[0])}"
        ) from error


def _wanted(processor: Any, text: str) -> str:
    """What to look at where a processor fails on a text."""
    token = _token(processor)
    if token is not None and not _known(processor.tokenizer, token):
        return f"it writes {token}, which is not in its tokenizer's vocabulary"
    if token is not None and token not in text:
        return f"its chat template writes no {token} for a picture"
    return "are its preprocessor_config.json, processor_config.json and chat template one model's?"


def _known(tokenizer: Any, token: str) -> bool:
    return tokenizer.convert_tokens_to_ids(token) not in (None, tokenizer.unk_token_id)


def require_sight(where: str, config: Any, processor: Any) -> None:
    """See that a picture gives tokens that the model replaces by what it sees.

    Args:
        where: folder or hub id, for messages.
        config: the model's; one that names no token for a picture is not looked at.
        processor: the model's.

    Raises:
        UserError: none does, or the processor fails on a picture.
    """
    wanted = getattr(config, "image_token_id", None)
    if not isinstance(wanted, int):
        return
    made = blank_inputs(processor, "x")
    if made is None or bool((torch.as_tensor(made["input_ids"]) == wanted).any()):
        return
    raise UserError(
        f"model.path: {where!r} would see no picture: its configuration has {wanted} as the token "
        f"of a picture (image_token_id), and a prompt with a picture has no such token: "
        f"{_why(processor, wanted)}; are config.json, tokenizer and chat template one model's?"
    )


def _why(processor: Any, wanted: int) -> str:
    tokenizer, token = processor.tokenizer, _token(processor)
    own = tokenizer.convert_ids_to_tokens([wanted])[0] if wanted < len(tokenizer) else None
    there = f"{wanted} is {own!r} there" if own is not None else f"it ends at {len(tokenizer) - 1}"
    if token is None:
        return f"in its tokenizer's vocabulary {there}"
    number = tokenizer.convert_tokens_to_ids(token)
    if not _known(tokenizer, token):
        return f"the processor writes {token}, which is not in its tokenizer's vocabulary"
    if number == wanted:
        return f"its chat template writes no {token} for a picture"
    return f"the processor writes {token}, which is {number} in its tokenizer's vocabulary; {there}"


def _token(processor: Any) -> str | None:
    """What stands for a picture in a text, as the processor has it."""
    token = getattr(processor, "image_token", None)
    return None if token is None else str(token)
