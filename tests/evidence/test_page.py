from pathlib import Path

import pandas as pd
import pytest
from benchmarks.evidence.arms import ARMS
from benchmarks.evidence.main import NAMES
from benchmarks.evidence.main import made as every_table
from benchmarks.evidence.page import fill, write
from benchmarks.evidence.tables import Tables
from tests.evidence import made

from noisygrpo.errors import UserError

PAGE = Path(__file__).parents[2] / "docs" / "evidence.md"
TEXT = (
    "# A\n\n<!-- evidence: one -->\n\nold\n\n<!-- end -->\n\nkept\n\n"
    "<!-- evidence: two -->\n<!-- end -->\n"
)


def test_places_are_filled_and_all_else_is_kept():
    filled = fill(TEXT, {"one": "| a |\n\\1", "two": "b", "three": "unused"})
    assert filled == (
        "# A\n\n<!-- evidence: one -->\n\n| a |\n\\1\n\n<!-- end -->\n\nkept\n\n"
        "<!-- evidence: two -->\n\nb\n\n<!-- end -->\n"
    )
    assert fill(filled, {"one": "x", "two": "y"}) == fill(TEXT, {"one": "x", "two": "y"})


def test_what_cannot_be_filled_is_one_message(tmp_path):
    with pytest.raises(UserError, match="no table is called one, two; there are three"):
        fill(TEXT, {"three": ""})
    with pytest.raises(UserError, match="the page has no line"):
        fill("# A\n", {})
    with pytest.raises(UserError, match="there is no such file"):
        write(tmp_path / "none.md", {})


def test_places_of_what_was_not_made_stay():
    assert fill(TEXT, {"two": "b"}, ["one", "two"]) == TEXT.replace(
        "two -->\n<!--", "two -->\n\nb\n\n<!--"
    )
    with pytest.raises(UserError, match="no table is called one; there are three, two"):
        fill(TEXT, {"two": "b"}, ["three"])


def test_the_page_of_the_documentation_can_be_filled():
    tables = Tables(
        made.verdicts({"grpo": 0.0}),
        made.dynamics(["grpo"]),
        pd.concat([made.runs(["grpo"]), made.runs(["grpo"], stage=2, state="missing")]),
        resamples=200,
    )
    text = fill(PAGE.read_text(), every_table(tables), NAMES)
    before = PAGE.read_text()
    placed = [name for name in NAMES if f"<!-- evidence: {name} -->" in before]
    assert set(NAMES) - set(placed) == {"calibration-1"}  # of stage 1 no model remains
    for name in placed:
        was, now = (one.split(f"<!-- evidence: {name} -->")[1] for one in (before, text))
        same = was.split("<!-- end -->")[0] == now.split("<!-- end -->")[0]
        assert same == name.endswith("-2"), name


def test_every_arm_is_registered_in_advance():
    text = PAGE.read_text()
    for arm in ARMS.values():
        assert text.count(f"`{arm.name}`") >= 2, arm.name
        assert f"`{arm.method}`" in text
