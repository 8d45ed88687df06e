"""How many right answers graders accept and how many wrong ones, over labelled completions.

Run: ``python benchmarks/grading_table.py tests/rewards/cases/*.jsonl [--before CHECKOUT]``

A file has one case a line: ``completion``, ``target``, ``kind``, ``question``, ``right``. Graders
are the reward `accuracy` of this checkout, of another one (``--before``, its root folder),
math-verify on the whole completion, and mathruler on the contents of the last box or answer tag.
What a grader raises, or leaves unscorable, is not accepted. ``--misses`` lists what this checkout
judges otherwise than labelled.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Case = dict[str, Any]
_GRADE = """
import json, sys
from noisygrpo.rewards.functions import accuracy
rows = json.load(sys.stdin)
columns = {name: [row[name] for row in rows] for name in ("kind", "question")}
rewards = accuracy([""] * len(rows), [row["completion"] for row in rows],
                   answer=[row["target"] for row in rows], time_limit=60, **columns)
json.dump([reward == 1 for reward in rewards], sys.stdout)
"""


def by_accuracy(checkout: Path) -> Callable[[list[Case]], list[bool]]:
    """The reward `accuracy` of a checkout, in a process of its own."""

    def grade(cases: list[Case]) -> list[bool]:
        done = subprocess.run(
            [sys.executable, "-c", _GRADE],
            input=json.dumps(cases),
            env={**os.environ, "PYTHONPATH": str(checkout / "src")},
            capture_output=True,
            text=True,
            check=True,
        )
        return list(json.loads(done.stdout))

    return grade


def by_math_verify(cases: list[Case]) -> list[bool]:
    """math-verify as its documentation calls it, on the whole completion."""
    from math_verify import parse, verify

    return [bool(verify(parse(case["target"]), parse(case["completion"]))) for case in cases]


def by_mathruler(cases: list[Case]) -> list[bool]:
    """mathruler's grader, given the answer that is tagged or boxed."""
    from mathruler.grader import grade_answer

    from noisygrpo.rewards.extract import last_boxed, last_tag

    def right(case: Case) -> bool:
        text = case["completion"]
        answer = last_tag(text, "answer") or last_boxed(text) or text
        return bool(grade_answer(last_boxed(answer) or answer, case["target"]))

    return [right(case) for case in cases]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    here = Path(__file__).parents[1]
    graders = {"math-verify": by_math_verify, "mathruler": by_mathruler, "now": by_accuracy(here)}
    if options.before:
        graders = {"before": by_accuracy(options.before), **graders}
    print(f"{'cases':<12}" + "".join(f"{name:>24}" for name in graders))
    for file in options.files:
        cases = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        labels = [case["right"] for case in cases]
        cells, judged = [], []
        for grade in graders.values():
            judged = grade(cases)
            accepted = [
                sum(verdict for verdict, label in zip(judged, labels, strict=True) if label is want)
                for want in (True, False)
            ]
            right = sum(labels)
            cells.append(f"{accepted[0]}/{right}, {accepted[1]}/{len(labels) - right}")
        print(f"{file.stem:<12}" + "".join(f"{cell:>24}" for cell in cells), flush=True)
        if options.misses:
            for case, verdict in zip(cases, judged, strict=True):
                if verdict != case["right"]:
                    print(f"    {case['id']}: {case['completion'][-60:]!r}, {case['target']!r}")


if __name__ == "__main__":
    main()
