"""A torchvision that is installed and does not import is named, in place of a traceback."""

import subprocess
import sys

import pytest

from noisygrpo.models import torchvision

PACKAGE = "raise RuntimeError('operator torchvision::nms does not exist')\n"


@pytest.fixture
def broken(tmp_path):
    """A folder with a torchvision like the one that is built for another torch."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(PACKAGE)
    info = tmp_path / "torchvision-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 9.9\n")
    return tmp_path


def test_the_problem_is_named(broken, monkeypatch):
    monkeypatch.syspath_prepend(str(broken))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    said = torchvision.torchvision_problem()
    assert said.startswith("torchvision 9.9 is installed and does not import beside torch 2.")
    assert "(operator torchvision::nms does not exist)" in said
    assert said.endswith("pip uninstall torchvision") and "\n" not in said


def test_none_is_no_problem(monkeypatch):
    monkeypatch.setattr(torchvision.importlib.util, "find_spec", lambda name: None)
    assert not torchvision.has_torchvision()
    assert torchvision.torchvision_problem() is None


COMMANDS = [["check", "playground", "--no-rollout"], ["train", "playground"]]


def test_the_command_line_says_it_in_one_line(broken, tmp_path):
    """In a process of its own, for the import fails only where nothing has come before it."""
    script = (
        f"import sys; sys.path.insert(0, {str(broken)!r}); from noisygrpo.cli import main\n"
        f"for words in {COMMANDS!r}: print(main(words), flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["2", "2"], done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(COMMANDS)
    for line in lines:
        assert line.startswith("error: torchvision 9.9 is installed and does not import")
