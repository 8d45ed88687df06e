"""Demonstrations, careful and hasty."""

import numpy as np

from noisygrpo.playground.teacher import HASTY_THOUGHT, demonstration


def test_the_hasty_share_is_the_share_of_turns_without_looking():
    rng = np.random.default_rng(0)
    turns = [text for _ in range(150) for _, text in demonstration(rng, 3, 0.6)[1]]
    assert 0.53 < sum(HASTY_THOUGHT in text for text in turns) / len(turns) < 0.67
    careful = [text for _ in range(20) for _, text in demonstration(rng, 3, 0.0)[1]]
    assert not any(HASTY_THOUGHT in text for text in careful)
