"""Waiting is brief unless the user has said otherwise, and settled before torch is loaded."""

import os
import subprocess
import sys

import pytest

from noisygrpo.threads import SETTINGS, SPIN, wait_briefly


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_the_user_said_counts(without_torch, name):
    said = {name: "0"}
    assert not wait_briefly(said) and said == {name: "0"}


def test_brief_before_torch(without_torch):
    said = {}
    assert wait_briefly(said) and said == {"GOMP_SPINCOUNT": SPIN}


def test_not_behind_torch(monkeypatch):
    said = {}
    monkeypatch.setitem(sys.modules, "torch", os)
    assert not wait_briefly(said) and said == {}


def test_the_command_line_settles_it_before_anything_heavy():
    code = (
        "import sys, os, noisygrpo.cli as cli; sys.argv = ['noisygrpo', '--version']\n"
        "assert 'torch' not in sys.modules\n"
        "try: cli.entry_point()\n"
        "except SystemExit: print(os.environ['GOMP_SPINCOUNT'])"
    )
    environment = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.stdout.split()[-1] == SPIN, result.stderr
