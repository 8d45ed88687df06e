"""``noisygrpo env``: the versions and devices that a bug report needs."""

from __future__ import annotations

import argparse

from noisygrpo.runs.environment import environment
from noisygrpo.terminal import say

SUMMARY = "Print versions and devices, for a bug report."
TAKES_RECIPE = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    for name, value in environment().items():
        say(f"{name:22} {value}")
    return 0
