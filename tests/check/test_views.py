"""What other views cost, worked out by hand."""

from dataclasses import replace

import pytest

from noisygrpo.check.views import Tokens, distinct_views, sizes_of, view_lines
from noisygrpo.training.config import NoisyGRPOConfig

SIZES = Tokens(rollouts=32, prompt=100, completion=20, blind=10)


def config(tmp_path, **settings):
    batch = {"num_generations": 8, "per_device_train_batch_size": 32, "use_cpu": True}
    return NoisyGRPOConfig(str(tmp_path), report_to=[], bf16=False, **batch, **settings)


NOISY = {"method": "noisygrpo"}  # four levels in turn: a clean picture and six noisy ones a group
CASES = {
    "plain": ({}, []),
    # 4 prompts of 100 and 32 completions of 20; on own views 4 x 7 prompts
    "own": ({**NOISY, "score_view": "own"}, ["7 pictures", "3,440", "3.31"]),
    # 7 rows for one
    "all": ({**NOISY, "score_view": "all"}, ["7 rows", "7,280", "7.00 x"]),
    "rows": (
        {"second_view": "text", "shared_prefix": False},
        ["960 tokens", "before the update 1", "update none"],
    ),
    # of the loss's own log-probs, where nothing needs them sooner
    "shared": ({"second_view": "text"}, ["680 tokens", "update none"]),
    "weighed": (
        {"second_view": "text", "second_token_mask": 0.5},
        ["680 tokens", "one more forward on the scored view, 1,040 tokens"],
    ),
    "papo": ({"method": "papo"}, ["1,040 tokens", "update 1", "none"]),
    "exact": (
        {"method": "papo_exact", "num_iterations": 2, "shared_prefix": False},
        ["3,840", "before the update 0", "1 forward and backward x 2 updates"],
    ),
    "exact, logged": (
        {"method": "papo_exact", "second_metric": True},
        ["before the update 0", "1 forward and backward"],
    ),
    # 32 rows of 120 on the clean image
    "corrected": (
        {**NOISY, "view_correction": "geometric", "shared_prefix": False},
        ["of 24 noisy rollouts: at most 3,840 tokens", "gradient, on the scored view"],
    ),
    # 24 noisy rows of 120 besides
    "corrected by scoring": (
        {
            **NOISY,
            "view_correction": "geometric",
            "shared_prefix": False,
            "generation_kwargs": {"num_beams": 2},
        },
        ["6,720 tokens", "on what 24 noisy rollouts saw and on the scored view"],
    ),
    "corrected, old log-probs": (
        {**NOISY, "view_correction": "geometric", "num_iterations": 3},
        ["of 24 noisy rollouts: no forward more"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_lines_hold_the_numbers(tmp_path, case):
    settings, expected = CASES[case]
    said = " | ".join(view_lines(config(tmp_path, **settings), SIZES))
    assert bool(said) == bool(expected)
    for part in expected:
        assert part in said, said
    assert ("one more forward" in said) == (case == "weighed")


@pytest.mark.parametrize(("family", "tokens"), [("qwen2_5_vl", "1,040"), ("gemma3", "3,840")])
def test_a_family_that_reads_rows_pays_for_them(tmp_path, family, tokens):
    made = config(tmp_path, method="papo")
    sizes = sizes_of(made, family, 32, 100, 10)
    said = " | ".join(view_lines(made, replace(sizes, completion=20)))
    assert f"{tokens} tokens a forward" in said


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 1),
        (NOISY, 7),
        ({"method": "noisyrollout"}, 2),
        ({"method": "vision_matters"}, 1),
        ({**NOISY, "noise_levels": [0.0, 0.5]}, 5),
    ],
)
def test_distinct_views(tmp_path, settings, count):
    assert distinct_views(config(tmp_path, **settings)) == count
