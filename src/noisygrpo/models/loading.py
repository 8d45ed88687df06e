"""Loading a model and its processor: the built-in one, a hub id, or a folder.

`load_any_processor` is the only place where a processor is made, so that sampling, scoring,
evaluation and a resumed run use the same one; see ``processors``. Code that comes with a model runs
only where the recipe says ``trust_remote_code: true``; weights are read from safetensors only,
because the older format is a pickle, which can run code as well.

A folder with an adapter (what a LoRA run saves) is loaded as its base model with the adapter merged
in: a plain model, for evaluation, for more training and for ``noisygrpo merge``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.utils import is_flash_attn_2_available

from noisygrpo.errors import UserError, require
from noisygrpo.models.adapters import merged
from noisygrpo.models.decoder import require_decoder, tell_kinds
from noisygrpo.models.processor_facts import compare_facts
from noisygrpo.models.processors import PROCESSOR_FILES, load_processor, read_json, say_once
from noisygrpo.models.quantization import quantization_config
from noisygrpo.models.sealed import MANIFEST, damage
from noisygrpo.models.sight import require_sight
from noisygrpo.models.spec import PLAYGROUND, ModelSpec
from noisygrpo.models.versions import remedy
from noisygrpo.models.weights import other_weights, require_weights
from noisygrpo.playground import batch_vision_windows, is_playground, model_path
from noisygrpo.playground import load_processor as load_playground
from noisygrpo.pointers import require_no_pointers
from noisygrpo.reach import hub_problem
from noisygrpo.schema import checked, hints_of

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def location(spec: ModelSpec) -> str:
    """Folder or hub id of the model.

    Raises:
        UserError: for something that looks like a folder and is none, or lacks its files.
    """
    where = _place(spec)
    if Path(where).is_dir():
        require_no_pointers(Path(where))
    return where


def _place(spec: ModelSpec) -> str:
    """``location``, where it was asked for already in this load: no file is opened."""
    if spec.path == PLAYGROUND:
        return str(model_path())
    path = Path(spec.path).expanduser()
    local = path.is_absolute() or spec.path.startswith((".", "~")) or spec.path.count("/") > 1
    require(path.is_dir() or not local, f"model.path: {spec.path!r} is not a folder")
    if path.is_dir():
        require(
            (path / "config.json").is_file() or (path / "adapter_config.json").is_file(),
            f"model.path: the folder {spec.path!r} holds no config.json: it is not a saved model"
            f"{other_weights(path)}",
        )
        return str(path)
    return spec.path


ADAPTER_FILE = "adapter_config.json"
EXPECTED = (OSError, ValueError, ImportError, StrictDataclassError)
MISFITS = (KeyError, TypeError, AttributeError, RuntimeError, SafetensorError)
"""What Transformers raises as well, for configurations and weights that do not fit."""


def adapter_base(spec: ModelSpec, where: str | None = None) -> ModelSpec | None:
    """The model under the adapter in a folder of PEFT's; None where ``spec`` is a whole model.

    ``where``: its ``location``, if that is known.

    Raises:
        UserError: the adapter does not say what it belongs to, or its weights are a pickle.
    """
    folder = Path(where or location(spec))
    if not (folder / ADAPTER_FILE).is_file():
        return None
    config = read_json(str(folder), ADAPTER_FILE)
    require(  # PEFT imports the module that the file names, in early releases whichever it is
        not config.get("megatron_config"),
        f"model.path: {spec.path!r} holds an adapter for Megatron (megatron_config in its "
        f"{ADAPTER_FILE}), which is not supported",
    )
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise UserError(f"model.path: {spec.path!r} holds an adapter that does not name its model")
    require(
        (folder / "adapter_model.safetensors").is_file(),
        f"model.path: {spec.path!r} holds an adapter without adapter_model.safetensors",
    )
    beside = folder / base  # a relative path is meant from here, or else from the adapter
    if not Path(base).is_dir() and beside.is_dir():
        base = str(beside.resolve())
    require(
        Path(base).is_dir() or not (Path(base).is_absolute() or base.startswith(".")),
        f"model.path: the adapter in {spec.path!r} belongs to {base!r}, which is not a folder; "
        f"correct base_model_name_or_path in its {ADAPTER_FILE}",
    )
    return replace(spec, path=base, revision=config.get("revision"))


def load_config(spec: ModelSpec) -> Any:
    """The model's configuration, without its weights; an adapter's is that of its base."""
    where = location(spec)
    base = adapter_base(spec, where)
    return _load(AutoConfig, spec, where) if base is None else load_config(base)


def weights_dtype(spec: ModelSpec, *, train: bool, cpu: bool = False) -> torch.dtype | None:
    """The type that weights are loaded in; None is the one that they are stored in.

    ``auto`` is float32 where all weights are trained: at the learning rates of RL an update is
    smaller than the spacing of bfloat16 numbers, and rounding would undo it. It is float32 on a
    CPU as well (``cpu``: also where there is a GPU, ``use_cpu``), where bfloat16 is slow. Else (a
    frozen base under LoRA, evaluation) it is None.
    """
    if spec.dtype != "auto":
        return DTYPES[spec.dtype]
    all_trained = train and spec.lora is None
    return torch.float32 if all_trained or not has_gpu(cpu) else None


FLASH_OR_SDPA = "flash_or_sdpa"


def attention_of(spec: ModelSpec) -> str | None:
    """What computes the attention of a model that is loaded here; None leaves it to Transformers.

    A line says where flash attention is asked for if it is there, and is not.
    """
    if spec.attn_implementation != FLASH_OR_SDPA:
        return spec.attn_implementation
    if is_flash_attn_2_available():
        return "flash_attention_2"
    say_once("flash attention is not there (package flash_attn, a GPU): attention is by SDPA")
    return "sdpa"


def load_model(spec: ModelSpec, *, train: bool = False, cpu: bool = False) -> Any:
    """The model with its weights, on the CPU, in the type that ``weights_dtype`` says.

    An adapter is merged in; a quantised base (``spec.quantization``) is for training on it alone.
    ``cpu``: it will stay there, whatever the machine has.

    Raises:
        UserError: where there is no such model, or it needs code that the recipe does not trust.
    """
    where = location(spec)
    base = adapter_base(spec, where)
    _compare_manifest(Path(where))
    options: dict[str, Any] = {
        "dtype": weights_dtype(spec, train=train, cpu=cpu) or "auto",
        "use_safetensors": True,
    }
    if (attention := attention_of(spec)) is not None:
        options["attn_implementation"] = attention
    if train and spec.quantization is not None:
        options["quantization_config"] = quantization_config(spec)
        if has_gpu(cpu):  # each process puts its weights on its own GPU at once
            options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    model = _whole(spec, where, options) if base is None else _whole(base, location(base), options)
    if base is not None:
        model = merged(model, where)
    if is_playground(where):
        batch_vision_windows(model)  # small windows: without it, calls cost more than arithmetic
    return model


def _whole(spec: ModelSpec, where: str, options: Mapping[str, Any]) -> Any:
    """The model, every weight of which must be in its files: Transformers draws missing ones."""
    if Path(where).is_dir():
        require_weights(Path(where))
    asked = {**options, "output_loading_info": True}
    model, found = _load(AutoModelForImageTextToText, spec, where, **asked)
    missing = sorted(found["missing_keys"])
    require(
        not missing,
        f"model.path: {spec.path!r} lacks {len(missing)} weights, which would be random: "
        f"{', '.join(missing[:3])}",
    )
    return model


def without_weights(spec: ModelSpec, config: Any, dtype: torch.dtype = torch.float32) -> Any:
    """A model of a configuration on the meta device.

    Raises:
        UserError: the configuration does not fit its class, or that needs a package.
    """

    def make(_: str, *, trust_remote_code: bool, **options: Any) -> Any:
        with torch.device("meta"):
            return AutoModelForImageTextToText.from_config(
                config, dtype=dtype, trust_remote_code=trust_remote_code
            )

    return _named(spec, _place(spec), make)


def _compare_manifest(folder: Path) -> None:
    """Say where a folder is not as a run wrote it; a hand may have changed it on purpose."""
    if (folder / MANIFEST).exists() and (reason := damage(folder, hashes=False)) is not None:
        say_once(f"{folder} is not as it was written: {reason}")


def load_any_processor(spec: ModelSpec) -> Any:
    """The model's processor; an adapter's is that of its base where its folder holds none.

    Where the folder or the run around it tells which processor was used (``processors``), and this
    is another one, a line says so.

    Raises:
        UserError: there is none, it cannot be loaded, or it needs code that is not trusted.
    """
    where = location(spec)
    if is_playground(where):
        processor = _named(spec, where, lambda folder, **_: load_playground(folder))
    else:
        base = adapter_base(spec, where)
        own = any((Path(where) / name).is_file() for name in PROCESSOR_FILES)
        if base is not None and not own:
            return load_any_processor(base)
        processor = _named(spec, where, load_processor)
        config = _load(AutoConfig, spec, where) if base is None else load_config(base)
        require_decoder(spec.path, config)
        tell_kinds(processor, config)
        require_sight(spec.path, config, processor)
    for folder in (Path(where), Path(where).absolute().parent):
        compare_facts(folder, processor)
    return processor


def _load(loader: Any, spec: ModelSpec, where: str, **options: Any) -> Any:
    return _named(spec, where, loader.from_pretrained, **options)


def _named(spec: ModelSpec, where: str, load: Callable[..., Any], **options: Any) -> Any:
    """What ``load`` gives; what a folder or the machine lacks becomes a line that names the model.

    The cause stays attached.
    """
    if not Path(where).is_dir():
        hub_problem()  # what is out of reach is told now, not after a minute
    try:
        return load(
            where,
            revision=spec.revision,
            trust_remote_code=spec.trust_remote_code,
            **options,
        )
    except (UserError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:
        # A file of a tokenizer that cannot be read is a bare Exception.
        if not isinstance(error, (*EXPECTED, *MISFITS)) and type(error) is not Exception:
            raise
        # The first paragraph says what is wrong; what follows are hints for another interface.
        reason = " ".join(str(error).strip().split("\n\n")[0].split())
        if "trust_remote_code" in reason:
            reason = "it needs code of its own; read that, then set model.trust_remote_code: true"
        if not isinstance(error, EXPECTED):
            reason = f"{type(error).__name__}: {reason}"
        raise UserError(f"model.path: {spec.path!r} cannot be loaded: {reason}") from error


def has_gpu(cpu: bool = False) -> bool:
    """Tell whether there is a GPU to work on; there is none where ``use_cpu`` is set (``cpu``)."""
    return not cpu and torch.cuda.is_available()


def default_device(cpu: bool = False) -> str:
    """This process's GPU if there are any (a launcher numbers its processes), else the CPU."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    return f"cuda:{local % torch.cuda.device_count()}" if has_gpu(cpu) else "cpu"


def lora_config(spec: ModelSpec) -> Any | None:
    """``peft.LoraConfig`` of the recipe, or None without one.

    Raises:
        UserError: PEFT is not installed, or an argument that it does not know.
    """
    if spec.lora is None:
        return None
    try:
        from peft import LoraConfig
    except ImportError:
        raise UserError(f"model.lora needs PEFT: {remedy('peft')}") from None
    arguments = checked(spec.lora, hints_of(LoraConfig), "model.lora")
    return LoraConfig(**{"task_type": "CAUSAL_LM", "revision": spec.revision, **arguments})
