"""The weights of a checkpoint that several processes wrote in shards, brought together.

Three layouts are known::

    FSDP2      pytorch_model_fsdp_0/.metadata, *.distcp       torch's distributed checkpoint
    DeepSpeed  latest, global_step*/*_states.pt               ZeRO-1, -2 and -3
    verl       model_world_size_N_rank_R.pt                   EasyR1's and NoisyRollout's too

They are read by torch's and DeepSpeed's own code. All three hold pickles, which could run code;
so torch is told to read data alone (``weights_only``), with the few classes that DeepSpeed keeps
beside its tensors, and the one file that torch itself unpickles is looked through first.
"""

from __future__ import annotations

import logging
import os
import pickletools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from noisygrpo.errors import UserError, require
from noisygrpo.models.versions import remedy

FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""Environment variable by which torch reads data alone, whatever its caller asks for."""

_RANK_FILE = re.compile(r"model_world_size_(\d+)_rank_(\d+)\.pt")
_DEEPSPEED_CLASSES = (
    "deepspeed.utils.tensor_fragment.fragment_address",
    "deepspeed.runtime.zero.config.ZeroStageEnum",
    "deepspeed.runtime.fp16.loss_scaler.LossScaler",
    "deepspeed.runtime.fp16.loss_scaler.DynamicLossScaler",
    "deepspeed.utils.tensor_fragment.get_full_hp_param",
)
"""Plain records in DeepSpeed's files; those that a version lacks are left out."""

Weights = dict[str, Tensor]


def read_shards(folder: Path) -> tuple[str, Weights] | None:
    """(layout, every weight by its name) of a checkpoint in shards, on the CPU; None for another.

    Raises ``UserError`` for shards that are missing or hold more than data.
    """
    for name, found, read in LAYOUTS:
        place = found(folder)
        if place is None:
            continue
        try:
            with _data_alone():
                return name, _plain(read(place))
        except UserError:
            raise
        except (Exception, CheckpointException) as error:  # whatever a damaged file leads to
            reason = " ".join(str(_first(error)).split())[:300]
            raise UserError(f"{folder}: the shards of {name} cannot be read: {reason}") from error
    return None


def _first(error: BaseException) -> BaseException:
    """Of what several readers of a distributed checkpoint met, the first."""
    if isinstance(error, CheckpointException) and error.failures:
        return error.failures[min(error.failures)][0]
    return error


def _fsdp_place(folder: Path) -> Path | None:
    places = (folder, *sorted(folder.glob("pytorch_model_fsdp_*")))
    return next((place for place in places if (place / ".metadata").is_file()), None)


def _read_fsdp(place: Path) -> Weights:
    """Torch's distributed checkpoint, as ``accelerate merge-weights`` reads it."""
    from torch.distributed.checkpoint import FileSystemReader
    from torch.distributed.checkpoint.default_planner import _EmptyStateDictLoadPlanner
    from torch.distributed.checkpoint.state_dict_loader import _load_state_dict

    check_index((place / ".metadata").read_bytes())
    state: dict[str, Any] = {}
    _load_state_dict(
        state,
        storage_reader=FileSystemReader(place),
        planner=_EmptyStateDictLoadPlanner(),
        no_dist=True,
    )
    return dict(state["model"] if set(state) == {"model"} else state)


_INDEX = {
    "torch.distributed.checkpoint.metadata": None,
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "collections": {"OrderedDict"},
    "pathlib": {"PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath"},
}
"""Modules, and what of them (None: everything), that the index of a checkpoint consists of."""
_GET, _KEEP, _TEXT = ("BINGET", "LONG_BINGET"), ("MEMOIZE",), ("SHORT_BINUNICODE", "BINUNICODE")
_NEVER = ("INST", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "PUT", "BINPUT", "LONG_BINPUT")


def check_index(data: bytes) -> None:
    """See, without reading it, that a pickle makes nothing but what an index consists of.

    It names a class by two texts that stand right before the name is looked up; where it does not,
    it is not of torch's making. Raises ``ValueError``.
    """
    memo: list[str | None] = []
    last: list[str | None] = []  # what was put on the stack, as far as it is text
    for operation, value, _ in pickletools.genops(data):
        name = operation.name
        if name in _NEVER:
            raise ValueError(f".metadata has {name}, which belongs to no index")
        if name in _TEXT:
            last.append(value)
        elif name in _GET:
            last.append(memo[int(str(value))])
        elif name in _KEEP:
            memo.append(last[-1] if last else None)
        elif name == "GLOBAL":
            _check_class(*str(value).split(" ", 1))
            last = [None]
        elif name == "STACK_GLOBAL":
            _check_class(*last[-2:]) if len(last) > 1 else _check_class(None, None)
            last = [None]
        elif name != "FRAME":
            last = [None]


