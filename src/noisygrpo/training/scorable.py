"""Whether completions can be scored with all that a family's processor makes of a picture.

TRL generates with everything that the processor gives, and scores with what its scoring function
takes (``prefix.rows.SCORING_KEYS``). A model that is given more (Mllama's masks of its cross
attention, PaliGemma's labels, whose kinds of tokens would let a completion be read ahead) fails in
its first step, or is scored in another way than it was sampled.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import ProcessorMixin

from noisygrpo.errors import UserError, require
from noisygrpo.models.sight import blank_inputs, blank_picture
from noisygrpo.training.prefix.rows import BY_IMAGE, SCORING_KEYS

TOKENS = ("input_ids", "attention_mask")
SPARED = ("batch_num_images",)
"""What scores do not need: LLaVA-OneVision's rows with one and two pictures were compared."""


def require_scorable(processor: Any) -> None:
    """See that a prompt with a picture gives nothing that scoring would leave out.

    Raises:
        UserError: it does, or pictures are cut into tiles that cannot be told apart by row.
    """
    if not isinstance(processor, ProcessorMixin):
        return
    if getattr(processor, "image_processor", None) is None or not _has_template(processor):
        return
    made = blank_inputs(processor, "x")
    if made is None:
        return
    name = type(processor).__name__
    more = sorted(made.keys() - {*TOKENS, *SPARED, *SCORING_KEYS})
    require(
        not more,
        f"model.path: a model with {name} cannot be trained: with a picture it is also given "
        f"{', '.join(more)}, which TRL leaves out where it scores",
    )
    require(
        _by_picture(made) or _counts_tiles(processor, len(made["pixel_values"])),
        f"model.path: a model with {name} cannot be trained: it cuts pictures into tiles, and its "
        f"{type(processor.image_processor).__name__} does not tell TRL how many (num_patches)",
    )
    try:
        for padded in (True, False):
            made = blank_inputs(processor, "x", "How many are there?", padded=padded)
    except UserError as error:
        raise UserError(
            f"model.path: a model with {name} cannot be trained: it makes no batch of prompts of "
            f"different lengths ({error})"
        ) from error
    require(
        made is None or len({len(row) for row in made["input_ids"]}) > 1,
        f"model.path: a model with {name} cannot be trained: it pads prompts unasked, and TRL "
        "takes the padding for tokens of the prompt",
    )


def _has_template(processor: Any) -> bool:
    tokenizer = getattr(processor, "tokenizer", None)
    return (processor.chat_template or getattr(tokenizer, "chat_template", None)) is not None


def _by_picture(made: dict[str, Any]) -> bool:
    """Whether TRL can tell by row what was made of one picture."""
    pixels = made.get("pixel_values")
    if not isinstance(pixels, torch.Tensor) or any(key in made for key in BY_IMAGE):
        return True
    return pixels.ndim != 4 or len(pixels) == 1


def _counts_tiles(processor: Any, tiles: int) -> bool:
    """Whether the image processor tells TRL, in its way of asking, how many tiles there are."""
    asked = {"crop_to_patches": True, "return_tensors": "pt"}
    try:
        told = processor.image_processor(images=[[blank_picture()]], **asked).get("num_patches")
    except (TypeError, ValueError):  # it knows no such option
        return False
    return told is not None and int(torch.as_tensor(told).sum()) == tiles
