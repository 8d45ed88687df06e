"""Hints as texts of a row, in prompts, and in token types."""

from types import SimpleNamespace

import pytest
import torch

from noisygrpo.training.hints.prompts import (
    begin_answers,
    fit_token_types,
    hint_question,
    new_levels,
    row_hints,
)

FOUR = "Step 1: a. Step 2: b. Step 3: c. Step 4: d."


def settings(levels=2, **changes):
    plain = {"hint_style": "auto", "hint_markers": False, "hint_template": "{hint}"}
    return SimpleNamespace(hint_levels=levels, **{**plain, **changes})


@pytest.mark.parametrize(
    ("reasoning", "config", "texts"),
    [
        (FOUR, settings(1), [""]),
        (FOUR, settings(2), ["", "a. b."]),
        (FOUR, settings(4), ["", "a.", "a. b.", "a. b. c."]),
        (
            FOUR,
            settings(2, hint_markers=True, hint_template="<think>{hint}"),
            ["", "<think>Step 1: a. Step 2: b."],
        ),
        (FOUR, settings(2, hint_style="numbered"), ["", ""]),
        ("One. Two.", settings(3), ["", "", "One."]),
        ("One.", settings(3), ["", "", ""]),
        ("", settings(3), ["", "", ""]),
    ],
)
def test_hints_of_a_row(reasoning, config, texts):
    hints = row_hints(config, reasoning)
    assert [hint.text for hint in hints] == texts
    assert [hint.level for hint in hints] == list(range(config.hint_levels))
    assert [hint.ratio for hint in hints] == [g / config.hint_levels for g in range(len(hints))]


def test_a_level_without_a_longer_hint_is_not_new():
    assert new_levels(row_hints(settings(3), "One. Two.")) == [True, False, True]
    assert new_levels(row_hints(settings(3), "")) == [True, False, False]
    assert new_levels(row_hints(settings(3), FOUR)) == [True, True, True]


def test_hint_ends_the_last_question():
    system, user = {"role": "system", "content": "S"}, {"role": "user", "content": "Q"}
    assert hint_question([system, user], "h") == [system, {"role": "user", "content": "Q\nh"}]
    assert hint_question("Q", "h") == "Q\nh"
    parts = [{"type": "image", "image": 0}, {"type": "text", "text": "Q"}]
    asked = hint_question([{"role": "user", "content": parts}], "h")
    assert asked[0]["content"] == [parts[0], {"type": "text", "text": "Q\nh"}]
    blind = hint_question([{"role": "user", "content": parts[:1]}], "h")
    assert blind[0]["content"] == [parts[0], {"type": "text", "text": "h"}]
    prompt = [user]
    assert hint_question(prompt, "") is prompt and user["content"] == "Q"


def test_hint_tokens_follow_the_prompt():
    fields = {"mm_token_type_ids": [[1, 0], [0]], "image_grid_thw": "kept"}
    ids, longer = begin_answers([[7, 8], [9]], fields, [[1, 2], []])
    assert ids == [[7, 8, 1, 2], [9]]
    assert longer == {"mm_token_type_ids": [[1, 0, 0, 0], [0]], "image_grid_thw": "kept"}


def test_token_types_stay_on_their_tokens():
    # Two rows, prompts i i t and t i, completions of 2: left padded without hints ...
    types = torch.tensor([[1, 1, 0, 0, 0], [0, 0, 1, 0, 0]])
    # ... and with hints of 0 and 3 tokens: [0 0 i i t c c] and [t i h h h c c].
    fitted = fit_token_types(types, [0, 3], width=7, completion=2)
    assert fitted.tolist() == [[0, 0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0]]
    # The widest prompt had no hint: nothing gets wider, but the other row moves.
    assert fit_token_types(types, [0, 1], 5, 2).tolist() == [[1, 1, 0, 0, 0], [0, 1, 0, 0, 0]]
