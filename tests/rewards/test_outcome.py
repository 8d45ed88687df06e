import copy
import math

import torch

from noisygrpo.rewards import UNSCORABLE, UNSCORABLE_BITS, is_unscorable


def test_it_is_a_nan_with_a_name() -> None:
    assert math.isnan(UNSCORABLE)
    assert repr(UNSCORABLE) == "UNSCORABLE"
    assert is_unscorable(UNSCORABLE)
    assert is_unscorable(copy.deepcopy(UNSCORABLE))
    assert is_unscorable(float(UNSCORABLE))


def test_nothing_else_is_unscorable() -> None:
    for value in (None, math.nan, math.inf, 0.0, 1.0):
        assert not is_unscorable(value)


def test_it_survives_the_tensors_through_which_trl_sends_rewards() -> None:
    column = torch.tensor([UNSCORABLE, torch.nan, 1.0], dtype=torch.float32)
    rewards = torch.zeros(3, 2)
    rewards[:, 1] = column
    sent = torch.cat([rewards, rewards.clone()])
    lost = (sent.view(torch.int32) == UNSCORABLE_BITS).any(1)
    assert lost.tolist() == [True, False, False] * 2
    assert is_unscorable(sent[0, 1].item())
    assert not is_unscorable(sent[1, 1].item())


def test_a_plain_sum_skips_it_as_it_skips_none() -> None:
    rewards = torch.tensor([[UNSCORABLE, 1.0], [torch.nan, 1.0], [1.0, 1.0]])
    assert (rewards * torch.tensor([1.0, 0.5])).nansum(1).tolist() == [0.5, 0.5, 1.5]
