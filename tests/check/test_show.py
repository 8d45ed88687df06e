"""What the rollouts of one's own rows would see, looked at before a run."""

import gzip
import json
import re
from base64 import b64decode

from noisygrpo.report.pictures import encode

PART = re.compile(r'data-part="([^"]+)" data-kind="(.)">(.*?)</script>', re.DOTALL)


def parts_of(path):
    """Part name to its value."""
    found = {}
    for name, kind, text in PART.findall(path.read_text(encoding="utf-8")):
        found[name] = json.loads(gzip.decompress(b64decode(text)) if kind == "z" else text)
    return found


def test_a_batch_as_it_would_be_sampled_and_scored(recipe_file, run_cli, tmp_path):
    recipe = recipe_file(training={"noise_kind": "rotation", "noise_levels": [0.0, 0.5]})
    words = ("--no-step", "--no-rollout", "--rows", "2", "--show", tmp_path / "look")
    status, out, error = run_cli("check", recipe, *words)
    assert status == 0, error
    assert f"what each rollout sees: {tmp_path / 'look' / 'index.html'}" in out
    parts = parts_of(tmp_path / "look" / "index.html")
    columns, run = parts["columns/0"], parts["index"]["runs"][0]
    assert parts["index"]["look"] and run["rollouts"]["count"] == 8
    assert columns["level"] == [0.0, 0.5] * 4 and columns["step"] == [1] * 8
    clean, turned = columns["cost"][0], columns["cost"][1]
    assert clean == run["scored"][0]
    assert turned[0] > clean[0] and turned[1] - clean[1] == turned[0] - clean[0]
    views, pictures = parts["views/0/0"], parts["clean/0/0"]
    assert set(views) == {"1", "3"}  # the others saw the clean picture
    assert views["1"] != views["3"] and pictures["0"] not in (views["1"], views["3"])
    assert parts["answers/0"] == ["true", "false"]


def test_noise_that_fades_is_shown_at_three_steps(recipe_file, run_cli, tmp_path):
    recipe = recipe_file(method="noisyrollout", training={"max_steps": 9})
    words = ("--no-step", "--no-rollout", "--rows", "1", "--show", tmp_path)
    assert run_cli("check", recipe, *words)[0] == 0
    columns = parts_of(tmp_path / "index.html")["columns/0"]
    assert sorted(set(columns["step"])) == [1, 5, 9]
    noisy = [columns["level"][place] for place in (3, 7, 11)]
    assert noisy[0] > noisy[1] > noisy[2]
    assert columns["level"][0] == 0.0


def test_show_needs_rows(recipe_file, run_cli, tmp_path):
    status, _, error = run_cli("check", recipe_file(), "--plan", "--show", tmp_path / "x")
    assert status == 2 and "--show" in error and not (tmp_path / "x").exists()


def test_a_picture_keeps_its_size_unless_it_is_too_large():
    from PIL import Image

    image = Image.new("RGB", (900, 300), "red")
    source, width, height = encode(image, 448)
    assert (width, height) == (900, 300) and source.startswith("data:image/webp;base64,")
    assert encode(image, None)[0] != source
    assert encode(Image.new("RGBA", (4, 4)), 448)[1:] == [4, 4]
    assert encode(image, 448)[0] == source


def test_the_second_view_stands_beside_the_scored_one(recipe_file, run_cli, tmp_path):
    changes = {"second_view": "black_patches", "second_level": 0.5, "second_loss": -0.02}
    changes["second_gradient"] = "clean"
    recipe = recipe_file(training={**changes, "noise_levels": [0.0, 0.5]})
    words = ("--no-step", "--no-rollout", "--rows", "2", "--show", tmp_path)
    status, _, error = run_cli("check", recipe, *words)
    assert status == 0, error
    parts = parts_of(tmp_path / "index.html")
    assert parts["index"]["runs"][0]["second"] == "black_patches, level 0.5"
    assert parts["index"]["runs"][0]["score_view"] == "clean"
    assert parts["second/0/0"] != parts["second/0/1"]
    assert parts["second/0/0"][0][1:] == parts["clean/0/0"]["0"][0][1:]  # of the same size
