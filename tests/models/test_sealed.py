"""A sealed folder is whole or not there, and damage is found and named."""

import json

import pytest

from noisygrpo.models.sealed import MANIFEST, damage, seal


def write(folder, **files):
    for name, data in {"weights.bin": b"w" * 5000, "sub/state.json": b"{}", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def sealed(tmp_path):
    seal(write(tmp_path / ".saving" / "new"), tmp_path / "checkpoint-3")
    return tmp_path / "checkpoint-3"


def test_a_sealed_folder_is_whole(sealed):
    assert damage(sealed) is None
    files = json.loads((sealed / MANIFEST).read_text())["files"]
    assert {name: entry["bytes"] for name, entry in files.items()} == {
        "weights.bin": 5000,
        "sub/state.json": 2,
    }
    assert not list(sealed.parent.glob(".saving/*"))


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "a missing file": (lambda f: (f / "weights.bin").unlink(), "weights.bin is missing"),
    "a cut file": (lambda f: (f / "weights.bin").write_bytes(b"w" * 4999), "4999 bytes, not 5000"),
    "a longer file": (lambda f: (f / "weights.bin").write_bytes(b"w" * 5001), "5001 bytes"),
    "a flipped bit": (lambda f: flip(f / "weights.bin"), "weights.bin is not as it was written"),
    "zeroed weights": (lambda f: (f / "weights.bin").write_bytes(bytes(5000)), "not as it was"),
    "changed state": (lambda f: (f / "sub/state.json").write_bytes(b"[]"), "state.json is not as"),
    "no manifest": (lambda f: (f / MANIFEST).unlink(), "was not written to its end"),
    "an empty manifest": (lambda f: (f / MANIFEST).write_text(""), "cannot be read"),
    "garbage": (lambda f: (f / MANIFEST).write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    "another form": (lambda f: (f / MANIFEST).write_text('{"files": [1]}'), "cannot be read"),
    "no sizes": (lambda f: (f / MANIFEST).write_text('{"files": {"a": {}}}'), "cannot be read"),
    "null": (lambda f: (f / MANIFEST).write_text("null"), "cannot be read"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_damage_is_named(sealed, case):
    harm, words = DAMAGES[case]
    harm(sealed)
    assert words in damage(sealed)


def test_a_manifest_that_is_a_folder_is_named(sealed):
    (sealed / MANIFEST).unlink()
    (sealed / MANIFEST).mkdir()
    assert "cannot be read" in damage(sealed)


@pytest.mark.parametrize("target", ["checkpoint-3", "nowhere", "other"])
def test_a_link_of_the_name_is_replaced_and_what_it_leads_to_stays(tmp_path, target):
    (tmp_path / "other").mkdir()
    (tmp_path / "checkpoint-3").symlink_to(tmp_path / target)
    seal(write(tmp_path / ".saving" / "new"), tmp_path / "checkpoint-3")
    assert (
        damage(tmp_path / "checkpoint-3") is None and not (tmp_path / "checkpoint-3").is_symlink()
    )
    assert (tmp_path / "other").is_dir()


def test_sizes_alone_are_quick_and_miss_a_bit(sealed):
    flip(sealed / "weights.bin")
    assert damage(sealed, hashes=False) is None
    (sealed / "weights.bin").unlink()
    assert damage(sealed, hashes=False) == "weights.bin is missing"


def test_another_file_beside_is_no_damage(sealed):
    (sealed / "notes.txt").write_text("mine")
    assert damage(sealed) is None


def test_a_folder_of_the_name_is_replaced(sealed, tmp_path):
    seal(write(tmp_path / "again", **{"weights.bin": b"x"}), sealed)
    assert damage(sealed) is None and (sealed / "weights.bin").read_bytes() == b"x"
    assert [path.name for path in tmp_path.glob("checkpoint-3*")] == ["checkpoint-3"]
