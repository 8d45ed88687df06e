"""What ``import noisygrpo`` offers, and that the names cost nothing until they are asked for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import noisygrpo


@pytest.mark.parametrize("name", noisygrpo.__all__)
def test_every_name_is_there(name):
    value = getattr(noisygrpo, name)
    assert name in dir(noisygrpo)
    assert name == "__version__" or value.__module__.startswith("noisygrpo.")


def test_other_names_are_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'trainer'"):
        noisygrpo.trainer  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, noisygrpo; print({'torch', 'trl', 'transformers'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


def test_type_checkers_are_told_where_every_name_is_from():
    source = ast.parse(Path(noisygrpo.__file__).read_text(encoding="utf-8"))
    told = {
        alias.asname: one.module.removeprefix("noisygrpo.")
        for one in ast.walk(source)
        if isinstance(one, ast.ImportFrom) and one.module.startswith("noisygrpo.")
        for alias in one.names
    }
    assert told == noisygrpo._HOMES
