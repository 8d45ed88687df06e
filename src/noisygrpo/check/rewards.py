"""What each reward of a recipe gives a right and a wrong answer to a few rows."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from noisygrpo.check.page import beside, heading, shorten
from noisygrpo.data.rows import answer_text
from noisygrpo.data.turns import plain_text
from noisygrpo.report.table import table
from noisygrpo.rewards import RewardFunction, extract_answer, judge_completion
from noisygrpo.rewards.grounding import boxes_in, iou, wanted_boxes
from noisygrpo.rewards.references import accepted

Row = Mapping[str, Any]


def report_rewards(
    rewards: Sequence[RewardFunction], weights: Sequence[float], examples: Sequence[Row]
) -> list[str]:
    """Print targets and each reward's mean on right and wrong answers; returns what is wrong."""
    right = [completion_with(row, an_answer(row, rewards)) for row in examples]
    wrong = [completion_with(row, other_answer(row, examples, rewards)) for row in examples]
    good = [score(rewards, row, text) for row, text in zip(examples, right, strict=True)]
    bad = [score(rewards, row, text) for row, text in zip(examples, wrong, strict=True)]
    totals = [(weighted(r, weights), weighted(w, weights)) for r, w in zip(good, bad, strict=True)]
    numbers = [
        [
            shorten(row["example_id"], 20),
            shorten(answer_text(row["answer"]), 24),
            f"{r:.2f}",
            f"{w:.2f}",
        ]
        for row, (r, w) in zip(examples, totals, strict=True)
    ]
    notes = [target_note(row, *texts) for row, *texts in zip(examples, right, wrong, strict=True)]
    heading(
        "targets, and the weighted reward of a right and a wrong answer",
        beside(["row", "target", "right", "wrong"], numbers, "", notes),
    )
    means = [
        [reward.__name__, average([row[n] for row in good]), average([row[n] for row in bad])]
        for n, reward in enumerate(rewards)
    ]
    heading("mean rewards", table(["reward", "right answer", "wrong answer"], means))
    if all(boxes_in(row["answer"]) for row in examples) and not any(map(measures_boxes, rewards)):
        heading("note", "every target is a box; the reward iou measures how well it is met")
    blind = [row["example_id"] for row, (r, w) in zip(examples, totals, strict=True) if not r > w]
    count = f"{len(blind)} of {len(examples)} rows"
    named = ", ".join(blind[:5])
    return [f"in {count} a right answer earns no more than a wrong one: {named}"] if blind else []


def measures_boxes(reward: RewardFunction) -> bool:
    """Whether a reward is ``iou``, or a function of the user's own."""
    own = inspect.unwrap(getattr(reward, "function", reward))
    return own is inspect.unwrap(iou) or not own.__module__.startswith("noisygrpo.")


def target_note(row: Row, right: str, wrong: str) -> str:
    """What is extracted from the right answer, why the wrong one is wrong, and the question."""
    verdict = judge_completion(wrong, row["answer"], row["kind"], row["question"])
    found = shorten(extract_answer(right) or "nothing", 24)
    said = shorten(f"{extract_answer(wrong)!r} is wrong: {verdict.why}", 48)
    return f"reads {found!r}; {said}; asked: {shorten(row['question'])}"


def average(values: Sequence[float | None]) -> str:
    """Mean of the scores, with how many were unscorable (None, or NaN by a guard)."""
    scored = [value for value in values if value is not None and value == value]
    lost = len(values) - len(scored)
    shown = f"{mean(scored):.2f}" if scored else "-"
    return f"{shown} ({lost} unscorable)" if lost else shown


def weighted(scores: Sequence[float | None], weights: Sequence[float]) -> float:
    """Weighted sum of what could be scored."""
    return sum(w * s for s, w in zip(scores, weights, strict=True) if s is not None and s == s)


def score(rewards: Sequence[RewardFunction], row: Row, text: str) -> list[float | None]:
    """What each reward gives a completion of a row, called as the trainer calls it."""
    columns = {key: [value] for key, value in row.items() if key != "prompt"}
    columns |= {"noise_level": [0.0], "rollout_index": [0]}
    columns |= {"hint_ratio": [0.0], "hint_level": [0], "hint": [""]}
    completion = [{"role": "assistant", "content": text}]
    return [
        reward(prompts=[row["prompt"]], completions=[completion], **columns)[0]
        for reward in rewards
    ]


def completion_with(row: Row, answer: str) -> str:
    """A completion with this answer, in the form that the row's prompt asks for."""
    told = " ".join(plain_text(turn["content"]) for turn in row["prompt"])
    thought = f"<think>{row['reasoning'] or 'I look at the image.'}</think>"
    form = f"\\boxed{{{answer}}}" if "\\boxed" in told else f"<answer>{answer}</answer>"
    return thought + form


def other_answer(row: Row, examples: Sequence[Row], rewards: Sequence[RewardFunction] = ()) -> str:
    """Another row's answer, of the same kind if there is one; made up where all rows agree."""
    others = [other for other in examples if other["answer"] != row["answer"]]
    alike = [other for other in others if other["kind"] == row["kind"]] or others
    return an_answer(alike[0], rewards) if alike else "none of these"


def an_answer(row: Row, rewards: Sequence[RewardFunction] = ()) -> str:
    """A row's answer as text, boxes as the reward ``iou`` wants the model to write them; of several
    references the most frequent one.
    """
    answer = accepted(row["answer"])[0]
    for reward in rewards:
        if inspect.unwrap(reward) is inspect.unwrap(iou):
            arguments = reward.guard.arguments  # type: ignore[attr-defined]
            boxes = wanted_boxes(answer, row.get("images") or (), **arguments)
            return answer_text(answer) if boxes is None else ", ".join(map(_written, boxes))
    return answer_text(answer)


def _written(box: tuple[float, ...]) -> str:
    return str([round(corner, 3) for corner in box])
