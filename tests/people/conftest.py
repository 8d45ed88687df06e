"""The scripts of `benchmarks/people`, importable as they import each other."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "people"


def _script(name: str) -> ModuleType:
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="session")
def scenes() -> ModuleType:
    return _script("scenes")


@pytest.fixture(scope="session")
def statements() -> ModuleType:
    return _script("statements")


@pytest.fixture(scope="session")
def understanding() -> ModuleType:
    return _script("understanding")


@pytest.fixture(scope="session")
def forcing() -> ModuleType:
    return _script("forcing")


@pytest.fixture(scope="session")
def diagnose() -> ModuleType:
    return _script("diagnose")
