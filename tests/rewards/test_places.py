"""Places by other names, and with their country behind them."""

import pytest

from noisygrpo import accuracy

RIGHT = (
    ("Paris, France", "Paris", ""),
    ("New York City", "New York", ""),
    ("NYC", "New York City", "Which city is shown?"),
    ("USA", "United States", "Which country has the highest bar?"),
    ("U.S.", "USA", ""),
    ("The US", "United States", ""),
    ("UK", "United Kingdom", ""),
    ("Lima, Peru", "Lima", "What is the capital?"),
    ("Lima (Peru)", "Lima", ""),
    ("Tokyo, Japan", "Tokyo", "In which city was it taken?"),
    ("Mexico City, Mexico", "Mexico City", ""),
    ("Turkey", "Türkiye", ""),
    ("Czechia", "Czech Republic", ""),
    ("Washington", "Washington", ""),
    ("New York, USA", "New York", "Which city?"),
    ("turkey", "Turkey", ""),
    ("It is New York City.", "New York", ""),
    ("London, United Kingdom", "London", ""),
    ("London, UK", "London", "Where is it?"),
)
WRONG = (
    ("Athens, Georgia", "Athens", ""),
    ("United States", "USA", "What does the shirt say?"),
    ("Paris, Lyon", "Paris", ""),
    ("New York City", "New York", "Which state is it in?"),
    ("Kansas City", "Kansas", ""),
    ("us", "USA", ""),
    ("Great Britain", "UK", ""),
    ("Peru, Chile", "Peru", ""),
    ("Lima, Peru", "Peru", ""),
    ("Tokyo, Osaka, Japan", "Tokyo", ""),
    ("Tokyo and Osaka, Japan", "Tokyo", ""),
    ("Not Paris, France", "Paris", ""),
    ("Mexico City", "Mexico", ""),
    ("Rome, Italy", "Paris", ""),
    ("Vatican City", "Vatican", ""),
    ("Singapore", "Singapore, Singapore", ""),
    ("New York, New Jersey", "New York", ""),
    ("Rome or Paris, France", "Paris", ""),
    ("red, blue", "red", ""),
    ("a turkey", "chicken", ""),
    ("Jordan, Chad", "Jordan", "Who are they?"),
    ("Ireland, Germany", "Germany", ""),
)


def reward(answer, target, question):
    completion = [{"role": "assistant", "content": f"<answer>{answer}</answer>"}]
    columns = {"answer": [target], "kind": ["auto"], "question": [question]}
    return accuracy(prompts=[None], completions=[completion], **columns)[0]


@pytest.mark.parametrize(("answer", "target", "question"), RIGHT)
def test_the_same_place_is_right(answer, target, question):
    assert reward(answer, target, question) == 1.0


@pytest.mark.parametrize(("answer", "target", "question"), WRONG)
def test_another_place_or_several_are_wrong(answer, target, question):
    assert reward(answer, target, question) == 0.0
