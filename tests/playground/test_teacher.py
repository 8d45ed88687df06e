"""Demonstrations, careful and with slips."""

import numpy as np
import pytest

from noisygrpo.playground.language import Task
from noisygrpo.playground.looking import place, reading
from noisygrpo.playground.questions import favoured
from noisygrpo.playground.scene import Item, Scene, sample_scene
from noisygrpo.playground.synonyms import OTHER
from noisygrpo.playground.teacher import demonstration, draw_question, pull, slip


def test_careful_turns_answer_the_question_about_the_picture():
    other = {word for words in OTHER.values() for word in words}
    reworded = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        turns = demonstration(rng, sample_scene(rng), 2, slips=False)
        assert len(turns) == 2
        for question, text in turns:
            assert text.startswith("<think>Step 1:") and text.endswith("</answer>")
            reworded += any(f" {word}" in f" {question.lower()}" for word in other)
    assert 20 < reworded < 60  # three in ten of 120, most of which hold a word that changes


def test_slips_follow_what_the_words_suggest():
    told, astray, careless = 0, 0, 0
    for seed in range(500):
        rng = np.random.default_rng(seed)
        scene = sample_scene(rng)
        question = draw_question(rng, scene)
        answer = slip(rng, question).answer
        suggested = favoured(question.task)
        if suggested is not None and suggested != question.task.answer:
            told += 1
            astray += answer == suggested
            careless += answer not in (suggested, question.task.answer)
    assert 0.2 < astray / told < 0.6 and careless / told < 0.15


@pytest.mark.parametrize(
    ("question", "first", "suggests", "pulled"),
    [
        ("How many black items are there?", "count black items", "2", 0.75),
        ("How many yellow circles are there?", "count yellow circles", "3", 0.3),
        ("How many circles are there?", "count circles", "1", 0.65),
        ("How many objects are there?", "count items", "6", 0.5),
    ],
)
def test_the_first_word_that_suggests_decides(question, first, suggests, pulled):
    task = Task("counting", question, f"Step 1: {first}. Step 2: left blue circle gives 1.", "1")
    assert favoured(task) == suggests and pull(task) == pulled


def test_nothing_suggests_a_list():
    assert (
        favoured(Task("list", "What is in the left box?", "Step 1: look.", "blue circle")) is None
    )


def test_a_reading_says_everything_of_every_item():
    touching = (Item("circle", "black", "big", 0, 35), Item("square", "blue", "small", 31, 60))
    scene = Scene((touching, (Item("triangle", "yellow", "medium", 45, 12),), ()), stacked=False)
    assert reading(scene, 0) == ("a3 big black circle edge beside and b4 small blue square beside")
    assert reading(scene, 1) == "k2 medium yellow triangle"


@pytest.mark.parametrize(
    ("x", "y", "where"), [(0, 0, "a1"), (90, 90, "e5"), (45, 90, "c5"), (90, 0, "e1")]
)
def test_places(x, y, where):
    assert place(Item("circle", "black", "small", x, y), 0) == where
