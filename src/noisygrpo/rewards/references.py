"""Several reference answers to one question, of which one suffices: ``{"any_of": [...]}``.

VQAv2, TextVQA and DocVQA have them in a column ``answers``: what people answered, with repetitions.
A list as an answer is something else, one answer of several parts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from noisygrpo.rewards.outcome import UNSCORABLE, is_unscorable

ANY_OF = "any_of"

Reward = float | None


def any_of(references: Iterable[Any]) -> Any:
    """The answer that one of ``references`` suffices for; the reference itself if all are one."""
    found = list(references)
    return found[0] if len({str(one) for one in found}) == 1 else {ANY_OF: found}


def has_references(answer: Any) -> bool:
    """Whether an answer is several references."""
    return isinstance(answer, Mapping) and set(answer) == {ANY_OF}


def each(answer: Any, change: Callable[[Any], Any]) -> Any:
    """The answer with every one of its references changed."""
    return any_of(map(change, references(answer)))


def references(answer: Any) -> list[Any]:
    """All references of an answer, with repetitions; the answer itself where it is only one."""
    return list(answer[ANY_OF]) if has_references(answer) else [answer]


def accepted(answer: Any) -> list[Any]:
    """The references that count as right, each once, the most frequent first.

    Where several people answered, few of them may be mistaken: a reference counts if it was given
    at least half as often as the most frequent one (of seven "yes" and three "no" only "yes"; of
    three that differ all).
    """
    given: dict[str, list[Any]] = {}
    for one in references(answer):
        given.setdefault(str(one).strip().casefold(), []).append(one)
    most = max((len(same) for same in given.values()), default=0)
    often = [same for same in given.values() if 2 * len(same) >= most]
    return [same[0] for same in sorted(often, key=len, reverse=True)]


def readable(answer: Any) -> Any:
    """Several references as people read them, those that count; any other answer as it is."""
    if not has_references(answer):
        return answer
    those = accepted(answer)
    return " or ".join(f'"{one}"' for one in those) if len(those) > 1 else those[0]


def best(rewards: Sequence[Reward]) -> Reward:
    """The reward of a completion that was judged by each of several references.

    The greatest one; ``UNSCORABLE`` where one of them is and no other was met (more than .5).
    """
    known = [one for one in rewards if one is not None and not is_unscorable(one)]
    greatest = max(known, default=None)
    if any(one is not None and is_unscorable(one) for one in rewards):
        return greatest if greatest is not None and greatest > 0.5 else UNSCORABLE
    return greatest


def by_reference(reward: Callable[..., list[Reward]]) -> Callable[..., list[Reward]]:
    """Let a reward function that knows one answer a row judge rows that have several.

    It is asked about each accepted reference as a row of its own, and the best one counts.
    """

    @functools.wraps(reward)
    def judged(prompts: Any, completions: Any, answer: Any, *rest: Any, **columns: Any) -> Any:
        if not any(map(has_references, answer)):
            return reward(prompts, completions, answer, *rest, **columns)
        wanted = [accepted(one) for one in answer]
        places = [row for row, those in enumerate(wanted) for _ in those]

        def spread(column: Any) -> Any:
            of_rows = isinstance(column, (list, tuple)) and len(column) == len(wanted)
            return [column[row] for row in places] if of_rows else column

        rows = [spread(column) for column in (prompts, completions)]
        single = [one for those in wanted for one in those]
        more = [spread(column) for column in rest]
        named = {name: spread(column) for name, column in columns.items()}
        values = reward(*rows, single, *more, **named)
        found: list[list[Reward]] = [[] for _ in wanted]
        for row, value in zip(places, values, strict=True):
            found[row].append(value)
        return [best(each) for each in found]

    return judged
