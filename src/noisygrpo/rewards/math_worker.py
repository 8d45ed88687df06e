"""The process in which math-verify runs; started by ``math_process`` as a script, not imported.

It reads one JSON object per line and writes one per line. Nothing of the package is imported, so it
starts in about a second and holds no GPU memory. The system enforces its limits, memory and the
processor time of each request, in code that no signal handler interrupts and even when its parent
is gone.

Requests: ``{"op", "gold", "prediction", "seconds"}``; replies: ``{"result", "why"}`` with the
result true, false or null (unscorable).

- ``equal``: both texts are formulas.
- ``hint_grpo``: Hint-GRPO's released order: the prediction is a whole completion and is handed to
  ``verify`` in the place of the gold answer.
- ``mathruler``: NoisyRollout's released grader, from the package of that name.
"""

from __future__ import annotations

import importlib
import json
import logging
import math
import sys
from typing import Any

MEMORY_LIMIT = 4 << 30
"""Bytes of address space; a formula such as 9**9**9 would take everything."""

WARM_UP = {"op": "equal", "gold": "x^{2}+\\frac{1}{2}", "prediction": "\\frac{1}{2}+x^2"}
"""Compared before the first request, so that imports and parser tables are not on its clock."""


def limit_process() -> None:
    """Cap the address space and write no core files, where the system can."""
    if sys.platform != "win32":
        import resource

        lower_limit(resource.RLIMIT_AS, MEMORY_LIMIT)
        lower_limit(resource.RLIMIT_CORE, 0)


def limit_seconds(seconds: float) -> None:
    """Let the system end this process (SIGXCPU) when a request has had its processor time.

    The system counts whole seconds, so a request may get up to one more.
    """
    if sys.platform != "win32":
        import resource

        usage = resource.getrusage(resource.RUSAGE_SELF)
        used = usage.ru_utime + usage.ru_stime
        lower_limit(resource.RLIMIT_CPU, math.ceil(used + seconds))


def lower_limit(which: int, value: int) -> None:
    """Set a soft limit to ``value``, or to the hard limit if that is lower."""
    import resource

    hard = resource.getrlimit(which)[1]
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (soft, hard))


def delimit(text: str) -> str:
    """Put ``$`` around a bare formula; math-verify reads LaTeX only between delimiters."""
    has_delimiter = "$" in text or "\\(" in text or "\\[" in text or "\\boxed" in text
    return text if has_delimiter else f"${text}$"


def compare(request: dict[str, Any]) -> tuple[bool | None, str]:
    """Answer one request."""
    from math_verify import parse, verify

    gold_text, prediction_text = request["gold"], request["prediction"]
    if request["op"] == "mathruler":
        grader = importlib.import_module("mathruler.grader")
        return bool(grader.grade_answer(prediction_text, gold_text)), "graded by mathruler"
    if request["op"] == "hint_grpo":
        answer = parse(prediction_text, parsing_timeout=None)
        gold = parse(gold_text, parsing_timeout=None)
        return bool(verify(answer, gold, timeout_seconds=None)), "compared by math-verify, swapped"
    gold = parse(delimit(gold_text), parsing_timeout=None)
    if not gold:
        return None, "math-verify cannot read the target"
    prediction = parse(delimit(prediction_text), parsing_timeout=None)
    if not prediction:
        return False, "math-verify cannot read the answer"
    return bool(verify(gold, prediction, timeout_seconds=None)), "compared by math-verify"


def serve() -> None:
    """Answer requests until the input ends."""
    limit_process()
    logging.disable(logging.CRITICAL)
    out = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints must not look like a reply
    try:
        compare(WARM_UP)
    except ImportError as error:
        print(json.dumps({"failed": str(error)}), file=out, flush=True)
        return
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        limit_seconds(request["seconds"])
        try:
            result, why = compare(request)
        except Exception as error:  # whatever sympy raises: the pair is unscorable, never zero
            result, why = None, f"{type(error).__name__}: {str(error)[:200]}"
        print(json.dumps({"result": result, "why": why}), file=out, flush=True)


if __name__ == "__main__":
    serve()
