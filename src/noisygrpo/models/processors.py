"""The processor of a model as published, with torchvision and without it.

With torchvision it is what ``AutoProcessor`` gives: images and videos by torchvision. Without, the
stock class of the model (``Qwen2_5_VLProcessor``) is made of its stock tokenizer and the stock
image processor that draws with Pillow (``Qwen2VLImageProcessorPil``), and its video part is left
out. The two scale images by different code; ``processor_facts`` tells which one it was.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Any, ClassVar

from transformers import AutoConfig, AutoProcessor, ProcessorMixin
from transformers.models.auto.processing_auto import (
    PROCESSOR_MAPPING,
    PROCESSOR_MAPPING_NAMES,
    processor_class_from_name,
)
from transformers.utils import DummyObject
from transformers.utils.hub import cached_file

from noisygrpo.errors import UserError
from noisygrpo.models.torchvision import has_torchvision
from noisygrpo.models.vision import spell_limits
from noisygrpo.terminal import say

PROCESSOR_FILES = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer_config.json",
)
"""Files that may name a processor's class, in the order in which ``AutoProcessor`` asks them."""

TEMPLATE_FILE = "chat_template.json"
UNASKED = ("padding", "return_tensors")
"""Of its defaults for text, what a processor does only where it is asked to."""
VIDEO = "video_processor"
VIDEO_FILE = "video_preprocessor_config.json"


class NoVideo:
    """What a stock class finds where it asks for its video part: nothing, whatever it asks for.

    SmolVLM wants numbers of frames in every conversation, MiniCPM-V settings when it is made, and
    both use them for videos alone.
    """

    model_input_names: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> None:
        """No setting has a value."""
        if name.startswith("__"):
            raise AttributeError(name)


class WithoutVideo(ProcessorMixin):
    """What a stock class has as its parent where it is made without its video part."""

    video_config: Mapping[str, Any] | None = None
    """The folder's configuration of the video part, for whoever saves the processor."""
    video_processor = NoVideo()

    def __init__(self, *parts: Any, **options: Any) -> None:
        """Take the parts in the order of the stock class, and leave the video part out."""
        named = {**dict(zip(self.stock_attributes(), parts, strict=False)), **options}
        named.pop(VIDEO, None)
        super().__init__(**named)

    @classmethod
    def stock_attributes(cls) -> list[str]:
        """The parts of the stock class, its video part included."""
        return list(super().get_attributes())

    @classmethod
    def get_attributes(cls) -> list[str]:
        """The parts that are loaded and saved."""
        return [name for name in cls.stock_attributes() if name != VIDEO]

    @classmethod
    def _get_arguments_from_pretrained(cls, *args: Any, **kwargs: Any) -> list[Any]:
        found = iter(super()._get_arguments_from_pretrained(*args, **kwargs))
        return [None if name == VIDEO else next(found) for name in cls.stock_attributes()]


@cache
def without_video(stock: Any) -> Any:
    """The stock class, of the same name, loaded and saved without its video part."""
    return type(stock.__name__, (stock, WithoutVideo), {"__module__": stock.__module__})


def load_processor(where: str, *, revision: str | None, trust_remote_code: bool) -> Any:
    """The stock processor of a folder or hub id; ``OSError`` and ``ValueError`` are Transformers'.

    Raises:
        UserError: a broken file, code that is not trusted, or nothing that shows images to a model.
    """
    options = {"revision": revision, "trust_remote_code": trust_remote_code}
    files = {name: read_json(where, name, revision) for name in (*PROCESSOR_FILES, TEMPLATE_FILE)}
    template = files.pop(TEMPLATE_FILE)
    if template and not isinstance(template.get("chat_template"), str):
        raise UserError(f"model.path: {TEMPLATE_FILE} of {where!r} has no text `chat_template`")
    own_code = any("auto_map" in content for content in files.values())
    stock = None
    if not (own_code and trust_remote_code):
        stock = _stock_class(where, files, options, own_code=own_code)
    processor = _made(stock, where, files, options)
    _check_parts(where, processor)
    spell_limits(processor)
    prepare_processor(processor)
    if own_code and stock is not None:
        say_once(
            f"{where} brings code for its processor, which is not run: {stock.__name__} is used"
        )
    if not has_torchvision():
        name = type(processor.image_processor).__name__
        videos = ", without its video part" if isinstance(processor, WithoutVideo) else ""
        say_once(f"torchvision is not installed: images are drawn by Pillow ({name}){videos}")
    return processor


