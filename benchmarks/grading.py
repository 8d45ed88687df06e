"""How long the reward `accuracy` takes for a batch of 512 completions, by kind of answer.

Run: ``python benchmarks/grading.py [kind …]``. Each kind is timed on a fresh batch, the processes
of math-verify warm, and again on the same batch, where everything is remembered.
"""

import random
import sys
import time
from collections.abc import Callable

from noisygrpo.rewards.functions import accuracy

ROWS = 512
LISTED = "How long is it?\nA. 3 cm\nB. 5 cm\nC. 7 cm\nD. 9 cm"
Row = tuple[str, str, str, str]
"""Answer, target, kind, question."""


def number(a: int, b: int, row: int) -> Row:
    return f"{a}.{b} cm", f"{a}.{b}", "auto", ""


def letter(a: int, b: int, row: int) -> Row:
    chosen, right = "ABCD"[a % 4], "ABCD"[b % 4]
    return f"The answer is ({chosen}) because it fits {b}.", right, "multiple_choice", LISTED


def latex(a: int, b: int, row: int) -> Row:
    top, bottom = a * row + 1, row + 2
    answer = f"\\frac{{{top}\\sqrt{{{b}}}}}{{{bottom}}}"
    return answer, f"\\frac{{{top}}}{{{bottom}}}\\sqrt{{{b}}}", "auto", ""


def algebra(a: int, b: int, row: int) -> Row:
    k = row + 1
    expanded = f"{k * k}x^2+{2 * a * k}x+{a * a}+{b}y"
    return f"({k}x+{a})^2+{b}y", expanded, "auto", ""


def beyond(a: int, b: int, row: int) -> Row:
    """Formulas that only math-verify compares."""
    return f"{a}\\binom{{n}}{{2}} + {row}x", f"{row}x + {a}\\binom{{n}}{{2}}", "auto", ""


def bomb(a: int, b: int, row: int) -> Row:
    return f"9^{{9^{{9^{{{row + 9}}}}}}}", f"{row}", "auto", ""


KINDS: dict[str, Callable[[int, int, int], Row]] = {
    "numbers": number,
    "letters": letter,
    "latex": latex,
    "algebra": algebra,
    "beyond": beyond,
    "bombs": bomb,
}


def grade(rows: list[Row]) -> tuple[float, list[float | None]]:
    completions = [f"<think>so</think><answer>{answer}</answer>" for answer, *_ in rows]
    _, targets, kinds, questions = zip(*rows, strict=True)
    start = time.perf_counter()
    rewards = accuracy(
        [""] * len(rows), completions, answer=targets, kind=kinds, question=questions
    )
    return time.perf_counter() - start, rewards


def main() -> None:
    print(f"{'kind':<10}{'first, s':>10}{'again, s':>10}{'right':>8}{'unscorable':>12}")
    for name in sys.argv[1:] or KINDS:
        draw = random.Random(0)
        grade([beyond(2, 3, ROWS + index) for index in range(64)])  # start the processes
        rows = [KINDS[name](draw.randint(2, 99), draw.randint(2, 99), row) for row in range(ROWS)]
        first, rewards = grade(rows)
        again, _ = grade(rows)
        right = sum(reward == 1 for reward in rewards)
        lost = sum(reward is None or reward != reward for reward in rewards)
        print(f"{name:<10}{first:>10.2f}{again:>10.2f}{right:>8}{lost:>12}", flush=True)


if __name__ == "__main__":
    main()
