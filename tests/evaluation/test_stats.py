import math

import numpy as np
import pytest

from noisygrpo.errors import UserError
from noisygrpo.evaluation.over_seeds import difference_over_seeds
from noisygrpo.evaluation.stats import (
    accuracy_with_stderr,
    holm,
    mcnemar_exact,
    mean_with_stderr,
    paired_difference,
    paired_values,
)


def test_independent_samples_give_the_usual_standard_error():
    result = accuracy_with_stderr([1, 1, 1, 0], None)
    # sample variance 3 * (1/4)^2 + (3/4)^2 = 0.75 over 3, divided by n
    assert result.accuracy == 0.75
    assert result.stderr == pytest.approx(math.sqrt(0.75 / 3 / 4))
    assert (result.n, result.clusters) == (4, 4)


def test_copies_of_a_sample_in_one_cluster_add_no_precision():
    once = accuracy_with_stderr([1, 0, 1, 1], ["a", "b", "c", "d"])
    six_times = accuracy_with_stderr(
        [v for v in [1, 0, 1, 1] for _ in range(6)], [c for c in "abcd" for _ in range(6)]
    )
    assert six_times.stderr == pytest.approx(once.stderr)
    assert six_times.n == 24


def test_clusters_of_different_size_by_hand():
    # p = 3/5; deviations of cluster a: 2 * 0.4, of b: 0.4 - 2 * 0.6
    result = accuracy_with_stderr([1, 1, 1, 0, 0], ["a", "a", "b", "b", "b"])
    assert result.stderr == pytest.approx(math.sqrt(2 * (0.8**2 + 0.8**2)) / 5)


def test_one_cluster_has_no_standard_error_and_stays_json():
    result = accuracy_with_stderr([1, 0], ["a", "a"])
    assert math.isnan(result.stderr)
    assert result.to_dict()["stderr"] is None


def test_coverage_of_the_standard_error_under_clustering():
    rng = np.random.default_rng(0)
    labels, inside = [str(c) for c in range(60) for _ in range(6)], 0
    for _ in range(300):
        scores = np.repeat(rng.random(60) < 0.6, 6).astype(float)
        result = accuracy_with_stderr(scores, labels)
        inside += abs(result.accuracy - 0.6) < 1.96 * result.stderr
    assert 0.91 < inside / 300 < 0.98


def test_mcnemar_by_hand():
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(3, 3) == 1.0
    assert mcnemar_exact(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar_exact(0, 5000) == 0.0 or mcnemar_exact(0, 5000) < 1e-300
    assert mcnemar_exact(2400, 2600) == pytest.approx(0.00485, rel=0.02)  # normal approximation


def test_paired_difference_of_independent_verdicts_uses_mcnemar():
    before, after = [0, 0, 0, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1, 0, 1]
    paired = paired_difference(before, after)
    assert paired.difference == 0.5
    assert (paired.wins, paired.losses, paired.test) == (5, 1, "mcnemar-exact")
    assert paired.p_value == pytest.approx(14 / 64)
    assert paired.low < 0.5 < paired.high


def test_paired_difference_of_clusters_flips_whole_clusters():
    # Three clusters of two, all won: the sign patterns +++ and --- are as extreme, 2 of 8.
    paired = paired_difference([0] * 6, [1] * 6, list("aabbcc"))
    assert (paired.test, paired.p_value, paired.clusters) == ("cluster-permutation-exact", 0.25, 3)
    assert (paired.low, paired.high) == (1.0, 1.0)


def test_many_clusters_are_drawn_and_deterministic():
    rng = np.random.default_rng(1)
    before, after = rng.random(400) < 0.5, rng.random(400) < 0.66
    labels = [str(i // 4) for i in range(400)]
    first, second = (paired_difference(before, after, labels, resamples=2000) for _ in range(2))
    assert first == second
    assert first.test == "cluster-permutation"
    assert 0 < first.p_value < 0.05
    assert first.low < first.difference < first.high
    swapped = paired_difference(after, before, labels, resamples=2000)
    assert swapped.difference == -first.difference


def test_no_difference_is_never_significant():
    same = paired_difference([1, 0, 1], [1, 0, 1], ["a", "a", "b"])
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: accuracy_with_stderr([]),
        lambda: accuracy_with_stderr([1, 0], ["a"]),
        lambda: paired_difference([1], [1, 0]),
        lambda: paired_difference([1, 0], [1, 0], resamples=3),
    ],
)
def test_wrong_input_is_a_user_error(call):
    with pytest.raises(UserError):
        call()


def test_holm_golden():
    # sorted .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04 and so .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_counts_a_comparison_that_could_not_be_made():
    corrected = holm([math.nan, 0.01, 0.02])
    assert math.isnan(corrected[0])
    assert corrected[1:] == pytest.approx([0.03, 0.04])


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1.5, -0.5, "x"])
def test_what_is_no_score_is_refused(wrong):
    for call in (
        lambda: accuracy_with_stderr([1.0, wrong]),
        lambda: paired_difference([1.0, 0.0], [wrong, 0.0]),
        lambda: difference_over_seeds([[1.0, wrong]], [[1.0, 0.0]], ["a", "a"]),
    ):
        with pytest.raises(UserError, match=r"is a score, allowed|is no number"):
            call()


def test_rewards_may_be_any_finite_number():
    assert mean_with_stderr([3.0, -1.0]).accuracy == 1.0
    assert paired_values([3.0, -1.0], [4.0, 0.0]).difference == 1.0
    with pytest.raises(UserError, match="nan"):
        paired_values([float("nan")], [0.0])
