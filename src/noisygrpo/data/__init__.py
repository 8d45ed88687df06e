"""Rows of any source become the one example format; nothing else knows a data set's columns."""

from noisygrpo.data.example import FEATURES, KEYS, check_example, make_example, make_prompt

__all__ = [
    "FEATURES",
    "KEYS",
    "check_example",
    "make_example",
    "make_prompt",
]
