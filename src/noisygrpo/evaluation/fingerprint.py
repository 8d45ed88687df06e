"""Which weights were evaluated: a hash of a saved model that costs a moment, not a read of it all.

A result belongs to the weights, not to the path they lie at: training writes other weights into the
same folder again. The fingerprint of a folder is a hash (BLAKE2b, 128 bits) over

    every file of weights (``*.safetensors``)   its name, size, header (names, types and shapes of
                                                the tensors), and its bytes: all of them up to
                                                ``WHOLE``, beyond that ``WINDOWS`` windows of
                                                ``WINDOW`` bytes at equal distances, 4 MiB in all
    the files that decide what they are shown   configuration, tokenizer, chat template, processor

Two checkpoints of one training run differ nearly everywhere in float32. Where few weights changed
(bfloat16 with a small learning rate) a file above ``WHOLE`` has two million sampled values; a
change of one weight in 100,000 is still seen, an edit of a single tensor may not be. Modification
times are left out: a copied checkpoint is the same model.

A hub id is identified by its commit. Of an adapter, a base model in a folder counts as well.
"""

import hashlib
import json
from pathlib import Path
from typing import BinaryIO

from transformers.utils.hub import cached_file, extract_commit_hash

from noisygrpo.errors import UserError, require
from noisygrpo.reach import hub_problem

WHOLE = 64 * 2**20
WINDOWS = 256
WINDOW = 16 * 2**10
_PIECE = 2**20
_BESIDE = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.json",
    "chat_template.jinja",
    "preprocessor_config.json",
    "processor_config.json",
)


def model_fingerprint(where: str, revision: str | None = None) -> str:
    """The fingerprint of a folder's model (32 hex digits), or ``commit <hash>`` of a hub id.

    Raises ``UserError`` for a hub id that is neither in the cache nor reachable.
    """
    folder = Path(where)
    if folder.is_dir():
        return folder_fingerprint(folder)
    problem = hub_problem()
    try:
        config = cached_file(where, "config.json", revision=revision)
    except OSError as error:
        reason = " ".join(str(error).strip().split("\n\n")[0].split())
        note = f" ({problem})" if problem else ""
        raise UserError(f"model: {where!r} cannot be loaded: {reason}{note}") from error
    return f"commit {extract_commit_hash(config, None)}"


def folder_fingerprint(folder: Path) -> str:
    """The hash of the module docstring; reads at most 64 MiB of every file."""
    digest = hashlib.blake2b(digest_size=16)
    beside = [folder / name for name in _BESIDE if (folder / name).is_file()]
    for path in (*sorted(folder.glob("*.safetensors")), *beside):
        require(path.is_file(), f"model: {str(path)!r} is no file (a link to nowhere?)")
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            _update(digest, file, size)
    base = _base_model(folder)
    if base is not None:
        digest.update(folder_fingerprint(base).encode())
    return digest.hexdigest()


def _base_model(folder: Path) -> Path | None:
    """The folder of the model that an adapter in ``folder`` belongs to."""
    path = folder / "adapter_config.json"
    if not path.is_file() or (folder / "config.json").is_file():
        return None
    base = json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path")
    return Path(base) if isinstance(base, str) and Path(base).is_dir() else None


def _update(digest: hashlib.blake2b, file: BinaryIO, size: int) -> None:
    if size <= WHOLE:
        while piece := file.read(_PIECE):
            digest.update(piece)
        return
    # A safetensors file begins with the length of its header, 8 bytes, little endian.
    header = file.read(8)
    digest.update(header + file.read(min(int.from_bytes(header, "little"), WHOLE)))
    for index in range(WINDOWS):
        file.seek((size - WINDOW) * index // (WINDOWS - 1))
        digest.update(file.read(WINDOW))
