"""What can happen to a file or a folder: ways to damage one, some by drawn numbers."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from noisygrpo.models.sealed import MANIFEST, seal

Harm = Callable[[Path, random.Random], None]


def remove(path: Path, draw: random.Random) -> None:
    path.unlink()


def empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def cut(path: Path, draw: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data))])


def zero(path: Path, draw: random.Random) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flip(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def garbage(path: Path, draw: random.Random) -> None:
    path.write_bytes(b'{"global_step": [\xff\xfe\x00')


def folder_instead(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def link_to_nowhere(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def link_to_itself(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.symlink_to(path)


ANY: dict[str, Harm] = {
    "removed": remove, "empty": empty, "cut short": cut, "zeroed": zero, "a bit flipped": flip,
}  # fmt: skip
"""For every file."""
TEXT: dict[str, Harm] = {"garbage": garbage, "a folder": folder_instead}
LINKS: dict[str, Harm] = {"a link to nowhere": link_to_nowhere, "a link to itself": link_to_itself}


def resealed(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """A change by a hand that also writes a manifest that fits."""

    def harm(folder: Path) -> None:
        change(folder)
        (folder / MANIFEST).unlink(missing_ok=True)
        written = folder.with_name("written")
        folder.rename(written)
        seal(written, folder)

    return harm


def unsealed(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """A change in a checkpoint that has lost its manifest."""

    def harm(folder: Path) -> None:
        change(folder)
        (folder / MANIFEST).unlink()

    return harm


def set_state(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "trainer_state.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def rename_tensor(folder: Path) -> None:
    """Flip one letter of a tensor's name in the header of the weights."""
    path = next(folder.glob("*.safetensors"))
    data = path.read_bytes()
    name = b"embed_tokens.weight" if b"embed_tokens" in data else b"lora_A.weight"
    path.write_bytes(data.replace(name, name.replace(b"weight", b"weighu"), 1))


def spoil_weights(folder: Path) -> None:
    """Weights that are not numbers."""
    import torch
    from safetensors.torch import load_file, save_file

    path = next(folder.glob("*.safetensors"))
    tensors = load_file(path)
    name = min(tensors)
    tensors[name] = torch.full_like(tensors[name], torch.nan)
    save_file(tensors, path, metadata={"format": "pt"})


def without(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def of_another_step(folder: Path) -> None:
    """The newest has what an older one holds, under its own name."""
    older = folder.with_name("checkpoint-2")
    shutil.rmtree(folder)
    shutil.copytree(older, folder)
