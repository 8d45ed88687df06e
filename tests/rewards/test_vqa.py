"""VQA's accuracy and ANLS, by hand and by a plain form of their definitions."""

import random

import pytest

from noisygrpo.errors import UserError
from noisygrpo.rewards import load_rewards
from noisygrpo.rewards.spelling import edit_distance
from noisygrpo.rewards.vqa import anls, same_words, similarity, vqa, vqa_accuracy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The dog", "dog"),
        ("a  dog.", "dog"),
        ("two", "2"),
        ("Don't", "dont"),
        ("1,000", "1000"),
        ("3.5", "3.5"),
        ("t-shirt", "t shirt"),
        ("none", "0"),
        ("Yes!", "yes"),
        ("the", ""),
    ],
)
def test_words_as_vqa_compares_them(text, words):
    assert same_words(text) == words


@pytest.mark.parametrize(
    ("given", "people", "accuracy"),
    [
        ("yes", ["yes"] * 10, 1.0),
        ("yes", ["yes"] * 4 + ["no"] * 6, 1.0),
        ("yes", ["yes"] * 3 + ["no"] * 7, 0.9),  # (3 * 2/3 + 7) / 10
        ("yes", ["yes"] * 2 + ["no"] * 8, 0.6),  # (2 * 1/3 + 8 * 2/3) / 10
        ("yes", ["yes"] + ["no"] * 9, 0.3),  # 9 * 1/3 / 10
        ("maybe", ["yes"] * 10, 0.0),
        ("2", ["two"] * 10, 1.0),
        ("a dog", ["dog", "the dog", "cat"], 1.0),
        ("dog", ["dog"], 1.0),
        ("cat", ["dog"], 0.0),
    ],
)
def test_vqa_accuracy(given, people, accuracy):
    assert vqa_accuracy(given, people) == pytest.approx(accuracy)


def test_vqa_accuracy_is_the_mean_over_all_but_one():
    rng = random.Random(0)
    for _ in range(200):
        people = [rng.choice("abcd") for _ in range(10)]
        by_hand = [
            min(1, (people[:left] + people[left + 1 :]).count("b") / 3) for left in range(10)
        ]
        assert vqa_accuracy("b", people) == pytest.approx(sum(by_hand) / 10)


@pytest.mark.parametrize(
    ("one", "other", "changes"),
    [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("abc", "acb", 2), ("flaw", "lawn", 2)],
)
def test_distance(one, other, changes):
    assert edit_distance(one, other) == edit_distance(other, one) == changes


@pytest.mark.parametrize(
    ("given", "reference", "value"),
    [
        ("Paris", "paris", 1.0),
        ("  new   york", "New York", 1.0),
        ("Pari", "Paris", 0.8),
        ("Par", "Paris", 0.6),
        ("Pa", "Paris", 0.0),  # a distance of 3/5 is another answer
        ("ab", "cb", 0.0),  # exactly half
        ("", "Paris", 0.0),
        ("Paris is the capital of France", "Paris", 0.0),
    ],
)
def test_similarity(given, reference, value):
    assert similarity(given, reference, 0.5) == pytest.approx(value)


def test_rewards_of_several_people():
    completions = ["<answer>Pari</answer>", "<answer>rome</answer>", "<think>never ends", "Paris"]
    answer = [{"any_of": ["London", "Paris"]}, "Rome", "Rome", None]
    assert anls([""] * 4, completions, answer) == pytest.approx([0.8, 1, 0, None])
    assert vqa([""] * 4, completions, answer) == [0, 1, 0, None]


def test_a_threshold_that_makes_no_sense():
    with pytest.raises(UserError, match=r"anls\.threshold: 0, allowed is more than 0"):
        load_rewards([{"name": "anls", "threshold": 0}])
