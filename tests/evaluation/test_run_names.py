"""What runs are called."""

from pathlib import Path

import pytest

from noisygrpo.errors import UserError
from noisygrpo.evaluation.compare import group_by_method
from noisygrpo.evaluation.run_names import SEED, labelled, shortest_names


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("rollouts8", "rollouts8"), ("views2", "views2"), ("levels4", "levels4"),
        ("steps100", "steps100"), ("epochs1", "epochs1"), ("s1", "s1"),
        ("x-s1", "x"), ("x_s1", "x"), ("x.s1", "x"),
        ("x-seed1", "x"), ("x_seed_1", "x"), ("seed1", ""), ("x-seed-12", "x"),
        ("gaussianseed1", "gaussianseed1"),
    ],
)  # fmt: skip
def test_what_a_name_has_of_a_seed(name, left):
    assert SEED.sub("", name) == left


def grouped(tmp_path, *names, prefix=""):
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    found = group_by_method([f"{prefix}{tmp_path / name}" for name in names])
    return {label: len(folders) for label, folders in found.items()}


@pytest.mark.parametrize(
    ("names", "methods"),
    [
        (("rollouts8", "rollouts16"), {"rollouts8": 1, "rollouts16": 1}),
        (("x/ckpt", "y/ckpt"), {"x/ckpt": 1, "y/ckpt": 1}),
        (("x/a/ckpt", "y/a/ckpt", "z"), {"x/a/ckpt": 1, "y/a/ckpt": 1, "z": 1}),
        (("g/seed0", "g/seed1", "n/seed0"), {"g": 2, "n": 1}),
        (("x/g-seed0", "y/g-seed1", "n"), {"g": 2, "n": 1}),
        (("x/g-s0", "x/g-s1", "y/g-s0"), {"x/g": 2, "y/g": 1}),
    ],
)
def test_folders_by_method(tmp_path, names, methods):
    assert grouped(tmp_path, *names) == methods


def test_a_label_is_not_taken_for_another_folder(tmp_path):
    for name in ("x/a", "y"):
        (tmp_path / name).mkdir(parents=True)
    found = group_by_method([f"a={tmp_path / 'y'}", tmp_path / "x/a"])
    assert [*found] == ["a", "x/a"]


def test_one_folder_twice_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    for words in (["a", "a/"], ["one=a", f"two={tmp_path / 'a'}"]):
        with pytest.raises(UserError, match="given twice"):
            group_by_method(words)


def test_folders_with_an_equals_sign(tmp_path, monkeypatch):
    for name in ("lr=1e-5", "lr=1e-6"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert [*group_by_method(["lr=1e-5", "lr=1e-6"])] == ["lr=1e-5", "lr=1e-6"]
    assert labelled("small=lr=1e-6") == ("small", Path("lr=1e-6"))
    assert labelled("lr=gone") == ("lr", Path("gone"))


def test_shortest_names():
    paths = [Path("/r/x/c"), Path("/r/y/c"), Path("/r/y/d"), Path("/")]
    assert shortest_names(paths) == ["x/c", "y/c", "d", "/"]
    assert shortest_names([Path("/r/c")], ["c"]) == ["r/c"]
