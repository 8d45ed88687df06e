from pathlib import Path

import datasets
import pytest
from tests.data.files import png


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory, monkeypatch):
    """Files that tests read leave nothing in the user's own cache."""
    cache = tmp_path_factory.mktemp("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with images/0.png, 1.png and 2.png, each of its own grey value."""
    (tmp_path / "images").mkdir()
    for value in range(3):
        (tmp_path / "images" / f"{value}.png").write_bytes(png(value))
    return tmp_path
