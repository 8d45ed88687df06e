"""Progress on a terminal and in a log file."""

import fcntl
import gc
import io
import os
import pty
import re
import struct
import termios

from noisygrpo.evaluation.progress import Progress


def read_until(terminal, end):
    """What was written to a terminal, which arrives in pieces."""
    shown = b""
    while end.encode() not in shown:
        shown += os.read(terminal, 4096)
    return shown.decode()


def test_a_log_file_gets_plain_lines_at_intervals(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    log = io.StringIO()
    progress = Progress("te\x1bst", 10, done=2, stream=log, log_seconds=30)
    for seconds in (10.0, 31.0, 40.0, 62.0):
        now[0] = seconds
        progress.advance(2, f"accuracy {seconds / 100:.2f}")
    # 8 samples are left at the beginning; after 4 in 31 seconds the other 4 take 31 as well.
    assert log.getvalue().split("\n") == [
        "te\N{REPLACEMENT CHARACTER}st (continued): 2/10 · ? left",
        "te\N{REPLACEMENT CHARACTER}st (continued): 6/10 · 00:31 left, accuracy 0.31",
        "te\N{REPLACEMENT CHARACTER}st (continued): 10/10 · took 01:02, accuracy 0.62",
        "",
    ]


def test_a_terminal_gets_a_bar_with_the_remaining_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        progress = Progress("test", 4, stream=stream)
        for seconds in (60.0, 120.0):
            now[0] = seconds
            progress.advance(2)
        shown = read_until(ours, "02:00")
    os.close(ours)
    first, half, last = [line.rstrip() for line in shown.split("\r") if line.strip()]
    assert re.fullmatch(r"test: 0/4 \| +\| \? left", first)
    assert re.fullmatch(r"test: 2/4 \|█+ +\| 01:00 left", half)
    assert last == "test: 4/4 · took 02:00"


def test_nothing_is_shown_behind_an_error():
    log = io.StringIO()
    progress = Progress("test", 4, stream=log)
    log.write("error\n")
    del progress
    gc.collect()
    assert log.getvalue() == "test: 0/4 · ? left\nerror\n"


def test_a_terminal_without_a_width_is_a_log_file():
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        Progress("test", 1, stream=stream).advance(1)
        assert read_until(ours, "took").startswith("test: 0/1 · ? left\r\ntest: 1/1 · took")
    os.close(ours)
