"""Do the methods do what they claim? The whole experiment, docs/evidence.md, in one command.

    python benchmarks/evidence.py --stage 1 --parallel 2 --hours 6
    python benchmarks/evidence.py --stage 2 --parallel 2
    python benchmarks/evidence.py --stage table --write docs/evidence.md

What it does is in the folder ``evidence`` beside this file.
"""

import sys

from evidence.main import main

if __name__ == "__main__":
    sys.exit(main())
