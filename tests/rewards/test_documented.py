"""The examples of docs/rewards.md, rule by rule."""

import pytest

from noisygrpo.rewards import is_correct

LISTED = "How long?\nA. 3 cm\nB. 5 cm\nC. 7 cm"
CAT = "Is there a cat?"
FLOOR = "Which floor is the office on?"
LAMP = "Is the lamp above or below the shelf?"
COST = "How much does the sandwich cost?"
BALL = "Is the ball red?"
SIDE = "Is the ball left or right of the box?"

RIGHT = [
    ("5, not 6", "5", ""),
    *[(said, "B", LISTED) for said in ("(b)", "B) 5 cm", "B, because it fits", "（B）", "选B")],
    ("The answer is b.", "B", LISTED),
    ("5 cm", "B", LISTED),
    ("Yes, there is no cat", "yes", ""),
    ("wasn't true", "false", ""),
    ("No", "false", ""),
    ("There is no cat.", "no", CAT),
    ("I see no cat", "no", CAT),
    ("No, the right and left circles look alike. They might seem different.", "no", ""),
    *[(said, "yes", BALL) for said in ("The ball is red.", "It is red")],
    ("It isn't red.", "no", BALL),
    ("the third", "3rd", ""),
    ("\\langle 1,2 \\rangle", "(1,2)", ""),
    ("[[1,2],[3,4]]", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", ""),
    ("one in four", "1/4", ""),
    ("I don't see any apples.", "0", "How many apples are there?"),
    ("The office is on the third floor.", "3rd", FLOOR),
    ("The lamp is above the shelf.", "above", LAMP),
    ("The sandwich costs $5.", "$5", COST),
    ("The shirt costs $20.", "$20", "What is the price?"),
    ("The girl is 8.", "8", "How old is she?"),
    ("I can't see any cats.", "no", CAT),
    ("left of the box", "left", SIDE),
    ("a cup on the table", "cup", "What is on the table?"),
    ("10 to 15", "10-15", ""),
    ("March 5, 2020", "2020-03-05", ""),
    ("15:30", "3:30 PM", ""),
    ("4:6", "2:3", ""),
    ("2 and 1", "1, 2", ""),
    ("2, -2", "±2", ""),
    ("\\sqrt{8}", "2√2", ""),
    ("3.1416", "3.14", ""),
    ("0.3333333", "1/3", ""),
    ("2π", "6.28", ""),
    *[(said, "60%", "") for said in ("60", "0.6", "3/5")],
    ("There are five apples.", "5", ""),
    ("5", "5 cm", ""),
    ("100 cm", "1 m", ""),
    ("2 h 30 min", "2.5 hours", ""),
    ("$0.05", "5 cents", ""),
    ("A1", "A1", ""),
    *[(said, "3", "") for said in ("x = 3", "3 = x", "1 + 2 = 3")],
    ("2x - y + 1 = 0", "y = 2x + 1", ""),
    ("(x+1)^2", "x² + 2x + 1", ""),
    ("It is Paris", "Paris", ""),
    ("the red balls", "red ball", ""),
    ("1,234", "1234", ""),
    ("1 234", "1234", ""),
    ("1 3/4", "1.75", ""),
    ("½", "0.5", ""),
    ("1.2 × 10³", "1200", ""),
    ("12√3", "12\\sqrt{3}", ""),
    ("5!", "120", ""),
    ("2⁵", "32", ""),
    ("minus five", "-5", ""),
    ("two thirds", "2/3", ""),
    ("5 million", "5000000", ""),
    ("二十一", "21", ""),
    ("三分之二", "2/3", ""),
    ("7 out of 10", "0.7", ""),
    ("2x = 10, so x = 5", "5", ""),
    ("in 1999", "1999", ""),
    ("no apples", "0", "How many apples are there?"),
    ("H₂O", "H2O", ""),
    ("USA", "U.S.A.", ""),
    ("grey", "gray", ""),
]

WRONG = [
    *[(said, "5", "") for said in ("5 or 6", "more than 5", "not 5", "anything but 5", "5-6")],
    ("1, 2, 3, 4, 5", "5", ""),
    ("4 or 6, so 5", "5", ""),
    ("no apples", "0", ""),
    ("Co", "CO", ""),
    *[
        (said, "yes", "")
        for said in ("Yes, it may be", "Yes, but I am not sure", "Yes, if the ball is red")
    ],
    *[(said, "B", LISTED) for said in ("A or B", "(B), (C)", "B is wrong", "B. 7 cm")],
    ("A. 3 cm B. 5 cm C. 7 cm", "B", LISTED),
    ("A circle", "A", LISTED),
    *[(said, "yes", "") for said in ("yes and no", "no idea", "casino")],
    *[(said, "no", "") for said in ("yes and no", "no idea", "casino")],
    *[(said, "yes", BALL) for said in ("The box is red.", "It is dark red", "It is probably red")],
    ("The box is not red.", "no", BALL),
    ("left of the ball", "left", SIDE),
    ("The shop is on the third floor.", "3rd", FLOOR),
    ("The shelf is above the lamp.", "above", LAMP),
    *[(said, "$5", COST) for said in ("The soup costs $5.", "The sandwich costs $5 per slice.")],
    ("The dog is on the sofa.", "on the sofa", "Where is the cat?"),
    ("There is no cat food.", "no", CAT),
    ("There is no cat on the mat.", "no", "Is there a cat under the table?"),
    ("a cup under the table", "cup", "What is on the table?"),
    ("It could be true", "true", ""),
    ("far from true", "true", ""),
    ("There is no dog.", "no", CAT),
    ("5-10", "-5", ""),
    ("2012", "2020-03-05", ""),
    ("3:30", "3:30 PM", ""),
    ("2", "1, 2", ""),
    ("(2,1)", "(1,2)", ""),
    ("[0,1)", "[0,1]", ""),
    ("25", "2⁵", ""),
    ("8", "8√3", ""),
    ("3.1", "3.14", ""),
    ("0.333", "1/3", ""),
    ("4.9999", "5", ""),
    ("0.6%", "60%", ""),
    *[(said, "5", "") for said in ("There are 12 apples and 5 pears", "room 5", "July 5")],
    ("60 km/h", "60 m/s", ""),
    ("5 mW", "5 MW", ""),
    ("€5", "$5", ""),
    ("10 red balls", "10 blue balls", ""),
    ("1A", "A1", ""),
    ("1990s", "1990", ""),
    ("7th", "7", ""),
    ("y = 3", "x = 3", ""),
    ("1 + 1 = 3", "3", ""),
    ("f", "f'", ""),
    ("\\Delta", "\\delta", ""),
    ("R^2", "r^2", ""),
    ("dark blue", "blue", ""),
    ("red or green", "red", ""),
    ("not red", "red", ""),
]


@pytest.mark.parametrize(("said", "target", "question"), RIGHT)
def test_right(said: str, target: str, question: str) -> None:
    verdict = is_correct(said, target, question=question, time_limit=600)
    assert verdict.correct is True, verdict.why


@pytest.mark.parametrize(("said", "target", "question"), WRONG)
def test_wrong(said: str, target: str, question: str) -> None:
    verdict = is_correct(said, target, question=question, time_limit=600)
    assert verdict.correct is False, verdict.why
