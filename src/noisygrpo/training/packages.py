"""Packages that a setting needs and that are no dependency: is each one there?

Only looked for, never imported: that may take seconds, or a minute.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from noisygrpo.errors import require
from noisygrpo.models.versions import remedy

TRACKERS = {
    "azure_ml": ("azureml", "azureml-core"),
    "clearml": ("clearml", "clearml"),
    "codecarbon": ("codecarbon", "codecarbon"),
    "comet_ml": ("comet_ml", "comet-ml"),
    "dagshub": ("dagshub", "dagshub"),
    "dvclive": ("dvclive", "dvclive"),
    "flyte": ("flytekit", "flytekit"),
    "kubeflow": ("kubeflow", "kubeflow"),
    "mlflow": ("mlflow", "mlflow"),
    "neptune": ("neptune", "neptune"),
    "swanlab": ("swanlab", "swanlab"),
    "tensorboard": ("tensorboard", "tensorboard"),
    "trackio": ("trackio", "trackio"),
    "wandb": ("wandb", "wandb"),
}
"""Name in ``report_to`` to the module, and the package that pip knows."""

_BNB = ("bitsandbytes", "bitsandbytes")
OPTIMIZERS = {
    "adamw_bnb_8bit": _BNB,
    "adamw_8bit": _BNB,
    "ademamix": _BNB,
    "ademamix_8bit": _BNB,
    "lion_8bit": _BNB,
    "lion_32bit": _BNB,
    "paged_": _BNB,
    "rmsprop_bnb": _BNB,
    "adamw_torch_4bit": ("torchao", "torchao"),
    "adamw_torch_8bit": ("torchao", "torchao"),
    "adamw_torch_xla": ("torch_xla", "torch-xla"),
    "adamw_torch_npu_fused": ("torch_npu", "torch-npu"),
    "adamw_anyprecision": ("torchdistx", "torchdistx"),
    "galore_": ("galore_torch", "galore-torch"),
    "lomo": ("lomo_optim", "lomo-optim"),
    "adalomo": ("lomo_optim", "lomo-optim"),
    "grokadamw": ("grokadamw", "grokadamw"),
    "schedule_free_": ("schedulefree", "schedulefree"),
    "apollo_": ("apollo_torch", "apollo-torch"),
    "stable_adamw": ("optimi", "torch-optimi"),
}
"""Beginning of a name in ``optim`` to module and package."""

LAYERWISE = ("galore_", "apollo_")
"""Beginnings of optimizers that work on named modules."""


def check_packages(values: Mapping[str, Any]) -> None:
    """See that what the settings need is installed.

    Raises:
        UserError: naming field, value and the command that installs the package.
    """
    reported = values["report_to"]
    for name in [reported] if isinstance(reported, str) else reported or []:
        if name in TRACKERS:
            _need("report_to", name, TRACKERS[name])
    optim = str(values["optim"])
    for start, package in OPTIMIZERS.items():
        if optim.startswith(start):
            _need("optim", optim, package)
    require(
        not optim.startswith(LAYERWISE) or bool(values["optim_target_modules"]),
        f"optim: {optim!r} works on some modules only; name them in optim_target_modules",
    )
    for name, package, command in (
        ("use_liger_kernel", ("liger_kernel", "liger-kernel"), None),
        ("deepspeed", ("deepspeed", "deepspeed"), remedy("deepspeed")),
        ("use_vllm", ("vllm", "vllm"), remedy("vllm")),
    ):
        if values[name]:
            _need(name, values[name], package, command)


def _need(field: str, value: Any, package: tuple[str, str], command: str | None = None) -> None:
    module, name = package
    try:
        found = importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a broken installation is none
        found = False
    require(
        found, f"{field}: {value!r} needs the package {name}: {command or f'pip install {name}'}"
    )
