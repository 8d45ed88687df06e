"""Hints while sampling: a prompt is tried at several levels, and one of them is trained.

Per generation batch, M = ``hint_levels`` (arXiv 2503.23905; formulas in ``methods.hints``):

    level 0:  o_i ~ pi( . | view i, prompt)              all prompts, as without hints
    level g:  o_i ~ pi( . | view i, prompt, hint g)      the prompts that are due (``levels``)
    selects:  the reward ``hint_reward`` of every o_i at every level generated
    trained:  the G completions of each prompt's selected level, and nothing of the others

TRL then goes on with the selected completions, and with prompt ids that hold the hint: it is
conditioning, no loss touches it, and old, current and reference log-probs all see it. A level's
rollouts see the same views, with the same noise, as at level 0.

Every process takes part in the same number of ``generate`` calls with the same number of rows: the
table of rewards is gathered, and a process with fewer rows due repeats one of its own. So groups
may be split over processes, and sharded models and engines stay in step.

Evaluation has no hints. Shapes: R rollouts over all processes, B of this process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from noisygrpo.errors import require
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.engines.generate import Sampled
from noisygrpo.training.hints.levels import HintLevels
from noisygrpo.training.hints.prompts import begin_answers, hint_question, new_levels, row_hints
from noisygrpo.training.rollout import Hint, Rollout
from noisygrpo.training.views.show import Shown, Tokenize

Sample = Callable[[Any, Any, dict[str, Any], int], Sampled]
"""Returns completions of prompts, given their tokens, images and fields, and G."""

Judge = Callable[[list[dict[str, Any]], list[int], list[str], Any], Float[Tensor, " R"]]
"""Returns the selecting reward of all processes' completions, given own rows with the columns of
their hints, which of the batch's rows they are, the assistant's turns, and the completions' tokens.
"""


@dataclass(frozen=True)
class Attempt:
    """One rollout at one level."""

    hint: Hint
    """What it began from."""

    prompt_ids: Sequence[int]
    """Tokens of the prompt with the hint and the clean images, as scored."""

    completion_ids: Sequence[int]
    """What the model wrote behind it."""

    log_probs: Any
    """The engine's log-probs of these, if it gives any."""

    text: str
    """The assistant's turn: hint, where it stands there, and continuation."""

    reward: float
    """What ``hint_reward`` said of it; NaN if unscorable."""


@dataclass
class Climb:
    """The levels of a generation batch while it is made."""

    rollouts: Sequence[Rollout]
    shown: Shown
    hints: list[list[Hint]]
    """Of each own row at each level."""

    ids: list[list[list[int]]]
    """Their tokens."""

    lengths: Int[Tensor, "prompts levels"]
    """How many these are, over all processes."""

    table: HintLevels
    """Rewards over all processes."""

    attempts: list[dict[int, Attempt]]
    """Of each own row, by level."""

    tokens: int = 0
    """Tokens of all prompts and completions so far, over all processes."""


@dataclass(frozen=True)
class Selected:
    """What a batch goes on with."""

    attempts: list[Attempt]
    """Of each own row, at the level that its prompt is trained at."""

    metrics: dict[str, float]
    """Of the levels, over all processes."""

    untold: int
    """Tokens read and sampled over all processes, but for those that TRL counts: of the prompts
    without hints and of the completions that it is given."""


