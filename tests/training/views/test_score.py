"""Views of a group as rows of a batch: which is a rollout's own, and batches with other counts."""

import torch

from noisygrpo.methods.views import View
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.views.score import OWN, VIEWS, on_own_view, with_as_many

ROW = {"prompt": "?", "example_id": "a"}


def group(*views):
    return [Rollout(ROW, n, view, 0, 1, "gaussian", "", views) for n, view in enumerate(views)]


def test_rollouts_that_see_the_same_have_one_view():
    half, other = View(0.5, shared_noise=True), View(0.5)
    rollouts = group(half, View(), half, other, View(), other)
    seen = [(one.view, one.index) for one in rollouts[0].peers()]
    assert seen == [(half, 0), (View(), 1), (other, 3), (other, 5)]
    assert [one.own_peer() for one in rollouts] == [0, 1, 0, 2, 1, 3]


def test_log_probs_of_what_each_rollout_was_sampled_on():
    by_view = torch.arange(12.0).view(2, 3, 2)
    inputs = {VIEWS: [[None] * 3] * 2, OWN: torch.tensor([2, 0])}
    for given in (by_view, by_view.flatten(0, 1)):
        assert on_own_view(inputs, given).tolist() == [[4.0, 5.0], [6.0, 7.0]]
    assert torch.equal(on_own_view({}, by_view[0]), by_view[0])


def test_batches_of_fewer_views_repeat_their_own():
    """As a batch does in which some rows have fewer: in turn, log-probs with their pixels."""
    few = {VIEWS: [["a", "b"]], "old_per_token_logps": torch.tensor([[[1.0], [2.0]]])}
    one = {VIEWS: [["x"]], "old_per_token_logps": torch.tensor([[[5.0]]])}
    most = {VIEWS: [["c", "d", "e"]], "old_per_token_logps": torch.zeros(1, 3, 1)}
    found = with_as_many([few, one, most, {"prompt_ids": 1}])
    assert [one.get(VIEWS) for one in found[:3]] == [
        [["a", "b", "a"]], [["x", "x", "x"]], [["c", "d", "e"]],
    ]  # fmt: skip
    assert found[0]["old_per_token_logps"].flatten().tolist() == [1.0, 2.0, 1.0]
    assert found[1]["old_per_token_logps"].flatten().tolist() == [5.0] * 3
    assert found[3] == {"prompt_ids": 1}
