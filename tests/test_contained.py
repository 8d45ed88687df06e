"""However a user's function ends, one line says so."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from noisygrpo.contained import UserCodeError, contained


def forever():
    while True:
        pass


def alarm():
    """What graders do that limit their own time; it must not switch our limit off."""
    signal.alarm(0)
    time.sleep(60)


def caught():
    try:
        time.sleep(60)
    except BaseException:
        time.sleep(60)


ENDLESS = {
    "python": forever,
    "sleep": lambda: time.sleep(60),
    "lock": lambda: threading.Event().wait(60),
    "pattern": lambda: re.match("(a+)+$", "a" * 40 + "b"),  # never lets a thread of ours run
    "number": lambda: 9**9**8,  # nor does this
    "alarm": alarm,
    "caught": caught,
}


def how_it_ends(function, seconds=0.2):
    with pytest.raises(UserCodeError) as found, contained(seconds, "my_limit"):
        function()
    return str(found.value)


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_is_interrupted(name):
    started = time.monotonic()
    said = how_it_ends(ENDLESS[name])
    assert re.fullmatch(r"is not done after my_limit 0\.2 s \(test_contained\.py:\d+\)", said)
    assert time.monotonic() - started < 20


def test_also_where_it_runs_in_a_thread():
    said = []
    thread = threading.Thread(target=lambda: said.append(how_it_ends(forever)), daemon=True)
    thread.start()
    thread.join(20)
    assert said and "is not done after" in said[0]


EXITS = {
    "sys": (sys.exit, "asks the process to exit: exit()"),
    "zero": (lambda: sys.exit(0), "asks the process to exit: exit(0)"),
    "os": (lambda: os._exit(0), "asks the process to exit: os._exit(0)"),
    "error": (lambda: 1 / 0, "raises ZeroDivisionError: division by zero"),
}


@pytest.mark.parametrize("name", EXITS)
def test_an_exit_is_an_end_like_any_other(name):
    function, said = EXITS[name]
    assert how_it_ends(function).startswith(said)


def test_a_process_that_the_function_starts_may_leave():
    with contained(None):
        process = multiprocessing.get_context("fork").Process(target=int)
        process.start()
        process.join(20)
    assert process.exitcode == 0


def test_nothing_of_it_is_left_afterwards():
    with contained(0.1):
        pass
    time.sleep(0.3)
    with contained(60), pytest.raises(UserCodeError), contained(0.1):
        time.sleep(60)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


STUBBORN = """
import ctypes, sys, time
from noisygrpo import contained
contained.LAST, contained.AGAIN = 0.4, 0.1
def stubborn():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
def keeps_the_lock():
    ctypes.PyDLL(None).sleep(60)
with contained.contained(0.2, hard=True):
    vars()[sys.argv[1]]()
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [("stubborn", "out of time does not stop"), ("keeps_the_lock", "in keeps_the_lock")],
)
def test_what_does_not_let_itself_be_interrupted_ends_the_process(name, said):
    done = subprocess.run(
        [sys.executable, "-c", STUBBORN, name],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 1 and said in done.stderr
