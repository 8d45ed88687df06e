"""``python -m tests.faults``: the whole net, resumable; prints one table and keeps it as JSON.

Results lie in ``build/faults/<hash of the package>/``: the command goes on where it was stopped,
and starts anew when the package has changed. ``--document`` writes the table into
docs/reliability.md.
"""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
os.environ.setdefault("OMP_NUM_THREADS", "1")
for folder in ("tests", "src"):
    sys.path.insert(0, str(Path(__file__).parents[2] / folder))

from tests.faults.book import ROOT, Book, markdown, summary, version  # noqa: E402
from tests.faults.parts import PARTS  # noqa: E402
from tests.faults.trial import Outcome, Part, Trial  # noqa: E402

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- the table of make test-faults -->", "<!-- its end -->"


def main() -> int:
    """Run what is missing; the exit status is 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--document", action="store_true", help="write docs/reliability.md's table")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "faults")
    args = parser.parse_args()
    folder = args.folder.resolve() / version()
    book = Book(folder)
    for name in args.part:
        run_part(PARTS[name], book, folder)
    found = summary(book, PARTS)
    (folder / "table.json").write_text(json.dumps(found, indent=1))
    print(f"\n{markdown(found)}\n{folder / 'table.json'}")
    if args.document:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{markdown(found)}{END}{rest.partition(END)[2]}")
    return int(any(entry["not held"] for entry in found["parts"].values()))


def run_part(part: Part, book: Book, folder: Path) -> None:
    """Make the trials of a part that have no result yet."""
    shared, place = folder / "shared", folder / "trial"
    every = part.trials(shared)
    todo = [trial for trial in every if trial.name not in book.known(part.name)]
    began = time.monotonic()
    for done, trial in enumerate(todo):
        started = time.monotonic()
        outcome = attempt(trial, place)
        book.enter(part.name, trial.name, outcome, time.monotonic() - started)
        each = (time.monotonic() - began) / (done + 1)
        left = each * (len(todo) - done - 1)
        mark = "" if outcome.kind in part.held else f"  NOT HELD {outcome.note[:200]}"
        print(
            f"{part.name} {len(every) - len(todo) + done + 1}/{len(every)}  "
            f"{left // 60:.0f}:{left % 60:02.0f} left  {outcome.kind}: {trial.name}{mark}",
            flush=True,
        )


def attempt(trial: Trial, place: Path) -> Outcome:
    """Run one trial in an empty folder; an error in the net itself is an outcome too."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        return trial.run(place)
    except Exception as error:
        return Outcome("error in the net", f"{type(error).__name__}: {error}"[:400])
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
