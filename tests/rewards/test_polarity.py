"""What a text answers to a question of yes or no."""

import pytest

from noisygrpo.rewards.polarity import read_sign


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("No, the right and left circles appear to be the same size.", False),
        ("No, both lines look alike. The arrows might make them seem different.", False),
        ("Yes, the line in the middle could be measured, and it is straight.", True),
        ("Yes, half of the cake is gone.", True),
        ("Yes, that is correct.", True),
        ("yes, yes and yes", True),
        ("Yes, that is wrong.", None),
        ("Yes, it may be.", None),
        ("Yes, but I could be wrong.", None),
        ("Yes, if the ball is red and the box that it lies in is green.", None),
        ("Yes, the line is straight. No, it is not.", None),
        ("No, the picture shows a cat, but I am not sure.", None),
        ("It is false that there is a cat", False),
        ("It is false that there is no cat", None),
        ("It would be wrong to say yes", None),
        ("yes and no", None),
    ],
)
def test_an_opening_sign_and_its_explanation(text: str, sign: bool | None) -> None:
    assert read_sign(text) is sign


def test_none_is_seen_of_what_the_question_asks_for() -> None:
    assert read_sign("I see no dog here.", "Is there a dog?") is False
    assert read_sign("The image shows no dog.", "Is there a dog?") is False
    assert read_sign("I see no cat.", "Is there a dog?") is None
    assert read_sign("I see no dog.") is None
    assert read_sign("I see no reason to deny that a dog is there", "Is there a dog?") is None
