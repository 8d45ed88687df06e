"""What a function logs is looked at while it runs: a number, or a value for each completion."""

import json
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from noisygrpo.rewards.guard import Guard, RewardError
from noisygrpo.rewards.logs import OF_THE_TRAINER, cells


def ask(call, count=4):
    """Guard a function that logs; returns what reached TRL's functions, by name."""
    metrics, columns = {}, {}

    def function(completions, log_metric, log_extra, **rest):
        call(SimpleNamespace(metric=log_metric, extra=log_extra))
        return [1.0] * len(completions)

    given = {
        "prompts": ["?"] * count,
        "completions": list("abcd")[:count],
        "example_id": [f"row-{row}" for row in range(count)],
        "trainer_state": SimpleNamespace(global_step=2),
        "log_metric": lambda name, value: metrics.setdefault(name, []).append(value),
        "log_extra": columns.__setitem__,
    }
    assert Guard(function, "mine").ask(given) == [1.0] * count
    return metrics, columns


def fails(call):
    with pytest.raises(RewardError) as found:
        ask(call)
    line = str(found.value)
    assert line.startswith("reward 'mine', step 3, row 'row-0' to 'row-3': raises ")
    assert "(test_logs.py:" in line and "\n" not in line
    return line


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (True, 1.0),
        (Fraction(1, 4), 0.25),
        (Decimal("0.25"), 0.25),
        (np.float32(0.5), 0.5),
        (np.bool_(True), 1.0),
        (np.array([2]), 2.0),
        (torch.tensor(2.0, requires_grad=True), 2.0),
        (torch.tensor([[2]]), 2.0),
        (torch.tensor(2, dtype=torch.bfloat16), 2.0),
    ],
)
def test_numbers_of_any_library_are_metrics(value, number):
    metrics, _ = ask(lambda log: log.metric("width", value))
    assert metrics == {"width": [number]} and type(metrics["width"][0]) is float


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), 10**400, np.nan, 1e39])
def test_nothing_and_what_is_not_finite_is_not_logged(value):
    assert ask(lambda log: log.metric("width", value))[0] == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("wide", "'wide' is not a number"),
        ("0.5", "'0.5' is not a number"),
        ({"a": 1}, "{'a': 1} is not a number"),
        ([1, 2], "[1, 2] is not a number"),
        ([1], "[1] is not a number"),
        (1j, "1j is not a number"),
        (np.zeros(2), "[0.0, 0.0] is not a number"),
        (torch.ones(0), "[] is not a number"),
    ],
)
def test_what_is_no_number_is_named_with_function_and_line(value, said):
    line = fails(lambda log: log.metric("width", value))
    assert f"raises TypeError: log_metric('width'): {said} (test_logs.py:" in line


@pytest.mark.parametrize("name", [None, 3, "", "  ", ["width"]])
def test_a_name_is_a_text(name):
    assert "log_metric: the name " in fails(lambda log: log.metric(name, 1.0))
    assert "log_extra: the name " in fails(lambda log: log.extra(name, [1] * 4))


@pytest.mark.parametrize("name", ["loss", "reward", "step", "kl", "rewards/mine/mean", "time/mine"])
def test_a_metric_of_the_trainers_is_not_replaced(name):
    line = fails(lambda log: log.metric(name, 5.0))
    assert f"log_metric: {name!r} is a metric of the trainer's; use another name" in line


def test_names_of_ones_own_are_free():
    names = ["width", "my/width", "noise", "loss_of_mine", "judge/agreement"]
    metrics, _ = ask(lambda log: [log.metric(name, 1) for name in names])
    assert list(metrics) == names


def test_every_plain_metric_of_a_step_is_known(recipe_file, run_cli, tmp_path):
    """So that a new one of TRL's or ours is not replaced either."""
    out = tmp_path / "run"
    assert run_cli("train", recipe_file(), "--output-dir", out, "--no-evaluation")[0] == 0
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    plain = {name for line in lines for name in line if "/" not in name}
    assert plain and plain <= OF_THE_TRAINER


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([1, 2, 3, None], [1, 2, 3, None]),
        (("a", "b", "c", "d"), ["a", "b", "c", "d"]),
        (np.arange(4), [0, 1, 2, 3]),
        (torch.tensor([0.5] * 4), [0.5] * 4),
        ((letter for letter in "wxyz"), ["w", "x", "y", "z"]),
        ([np.float64(0.5), torch.tensor(1), 2, None], [0.5, 1, 2, None]),
        ([True, np.bool_(False), None, True], [True, False, None, True]),
        ([1, "a", None, True], ["1", "a", None, "True"]),
        ([True, 0, 1, 2], ["True", "0", "1", "2"]),
        ([{"a": 1}, [1], 2, 3], ["{'a': 1}", "[1]", "2", "3"]),
        ([2**63, 1, 2, 3], [str(2**63), "1", "2", "3"]),
        (["\x1b[2J", "a\udc80", "b", "c"], ["�[2J", "a\\udc80", "b", "c"]),
    ],
)
def test_a_column_is_of_one_kind(values, kept, tmp_path):
    import pandas as pd

    _, columns = ask(lambda log: log.extra("seen", values))
    assert columns == {"seen": kept}
    pd.DataFrame(columns).to_parquet(tmp_path / "table.parquet")


def test_the_second_of_two_columns_of_a_name_counts():
    _, columns = ask(lambda log: [log.extra("seen", [1] * 4), log.extra("seen", [2] * 4)])
    assert columns == {"seen": [2] * 4}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1], "1 values for 4 completions"),
        ([1] * 5, "5 values for 4 completions"),
        ([], "0 values for 4 completions"),
        (None, "a NoneType for 4"),
        (1.0, "a float for 4"),
        ("abcd", "a str for 4"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, "a dict for 4"),
        ({1, 2, 3, 4}, "a set for 4"),
        (torch.tensor(1.0), "a Tensor for 4"),
    ],
)
def test_a_column_has_a_value_for_each_completion(values, said):
    line = fails(lambda log: log.extra("seen", values))
    assert f"raises ValueError: log_extra('seen'): {said}" in line


@pytest.mark.parametrize("column", ["prompt", "completion", "step", "advantage", "example_id"])
def test_a_column_of_the_table_is_not_replaced(column):
    line = fails(lambda log: log.extra(column, [1] * 4))
    assert f"log_extra: {column!r} is a column of the table already; use another name" in line


def test_cells_of_arrays_within_a_column_are_texts():
    assert cells([np.zeros(2), np.zeros(1)]) == ["[0. 0.]", "[0.]"]
