"""Tables for a terminal and for Markdown."""

import pytest

from noisygrpo.errors import UserError
from noisygrpo.report.table import before_after_table, results_table, table

SUMMARY = {
    "test": {
        "before": {"accuracy": 0.5, "stderr": 0.02, "n": 600},
        "after": {"accuracy": 0.631, "stderr": 0.0197, "n": 600},
        "difference": {"difference": 0.131, "low": 0.09, "high": 0.17},
    },
    "more": {
        "before": {"accuracy": 0.4, "stderr": None, "n": 60},
        "after": {"accuracy": 0.38, "stderr": 0.06, "n": 60},
    },
}


def test_text_table():
    lines = before_after_table(SUMMARY).split("\n")
    assert len({len(line) for line in lines}) == 1
    assert "50.0 ± 2.0" in lines[2]
    assert "63.1 ± 2.0" in lines[2]
    assert lines[2].endswith("+13.1 [+9.0, +17.0]")
    assert lines[3].endswith("-2.0")


def test_cells_are_shown_as_they_are_and_as_wide_as_they_look():
    rows = [["日本", "[red]1"], ["a\nb\x1b[2J", "2"], ["x" * 300, ""]]
    lines = table(["name", "n"], rows).split("\n")
    assert lines[2] == "日本" + " " * 296 + "  [red]1"  # a letter is two columns wide
    assert lines[3].startswith("a b\N{REPLACEMENT CHARACTER}[2J ") and lines[3].endswith(" 2")
    assert lines[4].startswith("x" * 300)
    assert table(["a|b"], [], "markdown").startswith("| a\\|b |")


def test_no_setting_of_the_terminal_colours_or_folds_a_table(monkeypatch):
    plain = before_after_table(SUMMARY)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("COLUMNS", "5")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert before_after_table(SUMMARY) == plain
    assert table(["only", "a header"], []) == "only  a header\n──────────────"


def test_markdown_table():
    lines = before_after_table(SUMMARY, "markdown").split("\n")
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: |"
    assert lines[3] == "| more | 60 | 40.0 | 38.0 ± 6.0 | -2.0 |"


def test_results_table_and_unknown_style():
    assert "0.0 ± 0.0" in results_table({"a": {"accuracy": 0.0, "stderr": 0.0, "n": 3}})
    with pytest.raises(UserError, match="html"):
        before_after_table(SUMMARY, "html")


def test_a_cell_cannot_end_itself_in_markdown():
    assert table(["a"], [["x\\|y"]], "markdown").splitlines()[-1] == "| x\\\\\\|y |"