class HintLadder:
    """Samples at more levels than the first, for the prompts that are due."""

    def __init__(
        self,
        config: NoisyGRPOConfig,
        *,
        tokenizer: Any,
        decode: Callable[..., list[str]],
        banned: Sequence[int],
        gather: Callable[[Tensor], Tensor],
        device: torch.device,
        rank: int,
        whole_batches: bool,
    ) -> None:
        """Take what the ladder needs of a run.

        Args:
            config: with ``hint_levels`` above 1.
            tokenizer: gives the tokens of a hint.
            decode: gives the texts of tokens (``batch_decode``).
            banned: tokens that no hint may contain.
            gather: over all processes.
            device: of what is gathered.
            rank: this process's place.
            whole_batches: whether the engine needs all rows of a batch.
        """
        self._config, self._tokenizer, self._decode = config, tokenizer, decode
        self._banned, self._device, self._rank = set(banned), device, rank
        self._gather = lambda rows: gather(torch.tensor(rows, device=device)).cpu()
        self._whole_batches = whole_batches
        self._group = config.num_generations

    def climb(
        self,
        rollouts: Sequence[Rollout],
        shown: Shown,
        first: Sampled,
        tokenize: Tokenize,
        sample: Sample,
        judge: Judge,
    ) -> Selected:
        """Sample at every level that is due, and select one for each prompt.

        Args:
            rollouts, shown: the batch's.
            first: what was sampled at level 0.
            tokenize: TRL's ``_tokenize_prompts``.
            sample: the engine.
            judge: the selecting reward.
        """
        climb = self._start(rollouts, shown)
        every = [(row, True) for row in range(len(rollouts))]
        self._enter(climb, 0, every, shown.scored_ids, first, judge)
        for level in range(1, climb.table.rewards.size(1)):
            turns = self._turns(climb.table.due(level), len(rollouts))
            if turns:
                rows = [row for row, _ in turns]
                ids, images, fields = self._hinted(climb, level, rows, shown.view_prompts, tokenize)
                sampled = sample(ids, images, fields, self._group)
                if shown.resized:
                    ids = self._hinted(climb, level, rows, shown.prompts, tokenize)[0]
                self._enter(climb, level, turns, ids, sampled, judge)
        return self._select(climb)

    def _select(self, climb: Climb) -> Selected:
        levels = climb.table.selected().repeat_interleave(self._group)
        own = levels.view(-1, len(climb.rollouts))[self._rank].tolist()
        chosen = [attempts[level] for attempts, level in zip(climb.attempts, own, strict=True)]
        told = sum(map(len, climb.shown.ids)) + sum(len(one.completion_ids) for one in chosen)
        untold = climb.tokens - int(self._gather([told]).sum())
        return Selected(chosen, climb.table.metrics(climb.lengths), untold)

    def _start(self, rollouts: Sequence[Rollout], shown: Shown) -> Climb:
        config = self._config
        hints = [row_hints(config, rollout.row["reasoning"] or "") for rollout in rollouts]
        ids = [
            [self._hint_ids(rollout, hint) for hint in row]
            for rollout, row in zip(rollouts, hints, strict=True)
        ]
        every = self._gather(
            [
                [(len(tokens), new) for tokens, new in zip(row_ids, new_levels(row), strict=True)]
                for row, row_ids in zip(hints, ids, strict=True)
            ]
        )
        lengths, new = every[:: self._group].unbind(-1)  # a group has one prompt
        table = HintLevels(new.bool(), self._group, config.hint_selection, config.hint_stop_early)
        attempts: list[dict[int, Attempt]] = [{} for _ in hints]
        return Climb(rollouts, shown, hints, ids, lengths, table, attempts)

    def _hint_ids(self, rollout: Rollout, hint: Hint) -> list[int]:
        ids = list(self._tokenizer(hint.text, add_special_tokens=False)["input_ids"])
        require(
            self._banned.isdisjoint(ids),
            f"row {rollout.example_id!r}: its hint {hint.text!r} contains an image token, for "
            "which there is no image",
        )
        return ids

    def _turns(self, due: Bool[Tensor, " prompts"], own: int) -> list[tuple[int, bool]]:
        """Return own rows to sample, and whether each counts; as many on every process."""
        every = due.repeat_interleave(self._group).view(-1, own)
        mine = every[self._rank]
        if self._whole_batches and bool(due.any()):
            return list(enumerate(mine.tolist()))
        rows = mine.nonzero().flatten().tolist()
        spare = int(every.sum(1).max()) - len(rows)
        return [(row, True) for row in rows] + [((rows or [0])[0], False)] * spare

    def _hinted(
        self, climb: Climb, level: int, rows: list[int], prompts: list[Any], tokenize: Tokenize
    ) -> tuple[Any, Any, dict[str, Any]]:
        if self._config.hint_place == "question":
            return tokenize(
                [hint_question(prompts[row], climb.hints[row][level].text) for row in rows]
            )
        ids, images, fields = tokenize([prompts[row] for row in rows])
        ids, fields = begin_answers(ids, fields, [climb.ids[row][level] for row in rows])
        return ids, images, fields

    def _enter(
        self,
        climb: Climb,
        level: int,
        turns: list[tuple[int, bool]],
        ids: Any,
        sampled: Sampled,
        judge: Judge,
    ) -> None:
        """Judge what was sampled at a level, and enter it in the table of all processes."""
        completion_ids, log_probs = sampled
        rows = [row for row, _ in turns]
        texts = self._texts([climb.ids[row][level] for row in rows], completion_ids)
        asked = [self._columns(climb, row, level) for row in rows]
        rewards = judge(asked, rows, texts, completion_ids)
        place = self._rank * len(climb.rollouts)
        entries = self._gather(
            [
                (place + row if counts else -1, len(completion), len(prompt))
                for (row, counts), completion, prompt in zip(
                    turns, completion_ids, ids, strict=True
                )
            ]
        )
        climb.table.put(level, entries[:, 0], rewards, entries[:, 1])
        climb.tokens += int(entries[entries[:, 0] >= 0, 1:].sum())
        scores = rewards.view(-1, len(turns))[self._rank].tolist()
        for n, (row, counts) in enumerate(turns):
            if counts:
                log_prob = None if log_probs is None else log_probs[n]
                hint = climb.hints[row][level]
                climb.attempts[row][level] = Attempt(
                    hint, ids[n], completion_ids[n], log_prob, texts[n], scores[n]
                )

    def _texts(self, begun: Sequence[list[int]], completion_ids: Any) -> list[str]:
        """Return the assistant's turns as text: hints where they stand there, continuations."""
        if self._config.hint_place == "question":
            begun = [[] for _ in begun]
        # Decoded in one piece: some tokenizers drop the space before a text's first word.
        turns = [[*hint, *ids] for hint, ids in zip(begun, completion_ids, strict=True)]
        return list(self._decode(turns, skip_special_tokens=True))

    @staticmethod
    def _columns(climb: Climb, row: int, level: int) -> dict[str, Any]:
        """Return an own row as the selecting reward gets it at a level."""
        rollout = climb.rollouts[row]
        return rollout.reward_row(rollout.row, climb.hints[row][level])
