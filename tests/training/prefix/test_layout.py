"""Where the tokens of a group lie, who sees whom, and how groups stay together."""

import pytest
import torch

from noisygrpo.training.prefix.layout import (
    Prompts,
    build_layout,
    group_rows,
    keep_groups,
    plain_positions,
)

PROMPTS = Prompts(
    ids=torch.tensor([[0, 0, 11, 12], [0, 0, 11, 12], [21, 22, 23, 24]]),
    mask=torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]]),
    completion_ids=torch.tensor([[31, 32, 0], [41, 42, 43], [51, 0, 0]]),
    completion_mask=torch.tensor([[1, 1, 0], [1, 1, 1], [1, 0, 0]]),
)


def layout():
    return build_layout(PROMPTS, [[0, 1], [2]], plain_positions(PROMPTS.mask[[0, 2]]))


def test_tokens_and_positions_of_a_group_by_hand():
    one = layout()
    # prefix of 3 (padded with the last prompt token), then segments of 3
    assert one.input_ids.tolist() == [
        [11, 12, 12, 12, 31, 12, 12, 41, 42],
        [21, 22, 23, 24, 24, 24, 24, 24, 24],
    ]
    assert one.position_ids[:, 3:].tolist() == [[1, 2, 3, 1, 2, 3], [3, 4, 5, 3, 4, 5]]
    assert one.position_ids[0, 0] == 0 and one.position_ids[1, :3].tolist() == [0, 1, 2]
    assert one.labels.tolist() == [31, 32, 41, 42, 43, 51]
    assert one.index.tolist() == [3, 4, 6, 7, 8, 9 + 3]
    assert one.target.tolist() == [0, 1, 3, 4, 5, 6]


def test_a_segment_sees_its_prefix_and_its_own_past():
    visible = layout().visible
    assert visible.shape == (2, 2, 3, 6)
    assert visible[0, 1].int().tolist() == [
        [1, 0, 0, 1, 0, 0],
        [1, 0, 0, 1, 1, 0],
        [1, 0, 0, 1, 1, 1],
    ]
    assert visible[1, 0, 0].int().tolist() == [1, 1, 1, 1, 0, 0]
    mask = layout().additive_mask(torch.float32)
    assert torch.equal(mask == 0, visible) and torch.isfinite(mask).all()


def test_last_completion_tokens_and_masked_completions_are_no_inputs():
    ids = layout().input_ids
    assert not {32, 43, 51} & set(ids.flatten().tolist())
    nothing = Prompts(PROMPTS.ids, PROMPTS.mask, PROMPTS.completion_ids, 0 * PROMPTS.mask[:, :3])
    empty = build_layout(nothing, [[0, 1], [2]], plain_positions(PROMPTS.mask[[0, 2]]))
    assert len(empty.labels) == 0 and empty.input_ids.shape == (2, 3 + 2)


@pytest.mark.parametrize(
    ("prompt", "completion", "regular"),
    [
        ([0, 1, 1, 1], [1, 1, 0], True),
        ([0, 1, 1, 1], [0, 0, 0], True),
        ([0, 0, 0, 1], [1, 1, 0], False),
        ([1, 0, 1, 1], [1, 1, 0], False),
        ([1, 1, 1, 0], [1, 1, 0], False),
        ([0, 1, 1, 1], [0, 1, 0], False),
    ],
)
def test_only_rows_padded_outside_are_regular(prompt, completion, regular):
    masks = torch.tensor([prompt]), torch.tensor([completion])
    assert Prompts(masks[0], masks[0], masks[1], masks[1]).regular == regular


def test_rows_are_grouped_wherever_they_are():
    prompts = [5, 7, 5, 5, 7]
    groups = group_rows(5, lambda row, other: prompts[row] == prompts[other])
    assert groups == [[0, 2, 3], [1, 4]]


def test_groups_are_shuffled_whole_in_the_order_of_the_permutation():
    permutation = torch.tensor([4, 0, 7, 2, 5, 1, 6, 3])
    assert keep_groups(permutation, 0, 4).tolist() == [4, 7, 5, 6, 0, 2, 1, 3]
    # A process whose share starts within a group: rows 2.. of the whole batch
    assert keep_groups(torch.tensor([3, 0, 2, 1]), 2, 4).tolist() == [3, 2, 0, 1]


def test_every_group_comes_first_equally_often():
    torch.manual_seed(0)
    firsts = [int(keep_groups(torch.randperm(12), 0, 4)[0]) for _ in range(1200)]
    counts = torch.bincount(torch.tensor(firsts), minlength=12)
    assert counts.sum() == 1200 and (counts > 60).all() and (counts < 140).all()
