"""Hints as text, tokens and a table of levels, without a model."""

from types import SimpleNamespace

import pytest
import torch

from noisygrpo.training.hints.levels import HintLevels
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


def table(rewards, new=None, **settings):
    """Play the levels of some prompts, asking only for what is due; return table and turns."""
    rewards = torch.tensor(rewards, dtype=torch.float64)
    prompts, levels, group = rewards.shape
    new = torch.ones(prompts, levels, dtype=torch.bool) if new is None else torch.tensor(new)
    result, turns = HintLevels(new, group, **settings), []
    for level in range(levels):
        due = result.due(level)
        turns.append(due.tolist())
        rows = due.repeat_interleave(group).nonzero().flatten()
        values = rewards[:, level].flatten()[rows]
        spare = torch.tensor([-1])  # a row that a process generates only to keep in step
        result.put(
            level,
            torch.cat([rows, spare]),
            torch.cat([values, torch.ones(1)]),
            torch.full((len(rows) + 1,), 5),
        )
    return result, turns


REWARDS = [
    [[0, 0], [0, 1], [1, 1]],
    [[1, 1], [1, 0], [0, 0]],
    [[0, 0], [1, 1], [0, 1]],
    [[0, 0], [0, 0], [0, 0]],
]


@pytest.mark.parametrize(
    ("selection", "levels", "early"),
    [
        ("first_nonzero", [1, 0, 1, 0], [[True] * 4, [True, False, True, True], [False] * 3]),
        (
            "first_with_variance",
            [1, 1, 2, 0],
            [[True] * 4, [True] * 4, [False, False, True]],
        ),
    ],
)
def test_stopping_early_selects_the_same_level(selection, levels, early):
    every, turns = table(REWARDS, selection=selection, stop_early=False)
    assert turns == [[True] * 4] * 3
    some, turns = table(REWARDS, selection=selection)
    assert turns == [early[0], early[1], [*early[2], True]]
    assert every.selected().tolist() == some.selected().tolist() == levels
    assert some.tokens.sum() < every.tokens.sum()


@pytest.mark.parametrize("stop_early", [True, False])
def test_a_level_that_adds_nothing_is_never_due(stop_early):
    new = [[True, False, True], [True, False, False]]
    zeros = [[[0.0, 0.0]] * 3] * 2
    result, turns = table(zeros, new, stop_early=stop_early)
    assert turns == [[True, True], [False, False], [True, False]]
    assert result.rewards.isnan().all(-1).tolist() == [[False, True, False], [False, True, True]]
    assert result.selected().tolist() == [0, 0]


def test_metrics_of_a_batch():
    result, _ = table(REWARDS)
    hints = torch.tensor([[0, 3, 6]] * 4)
    metrics = result.metrics(hints)
    assert metrics["hint/useful"] == 0.25  # prompt 0, at level 1
    assert [metrics[f"hint/useful/level_{g}"] for g in range(3)] == [0.0, 0.25, 0.0]
    assert [metrics[f"hint/selected/level_{g}"] for g in range(3)] == [0.5, 0.5, 0.0]
    assert metrics["hint/level"] == 0.5 and metrics["hint/tokens"] == 1.5
    # Sampled: 4 prompts at level 0, 3 at level 1, 1 at level 2, each 2 x 5 tokens; trained: 4.
    assert metrics["hint/unused_tokens"] == 40
