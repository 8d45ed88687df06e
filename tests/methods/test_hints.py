import pytest
import torch

from noisygrpo.methods.hints import (
    find_steps,
    has_variance,
    hint_length,
    hint_prefix,
    hint_ratios,
    hint_text,
    select_level,
    split_steps,
    take_level,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Step 1: look at b. Step 2: count. Step 3: two.", ["look at b.", "count.", "two."]),
        ("Intro, left out.\nStep 1: a\nStep 2: b\n", ["a", "b"]),
        ("**Step 1:** a\n\n**Step 2**: b", ["a", "b"]),
        ("### Step 1\nFind x.\n### Step 2\nUse it.", ["Find x.", "Use it."]),
        ("Step 1: a Step 2: b", ["a", "b"]),
        ("Step 1: find x.\nStep 2: by Step 1 we know x. Step 1 helps.", None),
        ("Step 1. a. step 2. b.", ["a.", "b."]),
        ("Step 1\n: a\nStep 2: we count:\nStep 3\nb", ["a", "we count", "b"]),
        ("Step 1:\n:\nStep 2: b", ["b"]),  # a step that says nothing is none
        ("(Step 1) a. (Step 2) b.", ["a.", "b."]),
        ("[Step 1] a. [Step 2]: b.", ["a.", "b."]),
        ("**(Step 1)** x. **(Step 2)** y.", ["x.", "y."]),
        ("- Step 1: x\n- Step 2: y", ["x", "y"]),
        ("• Step 1: x\n• Step 2: y", ["x", "y"]),
        ("> Step 1: x\n> Step 2: y", ["x", "y"]),
        ("1. Step 1: x\n2. Step 2: y", ["x", "y"]),
        ("- **Step 1**: x\n- **Step 2**: y", ["x", "y"]),
        ("_Step 1_ x. _Step 2_ y.", ["x.", "y."]),
        ("**Step 1:** x **Step 2:** y", ["x", "y"]),
        ("Step 1 - x\nStep 2 – y", ["x", "y"]),
        ("Step 1 -3 is given. Step 2 done.", ["-3 is given.", "done."]),
        ("Step 1: x = -3\nStep 2: -x = 3", ["x = -3", "-x = 3"]),
        ("Step 1: a (see Step 2). Step 2: b", ["a (see Step 2).", "b"]),
    ],
)
def test_step_markers(text, steps):
    if steps is None:
        steps = ["find x.", "by Step 1 we know x. Step 1 helps."]
    assert split_steps(text) == steps
    assert split_steps(text, "step") == steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("1. Add 2.5 and 3.\n2. Halve it.", ["Add 2.5 and 3.", "Halve it."]),
        ("Plan:\n 1) a\n 2) b\n\n 3) c", ["a", "b", "c"]),
        ("1. a\n2024. is no step\n2. b", ["a\n2024. is no step", "b"]),
    ],
)
def test_numbered_lists(text, steps):
    assert split_steps(text) == steps
    assert split_steps(text, "numbered") == steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("The side is 2.5 cm. So the area is 6.25. Done!", 3),
        ("Is it blue? Yes, e.g. The left one. End", 3),
        ("The answer is no. It stays no.", 2),
        ("first line\nsecond line", 2),
        ("See fig.\nThat is all.", 2),  # a line break ends a sentence, an abbreviation does not
        ("See fig. 2 there.", 1),
        ("1) A number alone makes no list. Two sentences.", 2),
        ("We see two things:\na box.\n: odd", 3),
        ("1. A number alone…", 1),
        ("1. A is so. 2. B is too.", 2),
        ("(1) A is so. (2) B is too.", 2),
        ("12. Then B. It is 12. We see 5.", 3),
        ("one sentence", 1),
        ("", 0),
        ("  \n ", 0),
    ],
)
def test_sentences(text, steps):
    found = split_steps(text)
    assert len(found) == steps
    assert " ".join(found).split() == text.split()


def test_steps_are_where_their_markers_are():
    text = "So. Step 1: look. Step 2: two."
    assert find_steps(text) == find_steps(text, "step") == [(3, 12, 17), (17, 26, 30)]
    assert [text[start:end] for start, _, end in find_steps(text)] == [
        " Step 1: look.",
        " Step 2: two.",
    ]


def test_a_style_reaches_the_hint():
    text = "Step 1: a. B.\nStep 2: c."
    assert hint_text(text, 0.5) == "a. B."
    for markers in (False, True):
        assert hint_text(text, 0.34, "sentence", markers) == "Step 1: a."
        assert hint_text(text, 0.5, "numbered", markers) == ""


def test_styles_can_be_forced():
    text = "Step 1: a. B.\nStep 2: c."
    assert split_steps(text, "numbered") == []
    assert split_steps(text, "sentence") == ["Step 1: a.", "B.", "Step 2: c."]
    assert split_steps("No marker. Here.", "step") == []
    with pytest.raises(ValueError, match="'words' is not one of auto, step"):
        split_steps(text, "words")


