"""Differences between runs."""

import json

import numpy as np
import pytest
from tests.evaluation.written import write_evaluation

from noisygrpo.errors import UserError
from noisygrpo.evaluation.compare import compare_runs, find_tasks, group_by_method
from noisygrpo.report.comparison import comparison_table


def draws(seed, share, n=300):
    return np.random.default_rng(seed).random(n) < share


def test_two_evaluations(tmp_path):
    a = write_evaluation(tmp_path / "grpo", [1, 0, 0, 0, 1, 1, 0, 0])
    b = write_evaluation(tmp_path / "noisygrpo", [1, 1, 1, 1, 1, 1, 1, 0])
    found = compare_runs([a, b])
    (item,) = found.differences
    assert (item.task, item.baseline, item.method) == ("test", "grpo", "noisygrpo")
    assert item.difference == 0.5
    assert item.test == "mcnemar-exact"
    assert item.p_value == item.p_holm == 2 * 1 / 16
    assert [method.accuracy for method in found.tasks["test"]] == [3 / 8, 7 / 8]
    json.dumps(found.to_dict(), allow_nan=False)


def test_seeds_are_one_method_and_widen_the_interval(tmp_path):
    # One seed of the method is much better, two are not: few seeds must not look certain.
    for label, shares in {"grpo": (0.5, 0.5, 0.5), "noisy": (0.5, 0.5, 0.8)}.items():
        for seed, share in enumerate(shares):
            write_evaluation(tmp_path / f"{label}-seed{seed}", draws((seed, len(label)), share))
    paths = sorted(tmp_path.iterdir())
    found = compare_runs(paths, resamples=2000)
    (item,) = found.differences
    assert [len(method.runs) for method in found.tasks["test"]] == [3, 3]
    assert item.low < 0 < item.difference < item.high
    assert compare_runs(paths, resamples=2000) == found
    averaged = compare_runs([paths[0], paths[-1]], resamples=2000).differences[0]
    assert averaged.low > 0
    assert found.tasks["test"][1].stderr > averaged.difference / 5


def test_tasks_of_training_runs_and_holm(tmp_path):
    for label, share in {"a": 0.4, "b": 0.6}.items():
        for task in ("test", "more"):
            folder = tmp_path / label / "evaluation" / "after" / task
            write_evaluation(folder, draws(len(label + task) + ord(label), share))
            write_evaluation(tmp_path / label / "evaluation" / "before" / task, draws(0, 0.1))
    assert [*find_tasks(tmp_path / "a")] == ["more", "test"]
    write_evaluation(tmp_path / "a" / "evaluation" / "after" / "absent", draws(0, 0.5))
    found = compare_runs([tmp_path / "a", tmp_path / "b"])
    assert found.left_out == ("absent",)
    assert comparison_table(found).endswith("not in every run, left out: absent")
    first, second = sorted(found.differences, key=lambda item: item.p_value)
    assert first.p_holm == min(1.0, 2 * first.p_value)
    assert second.p_holm == max(first.p_holm, second.p_value)


def test_clusters_count(tmp_path):
    clusters = [str(i // 6) for i in range(60)]
    a = write_evaluation(tmp_path / "a", np.repeat(draws(1, 0.4, 10), 6), clusters=clusters)
    b = write_evaluation(tmp_path / "b", np.repeat(draws(2, 0.7, 10), 6), clusters=clusters)
    (item,) = compare_runs([a, b]).differences
    assert item.clusters == 10
    assert item.test.startswith("cluster-permutation")


def test_labels(tmp_path):
    for name in ("x-seed1", "x-s2", "y.3"):
        (tmp_path / name).mkdir()
    one, two, three = (str(tmp_path / name) for name in ("x-seed1", "x-s2", "y.3"))
    assert [*group_by_method([one, two, three])] == ["x", "y.3"]
    assert [*group_by_method([f"a={one}", f"b={two}", f"a={three}"])] == ["a", "b"]


def test_what_cannot_be_compared(tmp_path):
    a = write_evaluation(tmp_path / "a", [1, 0, 1])
    b = write_evaluation(tmp_path / "b", [1, 0])
    c = write_evaluation(tmp_path / "c", [1, 0, 1], name="other")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"not evaluated on the same samples.*row-2"):
        compare_runs([a, b])
    (b / "result.json").unlink()
    with pytest.raises(UserError, match=r"unfinished.*run it again"):
        compare_runs([a, b])
    with pytest.raises(UserError, match="no task is common"):
        compare_runs([a, c])
    with pytest.raises(UserError, match="one method"):
        compare_runs([a])
    with pytest.raises(UserError, match="holds no evaluation"):
        compare_runs([a, tmp_path / "empty"])
    with pytest.raises(UserError, match="not a folder"):
        compare_runs([a, tmp_path / "nowhere"])
