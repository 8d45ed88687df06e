"""The command line ``noisygrpo``."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    print("noisygrpo: no command is built yet", file=sys.stderr)
    return 2


def entry_point() -> None:
    """The console script."""
    sys.exit(main())
