"""SIGTERM while the model is written: it is written, and then the run stops."""

import os
import signal

import pytest

from noisygrpo.runs.interrupt import NotFinished, saved_first, stopping_at_once


def test_what_is_being_saved_is_saved() -> None:
    before, done = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(NotFinished, match="the model is saved"), stopping_at_once(), saved_first():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("saved")
    assert done == ["saved"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_without_a_signal_nothing_happens() -> None:
    with saved_first():
        pass
