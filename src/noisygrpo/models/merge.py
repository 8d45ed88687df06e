"""Writing a model with its adapter merged in; how is told in ``commands.merge``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import torch

from noisygrpo.errors import require
from noisygrpo.models.loading import (
    DTYPES,
    adapter_base,
    load_any_processor,
    load_config,
    load_model,
)
from noisygrpo.models.saving import save_everywhere
from noisygrpo.models.sealed import seal
from noisygrpo.models.spec import ModelSpec


def merge_adapter(
    adapter: str,
    output_dir: str,
    *,
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    trust_remote_code: bool = False,
) -> Path:
    """Merge the adapter in a folder into its base and write model and processor.

    Args:
        adapter: folder with ``adapter_config.json`` and ``adapter_model.safetensors``.
        output_dir: a folder that does not exist yet, or is empty.
        dtype: type of the weights written; ``auto`` is the one that the base is stored in.
        trust_remote_code: run Python code that comes with the base.

    Returns:
        The folder, whole: it is written under a temporary name and renamed.

    Raises:
        UserError: no adapter there, a base that cannot be loaded, or a folder in use.
    """
    spec = ModelSpec(path=adapter, dtype="float32", trust_remote_code=trust_remote_code)
    folder = Path(output_dir)
    require(Path(adapter).is_dir(), f"{adapter}: there is no such folder")
    require(adapter_base(spec) is not None, f"{adapter}: holds no adapter_config.json: no adapter")
    require(
        not folder.exists() or (folder.is_dir() and not any(folder.iterdir())),
        f"--output-dir: {folder} is not empty; choose another folder",
    )
    stored = load_config(spec).dtype or torch.float32
    model = load_model(spec).to(stored if dtype == "auto" else DTYPES[dtype])
    temporary = folder.with_name(folder.name + ".tmp")
    if temporary.exists():
        shutil.rmtree(temporary)
    save_everywhere(model, load_any_processor(spec), temporary)
    if folder.exists():
        folder.rmdir()
    seal(temporary, folder)
    return folder
