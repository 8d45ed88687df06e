"""The reference reasoning says what is seen, box by box."""

import re

from noisygrpo.playground import make_example


def test_reasoning_ends_in_the_answer_where_it_counts():
    for index in range(80):
        example = make_example("train", index)
        found = re.search(r"(\d+) in all", example["reasoning"])
        if example["question"].startswith("How many") and found:
            assert found.group(1) == example["answer"], example


def test_every_box_that_is_listed_gets_its_verdict():
    for index in range(40):
        example = make_example("train", index)
        if example["kind"] == "list":
            continue  # the list itself is the verdict
        reasoning = example["reasoning"]
        boxes = re.findall(r"Step \d: (left|middle|right) \S.*? gives \S", reasoning)
        assert boxes in (["left"], ["middle"], ["right"], ["left", "middle", "right"]), reasoning
