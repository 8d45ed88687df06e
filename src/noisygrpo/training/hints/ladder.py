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
from dataclasses import dataclass, replace
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


@dataclass
class Climb:
    """The levels of a generation batch while it is made."""

    tried: list[list[Rollout]]  # each own row at each level, sampled or not
    shown: Shown
    lengths: Int[Tensor, "prompts levels"]  # tokens of the hints, over all processes
    table: HintLevels  # rewards, over all processes
    tokens: int = 0  # of all prompts and completions so far, over all processes


@dataclass(frozen=True)
class Selected:
    """What a batch goes on with, and what is to be told of it over all processes."""

    rollouts: list[Rollout]  # each own row at the level that its prompt is trained at
    metrics: dict[str, float]  # of the levels
    untold: int  # tokens read and sampled that TRL does not count (the hints, and other levels)


@dataclass
class HintLadder:
    """Samples at more levels than the first, for the prompts that are due."""

    config: NoisyGRPOConfig  # with ``hint_levels`` above 1
    tokenizer: Any  # gives the tokens of a hint
    decode: Callable[..., list[str]]  # gives the texts of tokens (``batch_decode``)
    banned: Sequence[int]  # tokens that no hint may contain
    gather: Callable[[Tensor], Tensor]  # over all processes
    device: torch.device  # of what is gathered
    rank: int  # this process's place
    whole_batches: bool  # whether the engine needs all rows of a batch

    def opened(self, ids: Any, fields: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return prompts and fields as level 0 is asked: as they are, or as Hint-GRPO released it
        (``think_at_level_0``), with the template's own text behind each."""
        text = row_hints(self.config, "")[0].text
        if not text:
            return ids, fields
        opening = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return begin_answers(ids, fields, [opening] * len(ids))

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

        ``first``: what was sampled at level 0; ``tokenize``: TRL's ``_tokenize_prompts``.
        ``UserError`` where a hint contains an image token; it names the row.
        """
        climb = self._start(rollouts, shown)
        every = [(row, True) for row in range(len(rollouts))]
        self._enter(climb, 0, every, self.opened(shown.scored_ids, {})[0], first, judge)
        for level in range(1, climb.table.rewards.size(1)):
            turns = self._turns(climb.table.due(level), len(rollouts))
            if turns:
                hinted = [(row, climb.tried[row][level].hint) for row, _ in turns]
                ids, images, fields = self._hinted(hinted, shown.view_prompts, tokenize)
                sampled = sample(ids, images, fields, self.config.num_generations)
                if shown.resized:
                    ids = self._hinted(hinted, shown.prompts, tokenize)[0]
                self._enter(climb, level, turns, ids, sampled, judge)
        return self._select(climb)

    def _start(self, rollouts: Sequence[Rollout], shown: Shown) -> Climb:
        config, group = self.config, self.config.num_generations
        tried = [self._levels(rollout) for rollout in rollouts]
        hints = [[rollout.hint for rollout in levels] for levels in tried]
        rows = [[*(len(hint.ids) for hint in row), *new_levels(row)] for row in hints]
        lengths, new = self._gather(rows)[::group].chunk(2, 1)  # a group has one prompt
        table = HintLevels(new.bool(), group, config.hint_selection, config.hint_stop_early)
        return Climb(tried, shown, lengths, table)

    def _levels(self, rollout: Rollout) -> list[Rollout]:
        """Return a rollout with its hint at each level."""
        levels = []
        for hint in row_hints(self.config, rollout.row["reasoning"] or ""):
            ids = list(self.tokenizer(hint.text, add_special_tokens=False)["input_ids"])
            require(
                set(self.banned).isdisjoint(ids),
                f"row {rollout.example_id!r}: its hint {hint.text!r} contains an image token, for "
                "which there is no image",
            )
            levels.append(replace(rollout, hint=replace(hint, ids=ids)))
        return levels

    def _gather(self, rows: Any) -> Int[Tensor, "..."]:
        return self.gather(torch.tensor(rows, device=self.device)).cpu()

    def _turns(self, due: Bool[Tensor, " prompts"], own: int) -> list[tuple[int, bool]]:
        """Return own rows to sample, and whether each counts; as many on every process."""
        every = due.repeat_interleave(self.config.num_generations).view(-1, own)
        mine = every[self.rank]
        if self.whole_batches and bool(due.any()):
            return list(enumerate(mine.tolist()))
        rows = mine.nonzero().flatten().tolist()
        spare = int(every.sum(1).max()) - len(rows)
        return [(row, True) for row in rows] + [((rows or [0])[0], False)] * spare

    def _hinted(
        self, hinted: list[tuple[int, Hint]], prompts: list[Any], tokenize: Tokenize
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Return tokens, images and fields of some rows' prompts, each with its hint."""
        if self.config.hint_place == "question":
            return tokenize([hint_question(prompts[row], hint.text) for row, hint in hinted])
        ids, images, fields = tokenize([prompts[row] for row, _ in hinted])
        ids, fields = begin_answers(ids, fields, [hint.ids for _, hint in hinted])
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
        tried = [climb.tried[row][level] for row, _ in turns]
        texts = self._texts(tried, completion_ids)
        asked = [rollout.reward_row(rollout.row) for rollout in tried]
        rewards = judge(asked, [row for row, _ in turns], texts, completion_ids)
        first = self.rank * len(climb.tried)
        places = [first + row if counts else -1 for row, counts in turns]
        lengths = (map(len, completion_ids), map(len, ids))
        entries = self._gather(list(zip(places, *lengths, strict=True)))
        climb.table.put(level, entries[:, 0], rewards, entries[:, 1])
        climb.tokens += int(entries[entries[:, 0] >= 0, 1:].sum())
        scores = rewards.view(-1, len(turns))[self.rank].tolist()
        for n, (rollout, (_, counts)) in enumerate(zip(tried, turns, strict=True)):
            if counts:
                rollout.prompt_ids, rollout.completion_ids = ids[n], completion_ids[n]
                rollout.log_probs = None if log_probs is None else log_probs[n]
                rollout.completion, rollout.reward = texts[n], scores[n]

    def _texts(self, tried: list[Rollout], completion_ids: Any) -> list[str]:
        """Return the assistant's turns as text: hints where they stand there, continuations."""
        begun = self.config.hint_place == "answer"
        # Decoded in one piece: some tokenizers drop the space before a text's first word.
        turns = [
            [*(rollout.hint.ids if begun else ()), *ids]
            for rollout, ids in zip(tried, completion_ids, strict=True)
        ]
        return list(self.decode(turns, skip_special_tokens=True))

    def _select(self, climb: Climb) -> Selected:
        levels = climb.table.selected().repeat_interleave(self.config.num_generations)
        own = levels.view(-1, len(climb.tried))[self.rank].tolist()
        chosen = [tried[level] for tried, level in zip(climb.tried, own, strict=True)]
        told = sum(map(len, climb.shown.ids)) + sum(len(one.completion_ids) for one in chosen)
        untold = climb.tokens - int(self._gather([told]).sum())
        return Selected(chosen, climb.table.metrics(climb.lengths), untold)
