"""Mutation testing: plant small changes in the code, one at a time, and see whether tests fail.

    methods    every mutant of src/noisygrpo/methods, under tests/methods
    training   150 mutants of src/noisygrpo/training, drawn by a seed, under tests/training

``make mutants`` runs this with mutmut, which starts each mutant in a fork of a process that has
imported everything and collected the tests, and runs only the tests that reach the mutant's
function. Each part runs on copies in a folder of its own under build/mutants (``mutmut browse``
there shows more). Survivors are listed with their differences: some change nothing that can be seen
(``clamp(min=1)`` of what is at least 1), the others ask for a test. Decorated functions and what
stands outside of functions are not mutated.
"""

import argparse
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
MUTMUT = Path(sys.executable).with_name("mutmut")
SAMPLE, SEED = 150, 0

# Tests that start processes of their own would multiply the time of every mutant they reach.
LEFT_OUT = ["--ignore-glob=tests/training/*_process*.py", "--ignore=tests/methods/test_copyable.py"]


def prepare(part: str) -> Path:
    """Return a folder with the sources, the tests and mutmut's settings for a part."""
    folder = ROOT / "build" / "mutants" / part
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("src", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    settings = f"""
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/noisygrpo/{part}/*"]
pytest_add_cli_args_test_selection = ["tests/{part}"]
pytest_add_cli_args = {["-p", "no:cacheprovider", *LEFT_OUT]!r}
timeout_multiplier = 2.0
timeout_constant = 30.0
use_git_change_detection = false
"""
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + settings)
    return folder


def mutmut(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run mutmut; its messages come with its output."""
    command = [str(MUTMUT), *words]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(command, cwd=folder, check=False, **output)


def try_mutants(folder: Path, names: list[str], workers: int) -> None:
    """Try the mutants of these names, or all."""
    result = mutmut(folder, "run", "--max-children", str(workers), *names)
    if result.returncode:
        sys.exit(f"mutmut failed in {folder}:\n{result.stdout[-4000:]}")


def plant(folder: Path, workers: int) -> None:
    """Write all mutants and find which tests reach them, but try none: no name is like this."""
    result = mutmut(folder, "run", "--max-children", str(workers), "none of them")
    if "nothing matches" not in result.stdout:
        sys.exit(f"mutmut failed in {folder}:\n{result.stdout[-4000:]}")


def found(folder: Path) -> dict[str, str]:
    """Return every mutant's name and what became of it."""
    output = mutmut(folder, "results", "--all", "true").stdout
    return dict(re.findall(r"^ *(\S+__mutmut_\d+): (.+)$", output, re.MULTILINE))


def run(part: str, sample: int, workers: int) -> None:
    """Try a part's mutants, or a sample of them; print the score and the survivors."""
    folder, started = prepare(part), time.monotonic()
    names: list[str] = []
    if sample:
        plant(folder, workers)
        every = sorted(found(folder))
        names = random.Random(SEED).sample(every, min(sample, len(every)))
    try_mutants(folder, names, workers)
    fates = {name: fate for name, fate in found(folder).items() if not names or name in names}
    counts = Counter(fates.values())
    caught = sum(counts[fate] for fate in ("killed", "timeout", "caught by type check"))
    for name, fate in sorted(fates.items()):
        if fate in ("survived", "no tests"):
            print(f"\n{name}: {fate}")
            lines = mutmut(folder, "show", name).stdout.splitlines()
            print("\n".join(line for line in lines if re.match(r"[-+] ", line)))
    minutes = (time.monotonic() - started) / 60
    summary = ", ".join(f"{count} {fate}" for fate, count in counts.most_common())
    print(
        f"\n{part}: {caught} of {len(fates)} caught ({summary}), {minutes:.1f} minutes", flush=True
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Mutation testing of methods and training.")
    parser.add_argument("parts", nargs="*", default=["methods", "training"])
    parser.add_argument("--workers", type=int, default=2, help="mutants tried at a time")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="mutants of training")
    given = parser.parse_args()
    for one in given.parts:
        run(one, given.sample if one == "training" else 0, given.workers)
