"""GeoQA's images."""

import json

import pytest

from noisygrpo.evaluation.benchmarks import LoadOptions, get_benchmark, load_table
from noisygrpo.evaluation.rows import Rows
from tiny import tiny_image


def test_geoqa_finds_images_below_the_root(tmp_path):
    (tmp_path / "Geo170K").mkdir()
    tiny_image(2).save(tmp_path / "Geo170K" / "0.png")
    line = {"image_path": "Geo170K/0.png", "question": "How long?", "ground_truth": "$145°$"}
    gone = {**line, "image_path": "Geo170K/1.png"}
    path = tmp_path / "geoqa.jsonl"
    path.write_text(json.dumps(line) + "\n" + json.dumps(gone) + "\n")
    benchmark = get_benchmark("geoqa")
    rows = Rows(load_table(benchmark, LoadOptions(data=str(path), image_root=str(tmp_path))))
    assert rows.open(0)["images"][0].size == (56, 56)
    assert benchmark.judge("<think>3</think><answer>145</answer>", rows.text(0)).correct
    with pytest.raises(Exception, match=r"1\.png"):  # one broken row; its evaluation goes on
        rows.open(1)