def test_ratios_are_g_over_m():
    assert hint_ratios(1) == [0.0]
    assert hint_ratios(2) == [0.0, 0.5]
    assert hint_ratios(3) == [0.0, 1 / 3, 2 / 3]
    with pytest.raises(ValueError, match="hint levels is 0"):
        hint_ratios(0)


@pytest.mark.parametrize(
    ("steps", "levels", "lengths"),
    [
        (1, 2, [0, 0]),  # one step: the hint is always empty
        (1, 3, [0, 0, 0]),
        (2, 3, [0, 0, 1]),
        (2, 2, [0, 1]),
        (3, 3, [0, 1, 2]),
        (5, 2, [0, 2]),
        (6, 3, [0, 2, 4]),
        (7, 3, [0, 2, 4]),
        (0, 3, [0, 0, 0]),
    ],
)
def test_hint_cuts(steps, levels, lengths):
    assert [hint_length(steps, ratio) for ratio in hint_ratios(levels)] == lengths


def test_cuts_are_exact_for_any_number_of_levels():
    for levels in range(1, 60):
        for steps in range(61):
            cuts = [hint_length(steps, ratio) for ratio in hint_ratios(levels)]
            assert cuts == [steps * g // levels for g in range(levels)]


def test_hint_is_the_first_steps_joined():
    steps = ["Look.", "Count.", "Two.", "Yes."]
    assert hint_prefix(steps, 0.0) == ""
    assert hint_prefix(steps, 0.5) == "Look. Count."
    assert hint_prefix(steps, 1.0) == "Look. Count. Two. Yes."
    assert hint_prefix([], 0.5) == ""
    for ratio in (-0.1, 1.5):
        with pytest.raises(ValueError, match=rf"hint ratio {ratio} is outside"):
            hint_prefix(steps, ratio)


MARKED = "We look. Step 1: Find b. Step 2:  Count it.\nStep 3: Two. Step 4: Yes."


@pytest.mark.parametrize(
    ("text", "ratio", "bare", "marked"),
    [
        (MARKED, 0.0, "", ""),
        (MARKED, 0.25, "Find b.", "Step 1: Find b."),
        (MARKED, 0.5, "Find b. Count it.", "Step 1: Find b. Step 2:  Count it."),
        (
            MARKED,
            0.75,
            "Find b. Count it. Two.",
            "Step 1: Find b. Step 2:  Count it.\nStep 3: Two.",
        ),
        ("**Step 1:** a\n\n**Step 2**: b", 0.5, "a", "**Step 1:** a"),
        ("1. Add.\n2. Halve.", 0.5, "Add.", "1. Add."),
        ("One. Two.\nThree. Four.", 0.75, "One. Two. Three.", "One. Two.\nThree."),
        ("Only one step.", 0.5, "", ""),
        ("", 0.5, "", ""),
    ],
)
def test_hint_of_a_text(text, ratio, bare, marked):
    assert hint_text(text, ratio) == bare
    assert hint_text(text, ratio, markers=True) == marked


# Rewards of three levels of two completions, and what each selection takes.
CASES = [
    ([[0, 0], [0, 1], [1, 1]], 1, 1),
    ([[1, 1], [1, 0], [0, 0]], 0, 1),  # all right without a hint: no gradient there
    ([[0, 0], [1, 1], [0, 1]], 1, 2),
    ([[0, 0], [0, 0], [0, 0]], 0, 0),
    ([[1, 1], [1, 1], [1, 1]], 0, 0),
    ([[0, 1], [1, 1], [1, 1]], 0, 0),
    ([[NAN, 1], [0, 1], [1, 1]], 0, 1),
    ([[NAN, NAN], [0, 0], [0, 1]], 2, 2),
    ([[0, 0], [0.25, 0.25], [1, 0]], 1, 2),  # partly right counts
    ([[0.5, -0.5], [-0.25, 0.5], [1, 1]], 1, 0),  # what counts is the sum
    ([[-1, 0.5], [0, 0], [NAN, 0.1]], 2, 0),
]


def test_selection_is_per_prompt():
    rewards = torch.tensor([case[0] for case in CASES], dtype=torch.float32)
    assert select_level(rewards).tolist() == [case[1] for case in CASES]
    chosen = select_level(rewards, "first_with_variance")
    assert chosen.tolist() == [case[2] for case in CASES]
    for i in range(len(CASES)):
        assert select_level(rewards[i : i + 1]).item() == CASES[i][1]


def test_has_variance_by_level():
    rewards = torch.tensor([[[0, 1], [1, 1], [NAN, 1]]])
    assert has_variance(rewards).tolist() == [[True, False, False]]


def test_take_level_keeps_the_chosen_row():
    values = torch.arange(12).reshape(2, 3, 2)
    assert take_level(values, torch.tensor([2, 0])).tolist() == [[4, 5], [6, 7]]


def test_wrong_selection_is_named():
    with pytest.raises(ValueError, match="'best' is not one of first_nonzero, first_with"):
        select_level(torch.zeros(1, 2, 2), "best")
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        select_level(torch.zeros(2, 2))
