"""Qwen2.5-VL's stock folder, and a copy of it for a test that changes something."""

import shutil

import pytest

from families.tiny_vlm import tiny_folder


@pytest.fixture
def stock():
    return tiny_folder("Qwen2.5-VL")


@pytest.fixture
def folder(stock, tmp_path):
    return shutil.copytree(stock, tmp_path / "model")
