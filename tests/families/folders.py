"""Writes tiny models as folders laid out as on the hub, without Transformers' saving.

``write_folder`` writes configuration, preprocessor and tokenizer files under their published names,
and random weights under the published names of tensors, in two shards with an index. The tokenizer
knows bytes and the family's special tokens; the chat format is one for all but for a family's
tokens of a turn and of an image.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken as Added
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForImageTextToText

from families.layouts import FAMILIES, Family

CHAT = (
    "{% for message in messages %}START{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}END\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}STARTassistant\n{% endif %}"
)


def write_folder(
    name: str, folder: Path, seed: int = 0, families: Mapping[str, Family] = FAMILIES
) -> Path:
    """Write the folder of a family; the same weights for the same seed.

    Args:
        name: of the families.
        folder: is made.
        seed: of the weights.
        families: ``layouts.FAMILIES`` or others.
    """
    family = families[name]
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(family, folder)
    ids = token_ids(folder)
    write(folder / "config.json", with_ids(family.config, ids))
    write(folder / "preprocessor_config.json", family.preprocessor)
    if family.processor is not None:
        write(folder / "processor_config.json", family.processor)
    if family.video is not None:
        write(folder / "video_preprocessor_config.json", family.video)
    stop = [ids[token] for token in family.stop]
    write(
        folder / "generation_config.json", {"eos_token_id": stop, "pad_token_id": ids[family.pad]}
    )
    write_chat_template(family, folder)
    write_weights(family, folder, seed)
    return folder


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_chat_template(family: Family, folder: Path) -> None:
    text = CHAT.replace("START", family.turn[0]).replace("END", family.turn[1])
    text = family.begin + text.replace("IMAGE", family.image)
    if family.template.endswith(".json"):
        write(folder / family.template, {"chat_template": text})
    else:
        (folder / family.template).write_text(text, encoding="utf-8")


def token_ids(folder: Path) -> dict[str, int]:
    """Token to id, special tokens included; "" is how many there are."""
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    ids = {**content["model"]["vocab"]}
    ids |= {token["content"]: token["id"] for token in content["added_tokens"]}
    return {**ids, "": max(ids.values()) + 1}


def with_ids(config: Any, ids: dict[str, int]) -> Any:
    """The configuration with ids where it names tokens by ``@``."""
    if isinstance(config, dict):
        return {key: with_ids(value, ids) for key, value in config.items()}
    if isinstance(config, list):
        return [with_ids(value, ids) for value in config]
    return ids[config[1:]] if isinstance(config, str) and config.startswith("@") else config


def write_tokenizer(family: Family, folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``, and a byte vocabulary's own files."""
    core = pieces(family.tokens) if family.pieces else byte_level()
    core.add_special_tokens(
        [Added(token, special=True, normalized=False) for token in family.tokens]
    )
    if family.begin:
        begin = (family.begin, core.token_to_id(family.begin))
        core.post_processor = processors.TemplateProcessing(
            single=[begin[0], "$A"], pair=[begin[0], "$A", "$B"], special_tokens=[begin]
        )
    core.save(str(folder / "tokenizer.json"))
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    added = {
        str(core.token_to_id(token)): {"content": token, **flags, "special": True}
        for token in family.tokens
    }
    config = {"added_tokens_decoder": added, "model_max_length": 32768, **family.tokenizer}
    write(folder / "tokenizer_config.json", config)
    if not family.pieces:
        content = json.loads(core.to_str())["model"]
        write(folder / "vocab.json", content["vocab"])
        (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")


def byte_level() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return core


def pieces(special: list[str]) -> Tokenizer:
    """Pieces of one printable character, and bytes for the rest; special tokens come first."""
    printable = ["▁", "\n", *map(chr, range(33, 127))]
    known = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *printable]
    core = Tokenizer(
        models.BPE(
            vocab={piece: i for i, piece in enumerate(known)},
            merges=[],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    core.normalizer = normalizers.Replace(" ", "▁")
    core.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    core.decoder = decoders.Sequence(parts)
    return core


def write_weights(family: Family, folder: Path, seed: int) -> None:
    """Write random weights, sharp enough that every token counts, in two shards with an index."""
    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    tied = set(model.all_tied_weights_keys)
    tensors = {
        published_name(family, key): sharp(key, value)
        for key, value in model.state_dict().items()
        if key not in tied
    }
    names = sorted(tensors)
    half = len(names) // 2
    shards = {}
    for number, part in enumerate((names[:half], names[half:]), start=1):
        shard = f"model-{number:05d}-of-00002.safetensors"
        save_file({key: tensors[key] for key in part}, folder / shard, metadata={"format": "pt"})
        shards |= dict.fromkeys(part, shard)
    size = sum(value.numel() * value.element_size() for value in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": shards}
    write(folder / "model.safetensors.index.json", index)


def published_name(family: Family, key: str) -> str:
    """The name of a tensor as published."""
    for pattern, replacement in family.renames.items():
        key, found = re.subn(pattern, replacement, key)
        if found:
            break
    return key


def sharp(key: str, value: torch.Tensor) -> torch.Tensor:
    """A weight, larger than the library draws it."""
    if value.ndim < 2:
        return value.clone()
    if not value.any():  # Gemma's projection of images starts at zero
        value = torch.randn_like(value) * 0.3
    return (value * (20.0 if "embed_tokens" in key else 8.0)).contiguous()
