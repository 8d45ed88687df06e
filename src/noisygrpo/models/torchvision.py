"""Whether torchvision is there, and what to do where it is there and does not import.

Transformers needs it for videos, and draws images with it where it is installed; see
``models.processors``. It is found by name only: the import costs a second, and one that was built
for another torch fails in it, with an error that names an operator and not the package.
"""

from __future__ import annotations

import importlib
import importlib.util
from importlib import metadata


def has_torchvision() -> bool:
    """Whether torchvision is installed; Transformers decides by the same question."""
    return importlib.util.find_spec("torchvision") is not None


def torchvision_problem() -> str | None:
    """One line on a torchvision that is installed and does not import; None where all is well."""
    if not has_torchvision():
        return None
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # built for another torch: RuntimeError, OSError, ImportError, …
        reason = " ".join(str(error).split()) or type(error).__name__
        return (
            f"torchvision {_version('torchvision')} is installed and does not import beside torch "
            f"{_version('torch')} ({reason}): install the one built for this torch, or none: "
            "pip uninstall torchvision"
        )
    return None


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "of unknown version"
