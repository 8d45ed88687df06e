"""How the parts of a check are printed."""

from noisygrpo.check.page import shorten


def test_terminal_codes_of_a_model_are_not_printed():
    assert shorten("\x1b[2Jgone\x07") == "�[2Jgone�"
    assert shorten("one\ntwo") == "one two"
