"""The copies of a user's files: whole, and of what runs."""

import os

import pytest

from noisygrpo.errors import UserError
from noisygrpo.user_code import copies, keep_files, load_user_function

TEXT = "def mine(completions):\n    return [1.0] * len(completions)\n"


@pytest.fixture
def names(tmp_path):
    (tmp_path / "mine.py").write_text(TEXT)
    return {"rewards[0]": f"{tmp_path / 'mine.py'}:mine"}


@pytest.mark.parametrize("left", ["", TEXT[:9], "def other(): ...\n"])
def test_what_a_kill_left_half_copied_is_written_again(names, tmp_path, left):
    (copy,) = copies(names).values()
    (tmp_path / "run" / "functions").mkdir(parents=True)
    (tmp_path / "run" / copy).write_text(left)
    keep_files(names, tmp_path / "run")
    assert (tmp_path / "run" / copy).read_text() == TEXT
    assert [path.name for path in (tmp_path / "run" / "functions").iterdir()] == [copy[10:]]


def test_a_copy_has_its_name_once_it_is_whole(names, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keep_files(names, tmp_path / "run")
    assert [*(tmp_path / "run" / "functions").iterdir()] == []


def test_a_folder_of_the_copys_name_is_replaced(names, tmp_path):
    (copy,) = copies(names).values()
    (tmp_path / "run" / copy).mkdir(parents=True)
    keep_files(names, tmp_path / "run")
    assert (tmp_path / "run" / copy).read_text() == TEXT


def test_what_was_loaded_is_kept_though_the_file_is_another_by_now_or_gone(names, tmp_path):
    load_user_function(names["rewards[0]"])
    before = copies(names)
    for change in (lambda path: path.write_text("x = 1\n"), lambda path: path.unlink()):
        change(tmp_path / "mine.py")
        assert copies(names) == before
        keep_files(names, tmp_path / "run")
    (copy,) = before.values()
    assert (tmp_path / "run" / copy).read_text() == TEXT
    assert len([*(tmp_path / "run" / "functions").iterdir()]) == 1


def test_what_is_loaded_anew_is_another(names, tmp_path):
    load_user_function(names["rewards[0]"])
    before = copies(names)
    (tmp_path / "mine.py").write_text(TEXT + "\n")
    load_user_function(names["rewards[0]"])
    assert copies(names) != before


def test_a_file_that_never_was_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"rewards\[1\]: file .*none\.py"):
        copies({"rewards[1]": f"{tmp_path / 'none.py'}:mine"})
