"""One thread per test process, no network; a tiny model, data, a recipe, and the command line.

What takes seconds to import is imported where it is needed: most tests need none of it.
"""

import gc
import importlib.metadata
import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
# Numbers are compared to the last digit and tests run in forks, which a GPU allows neither of.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["OMP_NUM_THREADS"] = "1"  # also where a cluster says 8: forks hang after its threads
# Accelerate reads PEFT's from the disk dozens of times a step, which a tiny model's step notices.
importlib.metadata.metadata = cache(importlib.metadata.metadata)


def pytest_collection_finish() -> None:
    """Every training begins with ``gc.collect``, which need not look at what imports have made."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Qwen2.5-VL on disk with the playground's processor, which needs no torchvision."""
    from tiny_files import write_model

    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def adapter(tmp_path: Path, model_folder: str) -> tuple[Path, Any]:
    """A folder with a random adapter of the tiny model, and the logits of both together."""
    pytest.importorskip("peft", reason="LoRA needs the extra 'peft'")
    from tiny_adapter import save_adapter

    return tmp_path / "adapter", save_adapter(tmp_path / "adapter", model_folder)


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    """Six rows of json lines with images beside them; true and false in turn.

    ``test.jsonl`` beside it holds two rows to measure.
    """
    from tiny_files import write_rows

    return write_rows(tmp_path)


@pytest.fixture
def recipe_file(tmp_path: Path, model_folder: str, data_file: Path) -> Callable[..., str]:
    """Writes a recipe that works, with sections changed as asked, and returns its path."""

    from tiny_files import write_recipe

    return partial(write_recipe, tmp_path / "tiny.yaml", model_folder, data_file)


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process; returns (exit status, stdout, stderr)."""
    from noisygrpo.cli import main

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
