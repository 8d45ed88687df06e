"""Which metric a noise level counts in."""

import math

import pytest

from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.records.level_bins import TENTHS, LevelBins

BY_12 = {"num_generations": 12, "per_device_train_batch_size": 12}


def test_tenths_hold_levels_up_to_their_edge():
    bins = LevelBins()
    assert [bins.bin(tenth / 10) for tenth in range(11)] == list(range(11)) and len(bins) == 11
    assert [bins.bin(level) for level in (0.0, 1e-4, 1e-3, 0.1001, 0.101, 0.95, 1.0)] == [
        0, 1, 1, 1, 2, 10, 10,
    ]  # fmt: skip
    assert bins.means([1.0, 3.0, math.nan, 5.0], [0.0, 0.0, 0.3, 0.25], "reward") == {
        "reward/level_0.0": 2.0,
        "reward/level_0.3": 5.0,
    }


def test_levels_of_a_grid_are_metrics_of_their_own():
    bins = LevelBins((0.083, 0.102, 0.115, 0.5))
    levels = [0.0, 0.083, 0.102, 0.115, 0.5, 0.1016]
    assert [bins.bin(level) for level in levels] == [0, 1, 2, 3, 4, 2]
    names = ["level_0.0", "level_0.083", "level_0.102", "level_0.115", "level_0.5"]
    assert [bins.name(number) for number in range(len(bins))] == names
    assert list(bins.means([1.0] * 6, levels, "reward")) == [f"reward/{name}" for name in names]


@pytest.mark.parametrize(
    ("changes", "edges"),
    [
        ({"method": "noisygrpo"}, (0.3, 0.6, 0.9)),
        ({"method": "noisygrpo", "noise_levels": [0.0, 0.102, 0.083, 0.102]}, (0.083, 0.102)),
        ({"method": "noisygrpo", "noise_levels": [0.0, 1 / 3]}, (0.333,)),
        ({"method": "noisygrpo", "view_plan": "split", "noise_levels": [0.11]}, (0.11,)),
        # what moves, or is drawn, or is many
        ({"method": "noisyrollout", "noise_levels": [0.11]}, TENTHS),
        ({"method": "noisygrpo", "view_plan": "uniform", "noise_levels": [0.05, 0.11]}, TENTHS),
        ({"method": "noisygrpo", "noise_levels": [k / 100 for k in range(12)], **BY_12}, TENTHS),
        ({"method": "grpo"}, TENTHS),
    ],
)
def test_bins_of_a_run(tmp_path, changes, edges):
    config = NoisyGRPOConfig(output_dir=str(tmp_path), bf16=False, use_cpu=True, **changes)
    assert LevelBins.of(config).edges == edges
