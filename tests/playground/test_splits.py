"""Splits: determinism, priors, what leaves the training distribution."""

from collections import Counter

import numpy as np
import pytest

from noisygrpo.errors import UserError
from noisygrpo.playground import PROMPT, SPLITS, make_example, make_split
from noisygrpo.playground.splits import PRIORS, answer_type, prior_answer, sample_task


@pytest.mark.parametrize("split", SPLITS)
def test_an_example_is_a_pure_function_of_split_seed_and_index(split):
    once, again, other = (
        make_example(split, 7, 3),
        make_example(split, 7, 3),
        make_example(split, 8, 3),
    )
    pixels = np.asarray(once.pop("images")[0])
    assert np.array_equal(pixels, np.asarray(again.pop("images")[0]))
    other.pop("images")
    assert once == again != other


def test_a_split_is_in_the_example_format_and_does_not_depend_on_its_length():
    long, short = make_split("test", 5), make_split("test", 2)
    assert long[:2]["question"] == short["question"]
    row = long[0]
    assert row["prompt"] == [{"role": "user", "content": PROMPT.format(question=row["question"])}]
    assert row["images"][0].size == (400, 100) and row["images"][0].mode == "RGB"
    assert row["example_id"] == row["cluster"] == "test-0-0"


def test_splits_do_not_share_examples_but_corrupt_asks_the_questions_of_test():
    train = {make_example("train", i)["question"] + str(i) for i in range(30)}
    test = [make_example("test", i) for i in range(30)]
    corrupt = [make_example("corrupt", i) for i in range(30)]
    assert not train >= {e["question"] + str(i) for i, e in enumerate(test)}
    for one, two in zip(test, corrupt, strict=True):
        assert (one["question"], one["answer"]) == (two["question"], two["answer"])
        assert not np.array_equal(np.asarray(one["images"][0]), np.asarray(two["images"][0]))


def test_the_prior_split_reverses_the_priors():
    def shares(split):
        answers = [sample_task(np.random.default_rng([9, i]), split)[1].answer for i in range(600)]
        truth = Counter(a for a in answers if answer_type(a) == "truth")
        number = Counter(a for a in answers if answer_type(a) == "number")
        return truth["true"] / truth.total(), number["1"] / number.total()

    train, prior = shares("train"), shares("prior")
    assert train[0] > 0.5 > prior[0]
    assert train[1] > 0.25 > prior[1]


def test_absent_has_only_answers_that_deny():
    answers = Counter(make_example("absent", i)["answer"] for i in range(60))
    assert set(answers) == {"false", "0", "none"}


@pytest.mark.parametrize("kind", PRIORS)
def test_prior_quantiles_follow_the_table(kind):
    table = PRIORS[kind]
    assert sum(weight for _, weight in table) == pytest.approx(1)
    assert prior_answer(kind, 0.0) == table[0][0]
    assert prior_answer(kind, 0.9999) == table[-1][0]
    assert prior_answer(kind, table[-1][1] / 2, reverse=True) == table[0][0]


def test_wrong_requests_say_what_is_allowed():
    with pytest.raises(UserError, match=r"'nope' is not a split.*absent"):
        make_split("nope", 3)
    for rows in (0, 99_999_999_999):
        with pytest.raises(UserError, match="allowed: 1 to 1,000,000"):
            make_split("test", rows)
    with pytest.raises(UserError, match=r"data\.seed: -1, allowed is 0 to"):
        make_split("test", 1, -1)
