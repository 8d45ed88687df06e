"""Writing one folder out of parts: an adapter and its base, or shards; see ``commands.merge``."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import save_torch_state_dict
from transformers import AutoModelForImageTextToText
from transformers.utils import logging

from noisygrpo.errors import UserError, require
from noisygrpo.models.loading import (
    DTYPES,
    adapter_base,
    load_any_processor,
    load_config,
    load_model,
)
from noisygrpo.models.saving import save_everywhere
from noisygrpo.models.sealed import MANIFEST, damage, seal
from noisygrpo.models.shards import Weights, read_shards
from noisygrpo.models.spec import ModelSpec

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


def merge_checkpoint(
    checkpoint: str,
    output_dir: str,
    *,
    base: str = "",
    dtype: Dtype = "auto",
    trust_remote_code: bool = False,
) -> tuple[Path, str]:
    """Make one folder of a model out of an adapter, or of a checkpoint in shards.

    Args:
        checkpoint: folder with ``adapter_config.json``, or with shards of FSDP, DeepSpeed or verl.
        output_dir: a folder that does not exist yet, or is empty.
        base: of shards, where the model's configuration and processor are, if not beside them.
        dtype: type of the weights written; ``auto``: an adapter's is that of its base, shards keep
            their own.
        trust_remote_code: run Python code that comes with the model.

    Returns:
        The folder, whole (it is written under a temporary name and renamed), and what it was.

    Raises:
        UserError: neither of these is there, something is missing in it, or a folder is in use.
    """
    folder = Path(checkpoint)
    require(folder.is_dir(), f"{checkpoint}: there is no such folder")
    if (folder / MANIFEST).is_file() and (problem := damage(folder)) is not None:
        raise UserError(f"{checkpoint}: {problem}; merge a checkpoint that is whole")
    if (folder / "adapter_config.json").is_file():
        require(not base, "--base: an adapter names its base itself")
        where = merge_adapter(
            checkpoint, output_dir, dtype=dtype, trust_remote_code=trust_remote_code
        )
        return where, "adapter"
    _require_free(Path(output_dir))
    spec = ModelSpec(path=base, trust_remote_code=trust_remote_code)
    spec = replace(spec, path=base or str(_described(folder)))
    read = read_shards(folder)
    if read is None:
        raise UserError(
            f"{checkpoint}: holds no adapter_config.json, so no adapter, and no shards of FSDP, "
            "DeepSpeed or verl"
        )
    layout, weights = read
    model = _from_weights(weights, spec, layout)
    if dtype != "auto":
        model = model.to(DTYPES[dtype])
    return _write(model, load_any_processor(spec), Path(output_dir)), layout


def merge_adapter(
    adapter: str,
    output_dir: str,
    *,
    dtype: Dtype = "auto",
    trust_remote_code: bool = False,
) -> Path:
    """Merge the adapter in a folder into its base and write model and processor.

    Arguments, result and errors are those of `merge_checkpoint`.
    """
    spec = ModelSpec(path=adapter, dtype="float32", trust_remote_code=trust_remote_code)
    require(Path(adapter).is_dir(), f"{adapter}: there is no such folder")
    require(adapter_base(spec) is not None, f"{adapter}: holds no adapter_config.json: no adapter")
    _require_free(Path(output_dir))
    stored = load_config(spec).dtype or torch.float32
    model = load_model(spec).to(stored if dtype == "auto" else DTYPES[dtype])
    return _write(model, load_any_processor(spec), Path(output_dir))


def _described(folder: Path) -> Path:
    """Where a checkpoint in shards has the model's configuration."""
    for place in (folder, folder / "huggingface", folder / "actor" / "huggingface"):
        if (place / "config.json").is_file():
            return place
    raise UserError(
        f"{folder}: there is no config.json beside its shards; --base names the model that was "
        "trained, whose configuration and processor are taken"
    )


def _from_weights(weights: Weights, spec: ModelSpec, layout: str) -> Any:
    """The model with these weights, in their type; ``from_pretrained`` knows a family's old names.

    Raises ``UserError`` for weights of another model, or not all of them.
    """
    config = load_config(spec)
    kinds = {value.dtype for value in weights.values() if value.is_floating_point()}
    kind = kinds.pop() if len(kinds) == 1 else torch.float32
    with tempfile.TemporaryDirectory() as place:
        save_torch_state_dict(weights, place)
        config.save_pretrained(place)
        logging.set_verbosity_error()  # its table of missing names comes as one message below
        model, said = AutoModelForImageTextToText.from_pretrained(
            place,
            config=config,
            dtype=kind,
            output_loading_info=True,
            use_safetensors=True,
            trust_remote_code=spec.trust_remote_code,
        )
    for what, key in {"lacks": "missing_keys", "has besides": "unexpected_keys"}.items():
        names = sorted(said[key])
        require(
            not names,
            f"the checkpoint of {layout} {what} {len(names)} weights of {spec.path!r}, such as "
            f"{', '.join(names[:2])}: is it another model?",
        )
    require(not said["mismatched_keys"], f"weights of {spec.path!r} have other shapes")
    if not model._weight_conversions:
        # Shards that had the names of the model in memory: it is written with those of the hub, as
        # a model is that was read from nothing.
        model._weight_conversions = None
    return model


def _require_free(folder: Path) -> None:
    require(
        not folder.exists() or (folder.is_dir() and not any(folder.iterdir())),
        f"--output-dir: {folder} is not empty; choose another folder",
    )


def _write(model: Any, processor: Any, folder: Path) -> Path:
    temporary = folder.with_name(folder.name + ".tmp")
    if temporary.exists():
        shutil.rmtree(temporary)
    try:
        save_everywhere(model, processor, temporary)
        if folder.exists():
            folder.rmdir()
        seal(temporary, folder)
    except BaseException:  # a full disk gets its room back
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder
