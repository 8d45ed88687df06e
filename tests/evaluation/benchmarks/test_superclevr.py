"""The counting set of Hint-GRPO's release."""

import json

import pytest
from tests.evaluation.benchmarks.scored import score

from noisygrpo.evaluation.benchmarks import LoadOptions, get_benchmark, load_table
from noisygrpo.evaluation.rows import Rows
from tiny import tiny_image

OFFICIAL = [
    ("<think>two and two</think><answer>4</answer>", True),
    ("<answer>\n 4 </answer>", True),
    ("<answer>04</answer>", True),
    ("<answer>5</answer> no, <answer>4</answer>", False),  # the first one counts
    ("<answer>about 5</answer> so <answer>4</answer>", True),  # a number alone
    ("<answer>4 items</answer>", False),
    ("<answer>4.0</answer>", False),
    ("<answer>four</answer>", False),
    ("4", False),
    ("", False),
]


@pytest.fixture
def data(tmp_path):
    """The file and its pictures, as the release has them."""
    (tmp_path / "images").mkdir()
    lines = []
    for n in range(len(OFFICIAL)):
        name = f"./images/superCLEVR_new_0250{n:02}.png"
        tiny_image(n).save(tmp_path / name)
        question = "How many different items are there in the image?"
        lines.append(json.dumps({"image_path": name, "question": question, "ground_truth": 4}))
    path = tmp_path / "superclevr_test200_counting_problems.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_released_rule_decides(data, tmp_path):
    result = score(tmp_path / "out", "superclevr", data, [text for text, _ in OFFICIAL])
    samples = (tmp_path / "out" / "samples.jsonl").read_text().splitlines()
    assert [json.loads(line)["correct"] for line in samples] == [right for _, right in OFFICIAL]
    assert result["accuracy"] == 0.4
    # Also 4 items, 4.0, four and 4; and of two answers the last.
    assert result["metrics"]["read"]["accuracy"] == 0.9


def test_the_prompt_and_the_pictures(data):
    rows = load_table(get_benchmark("SuperCLEVR"), LoadOptions(data=str(data)))
    assert rows[0]["prompt"][0]["content"] == (
        "How many different items are there in the image? First output the thinking process in "
        "<think> </think> and final answer (number) in <answer> </answer> tags."
    )
    assert Rows(rows).open(3)["images"][0].size == (56, 56)


def test_an_image_root_that_the_paths_name_again(data, tmp_path):
    """Hint-GRPO's ``--data_path /PATH/TO/Geo170K`` with ``./Geo170K/images/…`` in the rows."""
    root = tmp_path / "Geo170K"
    (root / "images").mkdir(parents=True)
    tiny_image(2).save(root / "images" / "0.png")
    line = {"image_path": "./Geo170K/images/0.png", "question": "How long?", "ground_truth": "3"}
    path = tmp_path / "geoqa_test_prompts.jsonl"
    path.write_text(json.dumps(line) + "\n")
    for folder in (root, tmp_path):
        options = LoadOptions(data=str(path), image_root=str(folder))
        rows = Rows(load_table(get_benchmark("geo170k"), options))
        assert rows.open(0)["images"][0].size == (56, 56)