def _made(stock: Any, where: str, files: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """The processor of a class, with its video part where that can be made and is described."""
    if stock is None:
        return AutoProcessor.from_pretrained(where, **options)
    video = files[VIDEO_FILE] or files["processor_config.json"].get(VIDEO)
    described = video or files["preprocessor_config.json"]  # which serves for both in old folders
    if VIDEO not in stock.get_attributes() or (has_torchvision() and described):
        return stock.from_pretrained(where, **options)
    processor = without_video(stock).from_pretrained(where, **options)
    processor.video_config = video or None
    return processor


def _check_parts(where: str, processor: Any) -> None:
    """See that there are images, a vocabulary and a chat format, which may be the tokenizer's.

    Transformers makes a tokenizer without a vocabulary where the files are missing.
    """
    if getattr(processor, "image_processor", None) is None:
        raise UserError(
            f"model.path: {where!r} has no image processor ({type(processor).__name__}): is its "
            "preprocessor_config.json missing, or is it a model of text alone?"
        )
    tokenizer = processor.tokenizer
    names = sorted({"tokenizer.json", *tokenizer.vocab_files_names.values()})
    if Path(where).is_dir() and not any((Path(where) / name).is_file() for name in names):
        raise UserError(f"model.path: {where!r} holds no vocabulary, none of {', '.join(names)}")
    if processor.chat_template is None:
        processor.chat_template = tokenizer.chat_template
    if processor.chat_template is None:
        raise UserError(
            f"model.path: {where!r} has no chat template (chat_template.jinja): is it the "
            "instruction-tuned model?"
        )


def prepare_processor(processor: Any) -> None:
    """Make a processor, in place, one that prompts are scored right with; twice changes nothing.

    - It pads on the left. TRL pads the tokens of prompts there itself and takes their kinds
      (``mm_token_type_ids``, ``token_type_ids``) as the processor pads them; published folders say
      right, or nothing, and all but the longest prompts of a batch would get wrong positions.
    - It does not put a second token of the beginning before a conversation whose template writes
      one (Gemma, Llama). ``apply_chat_template`` does not either; but TRL and evaluation also
      tokenize the finished text, and the kinds of tokens would be one place off.
    - It pads, and makes tensors of tokens, where it is asked to. TRL samples from lists of unequal
      length: where a processor pads them unasked (Aya Vision, Gemma 4), TRL takes the padding for
      tokens of the prompt, which the model then reads; where it makes a tensor of them
      (DeepSeek-VL, Janus, Pixtral), that fails.
    - Its chat template takes a ``conversation``, by the name that TRL gives it (Qwen3-Omni).
    """
    stock: Any = type(processor)
    given = getattr(stock, "text_kwargs", None) or {}
    if any(given.get(name) for name in UNASKED):
        stock = processor.__class__ = as_lists(stock)
    if next(iter(inspect.signature(processor.apply_chat_template).parameters)) == "conversations":
        stock = processor.__class__ = takes_conversation(stock)
    tokenizer = processor.tokenizer
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    if tokenizer.bos_token and not hasattr(stock, "begins_once"):
        processor.__class__ = begins_once(stock)


@cache
def as_lists(stock: Any) -> Any:
    """The class of the same name that pads and makes tensors of tokens where it is asked to."""
    text = {key: value for key, value in stock.text_kwargs.items() if key not in UNASKED}
    return type(stock.__name__, (stock,), {"text_kwargs": text, "__module__": stock.__module__})


@cache
def takes_conversation(stock: Any) -> Any:
    """The class of the same name whose chat template takes what all others' takes by that name."""

    def apply_chat_template(self: Any, conversation: Any, *args: Any, **kwargs: Any) -> Any:
        return stock.apply_chat_template(self, conversation, *args, **kwargs)

    body = {"apply_chat_template": apply_chat_template, "__module__": stock.__module__}
    return type(stock.__name__, (stock,), body)


@cache
def begins_once(stock: Any) -> Any:
    """The class of the same name that adds no special tokens to text that begins with ``bos``."""

    @wraps(stock.__call__)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        text = kwargs.get("text")
        texts = [text] if isinstance(text, str) else text or []
        if texts and all(
            isinstance(t, str) and t.startswith(self.tokenizer.bos_token) for t in texts
        ):
            kwargs.setdefault("add_special_tokens", False)
        return stock.__call__(self, *args, **kwargs)

    body = {"__call__": call, "__module__": stock.__module__, "begins_once": True}
    return type(stock.__name__, (stock,), body)


def read_json(where: str, name: str, revision: str | None = None) -> dict[str, Any]:
    """A JSON file of a folder or hub id; {} where there is none.

    Raises:
        UserError: it is no JSON object.
    """
    path = cached_file(
        where,
        name,
        revision=revision,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    if path is None:
        return {}
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"model.path: {path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"model.path: {path} holds no JSON object, but {type(content).__name__}")
    return content


def _stock_class(
    where: str, files: Mapping[str, Any], options: Mapping[str, Any], *, own_code: bool
) -> Any:
    """The class of Transformers that the files name, or else its model's; None without one.

    Raises:
        UserError: it shows no images, or there is none but the folder's own code.
    """
    names = [content.get("processor_class") for content in files.values()]
    classes = [processor_class_from_name(name) for name in names if isinstance(name, str)]
    stock: Any = next(
        (c for c in classes if isinstance(c, type) and issubclass(c, ProcessorMixin)), None
    )
    if stock is None:
        try:
            config = AutoConfig.from_pretrained(where, **options)
        except ValueError:
            if not own_code:
                raise
            config = None
        stock = PROCESSOR_MAPPING.get(type(config), None)
    _require_packages(where, [stock] if stock in classes else [*classes, stock])
    if stock is None and own_code:
        raise UserError(
            f"model.path: {where!r} has no processor but by code of its own (auto_map); read that "
            "code, then set model.trust_remote_code: true"
        )
    if stock is not None and "image_processor" not in stock.get_attributes():
        raise UserError(f"model.path: {where!r} has no image processor: {stock.__name__} has none")
    return stock


def _require_packages(where: str, classes: Sequence[Any]) -> None:
    """See that no class that is named is one that Transformers cannot make on this machine.

    Another one in its place (``LlavaProcessor`` for Pixtral's) would make other tokens.

    Raises:
        UserError: naming the class and the packages that it needs.
    """
    for one in classes:
        if isinstance(one, DummyObject) and one.__name__ in PROCESSOR_MAPPING_NAMES.values():
            needed = ", ".join(map(str, one._backends))
            raise UserError(
                f"model.path: {where!r} has the processor {one.__name__}, which needs {needed}: "
                "install it (torchvision: the one that was built for your torch)"
            )


@cache
def say_once(line: str) -> None:
    """Print a line on standard error, once, on the first of several processes."""
    if os.environ.get("RANK", "0") == "0":
        say(line, error=True)
