"""Folders that every tool reads: Transformers 5 and 4, hence vLLM and evaluation suites on either.

Transformers 5 writes what only it reads: rotary settings under ``rope_parameters``, one nested
``processor_config.json`` whose image part replaces the processor with a dict in Transformers 4, and
special tokens as a list where 4 expects a dict. Published folders are read by both, so the files
are brought to their form, which has

    config.json                     ``rope_theta`` and ``rope_scaling`` beside ``rope_parameters``,
                                    ``torch_dtype`` beside ``dtype``, in every part; whether
                                    embeddings are tied, in the text part as well
    preprocessor_config.json        the image part, by the name without a backend, with
                                    ``min_pixels`` and ``max_pixels`` beside ``size``
    video_preprocessor_config.json  the video part, as it came where it was left out
    processor_config.json           the rest, such as ``image_seq_len``
    tokenizer_config.json           a class that 4 knows, ``additional_special_tokens``, and tokens
                                    with names of their own under ``extra_special_tokens``
    chat_template.jinja and .json   the same template

`readable_everywhere` is for a folder that is written already (a sharded model's, an adapter's).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from noisygrpo.models.processors import VIDEO, VIDEO_FILE

LAYERS = ("full_attention", "sliding_attention")
"""Where rotary settings go by the kind of a layer, as in Gemma 3: the global and the local ones."""


def save_everywhere(model: Any, processor: Any, folder: str | os.PathLike[str]) -> None:
    """Write model (config, weights) and processor into a folder, readable by both generations.

    Args:
        model: a ``PreTrainedModel``, or a PEFT model, of which the adapter is written.
        processor: its processor.
        folder: made where it is missing.
    """
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    readable_everywhere(folder, processor)


def readable_everywhere(folder: str | os.PathLike[str], processor: Any = None) -> None:
    """Bring the files that Transformers 5 wrote into a folder to a form that 4 reads as well.

    What is missing stays missing; calling it twice changes nothing.

    Args:
        folder: of a model, an adapter or a processor.
        processor: what was saved; it may know a video part that was left out.
    """
    where = Path(folder)
    _rewrite(where / "config.json", both_generations)
    _split_processor(where, processor)
    _rewrite(where / "tokenizer_config.json", _tokenizer)
    # What the last batch was padded to is no part of a tokenizer.
    _rewrite(where / "tokenizer.json", lambda core: {**core, "padding": None, "truncation": None})
    template = where / "chat_template.jinja"
    if template.is_file() and not (where / "chat_templates").is_dir():  # .json excludes several
        text = template.read_text(encoding="utf-8")
        _write(where / "chat_template.json", {"chat_template": text})


def both_generations(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with the keys of both generations, in it and in its parts.

    ``rope_scaling`` is null where rotary positions are plain; ``rope_theta`` is the global layers'
    where kinds of layers have their own. The positions of a vision part (``axial``) were no setting
    in Transformers 4.
    """
    config = {
        key: both_generations(value)
        if key.endswith("_config") and isinstance(value, dict)
        else value
        for key, value in config.items()
    }
    if isinstance(config.get("dtype"), str):
        config["torch_dtype"] = config["dtype"]
    if isinstance(config.get("text_config"), dict) and "tie_word_embeddings" in config:
        config["text_config"]["tie_word_embeddings"] = config["tie_word_embeddings"]
    rope = config.get("rope_parameters")
    if not isinstance(rope, dict) or rope.get("rope_type") == "axial":
        return config
    if all(isinstance(rope.get(kind), dict) for kind in LAYERS):
        local = rope[LAYERS[1]].get("rope_theta")
        rope = rope[LAYERS[0]]
        config["rope_local_base_freq"] = local
    if "rope_theta" in rope:
        config["rope_theta"] = rope["rope_theta"]
    if "partial_rotary_factor" in rope:
        config["partial_rotary_factor"] = rope["partial_rotary_factor"]
    rest = {k: v for k, v in rope.items() if k not in ("rope_theta", "partial_rotary_factor")}
    config["rope_scaling"] = None if rest in ({}, {"rope_type": "default"}) else rest
    return config


def _split_processor(where: Path, processor: Any) -> None:
    path = where / "processor_config.json"
    content = _read(path)
    if content is None:
        return
    name = content.get("processor_class")
    images, video = content.pop("image_processor", None), content.pop(VIDEO, None)
    if isinstance(images, dict):
        _write(where / "preprocessor_config.json", {**_images(images), "processor_class": name})
    video = video or getattr(processor, "video_config", None)
    if isinstance(video, dict):
        _write(where / VIDEO_FILE, {**video, "processor_class": name})
    _write(path, content)


def _images(config: dict[str, Any]) -> dict[str, Any]:
    kind = str(config.get("image_processor_type", "")).removesuffix("Pil")
    size = config.get("size")
    if isinstance(size, dict) and {"shortest_edge", "longest_edge"} <= size.keys():
        limits = {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
        config = {**config, **limits}  # where they are missing, 4 takes its own
    return {**config, "image_processor_type": kind}


def _tokenizer(config: dict[str, Any]) -> dict[str, Any]:
    if config.get("tokenizer_class") in ("TokenizersBackend", "PythonBackend"):
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    if isinstance(config.get("extra_special_tokens"), list):
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
    named = config.get("model_specific_special_tokens")
    if isinstance(named, dict) and named:
        config["extra_special_tokens"] = named
    return config


def _rewrite(path: Path, change: Any) -> None:
    content = _read(path)
    if content is not None:
        _write(path, change(content))


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write beside and rename: a reader finds the old file or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
