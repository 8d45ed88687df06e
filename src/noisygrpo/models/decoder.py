"""Whether a model says its answer token by token behind its prompt, and kinds of tokens.

Read off the class that Transformers has for a configuration, before weights are loaded.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from transformers import GenerationMixin
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from noisygrpo.errors import require

KINDS = "mm_token_type_ids"


def model_class(config: Any) -> Any | None:
    """The class of Transformers that is made of a configuration; None where it has none."""
    return MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING.get(type(config), None)


def require_decoder(where: str, config: Any) -> None:
    """See that completions are sampled token by token, in one sequence with their prompt.

    Raises:
        UserError: an encoder reads the prompt, or there is no sampling of single tokens.
    """
    made = model_class(config)
    own_code = getattr(config, "auto_map", None)
    require(
        made is not None or own_code is not None,
        f"model.path: {where!r} is of the kind {config.model_type!r}, of which Transformers has no "
        "model that reads pictures and text alone (AutoModelForImageTextToText)",
    )
    if not isinstance(made, type):
        return
    require(
        issubclass(made, GenerationMixin),
        f"model.path: {where!r} is a {made.__name__}, which does not sample its answer token by "
        "token (a diffusion model, say): such completions have no log-probabilities of tokens",
    )
    require(
        not getattr(config, "is_encoder_decoder", False),
        f"model.path: {where!r} is a {made.__name__}, an encoder and a decoder: completions are "
        "sampled and scored behind their prompt, by models that are a decoder alone",
    )


def tell_kinds(processor: Any, config: Any) -> None:
    """Let a processor, in place, tell the kinds of tokens that it names and its model takes.

    Cosmos3 Edge's has them among what its model takes, and gives them only where a call asks.
    """
    made, stock = model_class(config), processor.__class__
    if made is None or getattr(processor, f"return_{KINDS}", True):
        return
    if KINDS in processor.model_input_names and KINDS in inspect.signature(made.forward).parameters:
        processor.__class__ = telling(stock)


@cache
def telling(stock: Any) -> Any:
    """The class of the same name that tells kinds of tokens unasked."""
    return type(stock.__name__, (stock,), {f"return_{KINDS}": True, "__module__": stock.__module__})
