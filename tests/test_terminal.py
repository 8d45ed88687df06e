"""What is printed cannot steer a terminal."""

import io
import sys

import pytest

from noisygrpo.cli import main
from noisygrpo.terminal import Loudness, fail, note, one_line, printable, say, speak

GONE = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "plain, ünïcode, 日本, \N{ZERO WIDTH JOINER}",
            "plain, ünïcode, 日本, \N{ZERO WIDTH JOINER}",
        ),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("windows\r\nline", "windows\nline"),
        ("\x1b[2J\x1b]0;title\x07", f"{GONE}[2J{GONE}]0;title{GONE}"),
        ("\x9b31mred", f"{GONE}31mred"),  # C1: an escape sequence in one character
        ("over\rwritten", f"over{GONE}written"),
        ("back\x08\x7f", f"back{GONE}{GONE}"),
        ("gpj\u202eexe", f"gpj{GONE}exe"),  # right to left: "exe.jpg"
        ("isolated\u2066\u2069", f"isolated{GONE}{GONE}"),
        ("half \ud83d", f"half {GONE}"),
        ("nul\0\x0b\x0c\u2028", f"nul{GONE}{GONE}{GONE}{GONE}"),
        ("مرحبا\u200f", "مرحبا\u200f"),
    ],
)
def test_what_steers_is_replaced(text, shown):
    assert printable(text) == shown


def test_one_line_has_no_line_breaks():
    assert one_line(" a\n\tb \x1b[A") == f"a b {GONE}[A"


def test_say_prints_on_both_streams(capsys):
    say("a\x1bb")
    say("c\x1bd", error=True, end="")
    assert capsys.readouterr() == (f"a{GONE}b\n", f"c{GONE}d")


def test_an_error_about_what_the_user_wrote_is_one_line(capsys):
    assert main(["train", "a\x1b[31m\nb.yaml"]) == 2
    error = capsys.readouterr().err
    assert error == f"error: a{GONE}[31m b.yaml: there is no such file\n"


@pytest.mark.parametrize(
    ("terminal", "allowed", "environment", "colours"),
    [
        (True, True, {}, True),
        (True, False, {}, False),
        (False, True, {}, False),
        (True, True, {"NO_COLOR": "1"}, False),
        (True, True, {"NO_COLOR": ""}, True),  # as no-color.org has it
        (True, True, {"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    terminal, allowed, environment, colours, monkeypatch
):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    speak(color=allowed)
    fail("a \x1b[2J thing")
    speak()
    word = "\x1b[1;31merror:\x1b[0m" if colours else "error:"
    assert stream.getvalue() == f"{word} a {GONE}[2J thing\n"


def test_quiet_leaves_out_what_one_may_watch(capsys):
    speak(Loudness.QUIET)
    note("a step")
    say("a result")
    fail("an error")
    speak()
    note("a step")
    assert capsys.readouterr() == ("a result\na step\n", "error: an error\n")
