"""Rollouts as text for a terminal."""

import pytest

from made_run import HOSTILE, LEVELS, record, records, write_run
from noisygrpo.errors import UserError
from noisygrpo.report.group_text import Asked, group_text


def test_the_last_step_and_its_first_prompt(tmp_path):
    text = group_text(write_run(tmp_path / "run"), Asked())
    assert text.count("step 4  rows-0") == 1 and text.count("#") == len(LEVELS)
    assert "#2  level 0.3  right  advantage +1.00  reward 2.00 (accuracy 1.00, format 1.00)" in text
    assert "gain 0.20" in text and "<answer>true</answer>" in text


def test_any_group_and_any_kind_of_rollout(tmp_path):
    folder = write_run(tmp_path / "run")
    text = group_text(folder, Asked(step=2, example="rows-2"))
    assert "step 2  rows-2" in text and text.count("#") == 4
    lines = records()
    down = [one for one in lines if one["rewards"]["accuracy"] == 1 and one["advantage"] < 0]
    counts = {
        "wrong": sum(one["rewards"]["accuracy"] == 0 for one in lines),
        "right": sum(one["rewards"]["accuracy"] == 1 for one in lines),
        "wrong_up": sum(one["rewards"]["accuracy"] == 0 and one["advantage"] > 0 for one in lines),
        "right_down": len(down),
        "prior_driven": sum(one["gain"] > 0.5 for one in lines), "cut_off": 1, "unscorable": 1,
    }  # fmt: skip
    for name, number in counts.items():
        found = group_text(folder, Asked(filters=(name,), most=99))
        assert found.count("\n#") == number, name
    assert "and 11 more (--most)" in group_text(folder, Asked(level=0.3, most=1))
    assert group_text(folder, Asked(text="NO.", most=99)).count("\n#") == counts["wrong"] + 1


def test_it_cannot_steer_a_terminal_and_cuts_what_is_long(tmp_path):
    lines = [record(1, 0, 0, 0.0, completion=HOSTILE), record(1, 0, 1, 0.0, completion="x" * 1000)]
    folder = write_run(tmp_path / "run", lines)
    text = group_text(folder, Asked())
    assert not any(mark in text for mark in "\x1b\u202e\u2028")
    assert "… 400 characters more (--full)" in text
    assert group_text(folder, Asked(full=True)).count("x") >= 1000


def test_the_command(tmp_path, run_cli):
    folder = write_run(tmp_path / "run")
    status, out, _ = run_cli("rollouts", folder, "--step", "3", "--example", "rows-1")
    assert status == 0 and "step 3  rows-1" in out
    assert run_cli("rollouts", folder, "--wrong-up", "--most", "1")[1].count("\n#") == 1
    for words, said in ((["--step", "9"], "steps go from 1 to 4"), (["--most", "0"], "--most")):
        status, _, error = run_cli("rollouts", folder, *words)
        assert status == 2 and said in error
    with pytest.raises(UserError, match="holds none"):
        group_text(tmp_path, Asked())


def test_rewards_that_are_no_numbers(tmp_path):
    nan = float("nan")
    lines = [
        record(1, 0, 0, 0.0, reward=nan, rewards={"accuracy": nan}),
        record(1, 0, 1, 0.0, rewards={"accuracy": "high"}, reward="high", advantage=None),
        record(1, 0, 2, 0.0, rewards=["?"], gain="?", noise_level="?", hint_ratio="?"),
    ]
    folder = write_run(tmp_path / "run", lines)
    text = group_text(folder, Asked())
    assert "#0  clean  unscorable  advantage" in text and "wrong" not in text
    assert "#1  clean  advantage –  reward – (accuracy –)" in text
    assert group_text(folder, Asked(filters=("unscorable",))).count("\n#") == 1
    with pytest.raises(UserError, match="none of"):
        group_text(folder, Asked(filters=("wrong",)))
