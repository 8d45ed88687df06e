"""Time that grows with the input, and no faster: sizes are doubled, and the exponent is measured.

For each input the seconds of processor time are measured at sizes 2n and 8n, the least of a few
times each, and the exponent is log2(t(8n) / t(2n)) / 2. What is linear has about 1, what is refused
above some size less; a limit of 1.5 lets a busy machine be busy and finds every square.
"""

import gc
import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.trial import Outcome, Part, Trial
from tests.rewards.test_growth import TARGETS

from noisygrpo.data import DataSpec, load_examples
from noisygrpo.errors import UserError
from noisygrpo.rewards import extract_answer
from noisygrpo.rewards.functions import format_reward
from noisygrpo.rewards.judge import decide
from noisygrpo.terminal import one_line, printable
from noisygrpo.training.records.rollouts import append_lines, drop_steps_after
from noisygrpo.yaml_text import read_yaml

MOST = 1.5
"""Exponent above which time does not grow linearly."""

LEAST_SECONDS = 0.02
"""A size that takes less is too quick to measure, and is raised."""


def refused(call: Callable[[], object]) -> None:
    try:
        call()
    except UserError:
        return


def rows(count: int, **more: object) -> Callable[[], None]:
    """Read a file of so many rows."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "rows.jsonl"
    line = {"question": "How many shapes?", "answer": "3", **more}
    path.write_text("".join(json.dumps({**line, "n": n}) + "\n" for n in range(count)))
    spec = DataSpec(str(path), columns={"image": None})

    def load(kept: object = folder) -> None:  # the folder is there for as long as this is
        refused(lambda: load_examples(spec))

    return load


def long_cell(size: int) -> Callable[[], None]:
    return rows(4, question="word " * size)


def judged(piece: str) -> Callable[[int], Callable[[], None]]:
    def at(size: int) -> Callable[[], None]:
        text = f"<think>a</think><answer>{piece * size}</answer>"

        def judge() -> None:
            answer = extract_answer(text)
            for case in TARGETS:
                decide(case._replace(prediction=answer))
            format_reward([], [text], style="think_answer")

        return judge

    return at


def logged(size: int) -> Callable[[], None]:
    """Cut the logs of a run that goes on."""
    kept = tempfile.TemporaryDirectory()
    folder = Path(kept.name)
    append_lines(
        folder / "rollouts.jsonl", [{"step": n // 8, "text": "x" * 50} for n in range(size)]
    )
    return lambda kept=kept: drop_steps_after(folder, size)


def yaml_of(make: Callable[[int], str]) -> Callable[[int], Callable[[], None]]:
    def at(size: int) -> Callable[[], None]:
        text = make(size)
        return lambda: refused(lambda: read_yaml(text, "recipe.yaml"))

    return at


GROWTH: dict[str, tuple[int, Callable[[int], Callable[[], None]]]] = {
    "rows of a file": (500, rows),
    "text of a row": (2000, long_cell),
    "markers in a question": (500, lambda n: rows(2, question="<image> " * n)),
    "keys of a row": (200, lambda n: rows(2, **{f"key{i}": i for i in range(n)})),
    "nested lists of a row": (20, lambda n: rows(2, other=[json.loads("[" * 20 + "]" * 20)] * n)),
    "lines of YAML": (
        200,
        yaml_of(lambda n: "".join(f"a{i}: {{x: [1, 2], y: t}}\n" for i in range(n))),
    ),
    "a list of YAML": (500, yaml_of(lambda n: f"a: [{'1, ' * n}1]")),
    "a text of YAML": (5000, yaml_of(lambda n: "a: |\n" + "  word word\n" * n)),
    "nesting of YAML": (1000, yaml_of(lambda n: "[" * n + "]" * n)),
    "aliases of YAML": (
        200,
        yaml_of(lambda n: "a: &a [1, 2]\n" + "".join(f"b{i}: *a\n" for i in range(n))),
    ),
    "words of an answer": (500, judged("red ball ")),
    "digits of an answer": (2000, judged("9")),
    "braces of an answer": (1000, judged("\\frac{1}{")),
    "boxes of an answer": (200, judged("\\boxed{5} or ")),
    "answers of a completion": (200, judged("<answer>5</answer> or ")),
    "thinking of a completion": (300, judged("<think>a</think>")),
    "lines of an answer": (1000, judged("A. b\n")),
    "a message": (20_000, lambda n: lambda: printable(one_line("a\x1b[2J \n" * n))),
    "rollouts of a run": (2000, logged),
}


def seconds(call: Callable[[], None], times: int = 3) -> float:
    """The least processor time of a few calls; the garbage of others is not collected meanwhile."""
    found = []
    gc.disable()
    for _ in range(times):
        started = time.process_time()
        call()
        found.append(time.process_time() - started)
    gc.enable()
    return min(found)


def exponent(size: int, make: Callable[[int], Callable[[], None]]) -> tuple[float, float]:
    """The measured exponent, and the seconds of the largest size."""
    make(size)()  # what is made once is not measured
    while seconds(make(2 * size), 1) < LEAST_SECONDS and size < 1 << 20:
        size *= 2
    small, large = (seconds(make(factor * size)) for factor in (2, 8))
    return math.log2(max(large, 1e-6) / max(small, 1e-6)) / 2, large


def trial(name: str, folder: Path | None = None) -> Outcome:
    """One kind of input; a first exponent above the limit is measured once more."""
    for _ in range(2):
        found, took = exponent(*GROWTH[name])
        if found <= MOST:
            return Outcome("held", f"exponent {found:.2f}, {took:.2f} s", {"exponent": found})
    return Outcome("faster", f"exponent {found:.2f}, {took:.2f} s", {"exponent": found})


def trials(shared: Path | None) -> list[Trial]:
    return [Trial(name, lambda folder, n=name: trial(n, folder)) for name in GROWTH]


PART = Part(
    "growth",
    "time grows with the input and no faster (exponent below 1.5)",
    trials,
    ("held",),
    every=4,
)