def _check_class(module: str | None, name: str | None) -> None:
    if module in _INDEX and (_INDEX[module] is None or name in (_INDEX[module] or ())):
        return
    is_type = isinstance(getattr(torch, str(name), None), torch.dtype)
    if module == "torch" and (name == "Size" or is_type):
        return
    raise ValueError(f".metadata wants {module}.{name}, which belongs to no index")


def _zero_place(folder: Path) -> Path | None:
    return folder if (folder / "latest").is_file() and any(folder.glob("*/*_states.pt")) else None


def _read_zero(place: Path) -> Weights:
    """The float32 weights of ZeRO, by DeepSpeed's own converter."""
    try:
        from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
    except ImportError as error:
        raise UserError(f"{place}: DeepSpeed's shards need it: {remedy('deepspeed')}") from error
    with torch.serialization.safe_globals(_deepspeed_classes()):
        return dict(get_fp32_state_dict_from_zero_checkpoint(str(place)))


def _deepspeed_classes() -> list[Any]:
    from importlib import import_module

    found = []
    for dotted in _DEEPSPEED_CLASSES:
        module, _, name = dotted.rpartition(".")
        value = getattr(import_module(module), name, None)
        found += [] if value is None else [value]
    return found


def _verl_place(folder: Path) -> Path | None:
    places = (folder, folder / "actor")
    return next((p for p in places if any(p.glob("model_world_size_*_rank_0.pt"))), None)


def _read_verl(place: Path) -> Weights:
    """Local parts of DTensors, one file for each process, put together along their dimension."""
    files = {
        int(match.group(2)): (path, int(match.group(1)))
        for path in place.iterdir()
        if (match := _RANK_FILE.fullmatch(path.name))
    }
    count = files[0][1]
    missing = sorted(set(range(count)) - set(files))
    require(not missing, f"{place}: of {count} files those of the ranks {missing} are missing")
    shards = [
        torch.load(files[rank][0], map_location="cpu", weights_only=True) for rank in range(count)
    ]
    return {name: _joined(name, [shard[name] for shard in shards]) for name in shards[0]}


def _joined(name: str, pieces: list[Any]) -> Tensor:
    first = pieces[0]
    if not hasattr(first, "placements"):
        return first
    require(
        len(first.placements) == 1,
        f"{name}: shards over {len(first.placements)} dimensions of processes are not supported",
    )
    (placement,) = first.placements
    if placement.is_replicate():
        return first.to_local()
    require(placement.is_shard(), f"{name}: {placement} is neither a shard nor a copy")
    local = [piece.to_local() for piece in pieces]
    whole = torch.cat(local, dim=placement.dim)
    return whole.narrow(placement.dim, 0, first.shape[placement.dim]).contiguous()


LAYOUTS: tuple[tuple[str, Callable[[Path], Path | None], Callable[[Path], Weights]], ...] = (
    ("FSDP", _fsdp_place, _read_fsdp),
    ("DeepSpeed", _zero_place, _read_zero),
    ("verl", _verl_place, _read_verl),
)


def _plain(weights: Weights) -> Weights:
    """Names without what wrappers put in front, values that are tensors."""
    found = {
        re.sub(r"^(module\.)+|_fsdp_wrapped_module\.|_checkpoint_wrapped_module\.", "", name): value
        for name, value in weights.items()
        if isinstance(value, Tensor)
    }
    adapters = [name for name in found if "lora_" in name]
    require(
        not adapters,
        f"the shards hold an adapter ({', '.join(adapters[:1])}): merge the run's checkpoint/ "
        "instead, which has it whole",
    )
    # DeepSpeed's are windows into one long vector, which safetensors would not write.
    return {name: _own(value) for name, value in found.items()}


def _own(value: Tensor) -> Tensor:
    value = value.detach().contiguous()
    return value if value.untyped_storage().nbytes() == value.nbytes else value.clone()


@contextmanager
def _data_alone() -> Iterator[None]:
    before = os.environ.get(FORCE)
    os.environ[FORCE] = "1"
    # It warns of each part of a tensor that it is read outside of its group of processes.
    meshes = logging.getLogger("torch.distributed.device_mesh")
    level = meshes.level
    meshes.setLevel(logging.ERROR)
    try:
        yield
    finally:
        meshes.setLevel(level)
        if before is None:
            del os.environ[FORCE]
        else:
            os.environ[FORCE] = before
