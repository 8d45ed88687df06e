"""Which hint level is generated and which is trained, on a table of rewards."""

from types import SimpleNamespace

import pytest
import torch

from noisygrpo.training.hints.levels import HintLevels


def settings(levels=2, **changes):
    plain = {"hint_style": "auto", "hint_markers": False, "hint_template": "{hint}"}
    return SimpleNamespace(hint_levels=levels, **{**plain, **changes})


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
