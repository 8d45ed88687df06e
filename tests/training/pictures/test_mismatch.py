"""The mean difference of a clean rollout's tokens against the limit."""

import math

import pytest
import torch

from noisygrpo.training.pictures.links import LostPicture
from noisygrpo.training.pictures.mismatch import Mismatch

NAN = math.nan


def make(limit=0.1):
    return Mismatch(limit, torch.device("cpu"), {0: "a", 1: "b", 2: "c"})


def inputs(theirs, rows=(0, 1, 2), mask=None, **more):
    theirs = torch.tensor(theirs)
    mask = torch.ones_like(theirs).nan_to_num() if mask is None else torch.tensor(mask)
    both = {"sampling_per_token_logps": theirs, "completion_mask": mask}
    return {**both, "clean_row": torch.tensor(rows), **more}


def test_clean_rows_are_measured_and_noisy_ones_left_out():
    one = make()
    one.add(inputs([[-1.0, -2.0], [-1.0, -9.0], [-1.0, -2.1]], (0, -1, 2)), ours(), 1)
    assert one.flush(lambda own: own) == pytest.approx(
        {"mismatch/mean": 0.025, "mismatch/max": 0.05}, abs=1e-6
    )
    assert one.flush(lambda own: own) == {}


def ours():
    return torch.tensor([[-1.0, -2.0]] * 3)


@pytest.mark.parametrize("other", [-2.3, -1.7, -1e9])
def test_a_row_above_the_limit_is_named_with_its_step(other):
    with pytest.raises(LostPicture, match=r"^step 7: row 'c': the engine's log-probs .* \(limit 0"):
        make().add(inputs([[-1.0, -2.0], [-1.0, -2.0], [-1.0, other]]), ours(), 7)


def test_what_is_no_token_of_the_model_does_not_count():
    """Padding, tokens whose log-prob the engine could not tell, and what a tool answered."""
    one = make()
    one.add(inputs([[-1.0, -9.0]] * 3, mask=[[1, 0]] * 3), ours(), 1)
    one.add(inputs([[-1.0, NAN]] * 3), ours(), 1)
    one.add(inputs([[-1.0, -9.0]] * 3, tool_mask=torch.tensor([[1, 0]] * 3)), ours(), 1)
    assert one.flush(lambda own: own) == {"mismatch/mean": 0.0, "mismatch/max": 0.0}
    one.add(inputs([[NAN, NAN]] * 3), ours(), 1)
    assert one.flush(lambda own: own) == {}


def test_the_policy_that_sampled_is_compared_not_a_later_one():
    one = make()
    later = torch.full((3, 2), -5.0)
    one.add(inputs([[-1.0, -2.0]] * 3, old_per_token_logps=ours()), later, 1)
    assert one.flush(lambda own: own)["mismatch/max"] == 0


def test_a_log_prob_that_is_no_number_stops_the_run():
    with pytest.raises(LostPicture):
        make().add(inputs([[-math.inf, -2.0]] * 3), ours(), 1)


def test_without_a_limit_nothing_is_compared():
    one = make(math.inf)
    one.add(inputs([[-9.0, -9.0]] * 3), ours(), 1)
    assert one.values == []


def test_all_processes_together():
    one = make()
    one.add(inputs([[-1.0, -2.1]] * 3), ours(), 1)
    other = torch.tensor([[0.0, 0.0, 0.0], [0.06, 1.0, 0.06]])
    found = one.flush(lambda own: torch.cat([own, other]))
    assert found == pytest.approx({"mismatch/mean": 0.21 / 4, "mismatch/max": 0.06}, abs=1e-6)
