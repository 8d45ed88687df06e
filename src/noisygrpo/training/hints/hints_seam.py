"""Hints while sampling: the layer of the trainer that gives a prompt more to start from.

Per generation batch, M = ``hint_levels`` (arXiv 2503.23905; formulas in ``methods.hints``):

    level 0:  o_i ~ pi( . | view i, prompt)              all prompts, as without hints
    level g:  o_i ~ pi( . | view i, prompt, hint g)      the prompts that are due (``hint_levels``)
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

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from noisygrpo.errors import require
from noisygrpo.training.hints.hint_rewards import HintRewards
from noisygrpo.training.hints.levels import HintLevels
from noisygrpo.training.hints.prompts import (
    TOKEN_TYPES,
    Hint,
    begin_answers,
    fit_token_types,
    hint_question,
    new_levels,
    row_hints,
)
from noisygrpo.training.views.rollouts import hint_columns
from noisygrpo.training.views.views_seam import Rows


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
class HintBatch:
    """The levels of a generation batch while it is made."""

    hints: list[list[Hint]]
    """Of each own row at each level."""

    ids: list[list[list[int]]]
    """Their tokens."""

    lengths: Int[Tensor, "prompts levels"]
    """How many these are, over all processes."""

    table: HintLevels
    """Rewards over all processes."""

    tokens: int = 0
    """Tokens of all prompts and completions so far, over all processes."""

    attempts: list[dict[int, Attempt]] = field(default_factory=list)
    """Of each own row, by level."""


class HintsSeam(HintRewards):
    """``ViewsSeam`` that samples at several hint levels; with one level it adds nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take TRL's arguments; raises ``UserError`` where hints cannot go with them."""
        self._turns_made: list[str] = []  # texts of the batch's turns; empty without hints
        self._growth: list[int] = []  # while a batch is made: tokens that hints add to its prompts
        super().__init__(*args, **kwargs)

    # ---- sampling ----

    def _generate(self, prompts: list[Any]) -> tuple[Any, ...]:
        self._prompts = prompts
        ids, completion_ids, mask, completions, *rest = super()._generate(prompts)
        if self._turns_made:
            completions = self._as_completions(self._turns_made)
        return (ids, completion_ids, mask, completions, *rest)

    def _generate_single_turn(
        self,
        prompt_ids: Any,
        images: Any,
        multimodal_fields: dict[str, Any],
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[Any, Any]:
        first = super()._generate_single_turn(
            prompt_ids, images, multimodal_fields, num_generations, has_tool_images
        )
        if self._levels == 1 or not self.model.training:
            return first
        batch = self._start_hints()
        plain = self._scoring_prompt_ids or prompt_ids
        self._enter(batch, 0, [(row, True) for row in range(len(plain))], plain, first)
        for level in range(1, self._levels):
            turns = self._turns(batch.table.due(level))
            if turns:
                ids, sampled = self._sample_level(batch, level, [row for row, _ in turns])
                self._enter(batch, level, turns, ids, sampled)
        return self._select(batch, plain)

    def _start_hints(self) -> HintBatch:
        hints = [row_hints(self.args, row["reasoning"] or "") for row in self._inputs]
        ids = [[self._hint_ids(n, hint) for hint in row] for n, row in enumerate(hints)]
        own = [
            [(len(tokens), new) for tokens, new in zip(row_ids, new_levels(row), strict=True)]
            for row, row_ids in zip(hints, ids, strict=True)
        ]
        every = self.accelerator.gather(torch.tensor(own, device=self.accelerator.device)).cpu()
        lengths, new = every[:: self.num_generations].unbind(-1)  # a group has one prompt
        table = HintLevels(
            new.bool(), self.num_generations, self.args.hint_selection, self.args.hint_stop_early
        )
        return HintBatch(hints, ids, lengths, table, attempts=[{} for _ in hints])

    def _hint_ids(self, row: int, hint: Hint) -> list[int]:
        ids = list(self._tokenizer(hint.text, add_special_tokens=False)["input_ids"])
        require(
            set(self._banned).isdisjoint(ids),
            f"row {self._rollouts[row].example_id!r}: its hint {hint.text!r} contains an image "
            "token, for which there is no image",
        )
        return ids

    def _turns(self, due: Bool[Tensor, " prompts"]) -> list[tuple[int, bool]]:
        """Return own rows to sample, and whether each counts; as many on every process."""
        own = len(self._inputs)
        every = due.repeat_interleave(self.num_generations).view(-1, own)
        mine = every[self.accelerator.process_index]
        if self.use_vllm and self.args.vllm_mode == "server" and bool(due.any()):
            # The server takes every G-th prompt of the batch, so the batch must be whole.
            return list(enumerate(mine.tolist()))
        rows = mine.nonzero().flatten().tolist()
        spare = int(every.sum(1).max()) - len(rows)
        return [(row, True) for row in rows] + [((rows or [0])[0], False)] * spare

    def _sample_level(self, batch: HintBatch, level: int, rows: list[int]) -> tuple[Any, Any]:
        """Return the rows' scored prompt ids at a level, and what was sampled from it."""
        ids, images, fields = self._hinted(batch, level, rows, self._view_prompts)
        sampled = self._sample_from(ids, images, fields, self.num_generations, False)
        if self._scoring_prompt_ids is not None:  # views of another size than their images
            ids = self._hinted(batch, level, rows, self._clean_prompts)[0]
        return ids, sampled

    def _hinted(
        self, batch: HintBatch, level: int, rows: list[int], prompts: list[Any]
    ) -> tuple[Any, Any, dict[str, Any]]:
        if self.args.hint_place == "question":
            hints = [batch.hints[row][level].text for row in rows]
            asked = [
                hint_question(prompts[row], hint) for row, hint in zip(rows, hints, strict=True)
            ]
            return self._tokenize_as_is(asked)
        ids, images, fields = self._tokenize_as_is([prompts[row] for row in rows])
        ids, fields = begin_answers(ids, fields, [batch.ids[row][level] for row in rows])
        return ids, images, fields

    def _enter(
        self, batch: HintBatch, level: int, turns: list[tuple[int, bool]], ids: Any, sampled: Any
    ) -> None:
        """Judge what was sampled at a level, and enter it in the table of all processes."""
        completion_ids, log_probs = sampled
        rows = [row for row, _ in turns]
        hints = [batch.hints[row][level] for row in rows]
        begun = [batch.ids[row][level] for row in rows]
        texts = self._turn_texts(begun, completion_ids)
        rewards = self._judge(rows, hints, texts, completion_ids)
        place = self.accelerator.process_index * len(self._inputs)
        own = [
            (place + row if counts else -1, len(completion), len(prompt))
            for (row, counts), completion, prompt in zip(turns, completion_ids, ids, strict=True)
        ]
        entries = self.accelerator.gather(torch.tensor(own, device=self.accelerator.device)).cpu()
        batch.table.put(level, entries[:, 0], rewards, entries[:, 1])
        batch.tokens += int(entries[entries[:, 0] >= 0, 1:].sum())
        scores = rewards.view(-1, len(turns))[self.accelerator.process_index].tolist()
        for n, (row, counts) in enumerate(turns):
            if counts:
                log_prob = None if log_probs is None else log_probs[n]
                batch.attempts[row][level] = Attempt(
                    batch.hints[row][level],
                    ids[n],
                    completion_ids[n],
                    log_prob,
                    texts[n],
                    scores[n],
                )

    def _select(self, batch: HintBatch, plain: Any) -> tuple[Any, Any]:
        """Take each prompt's level and go on as if it had been the only one."""
        levels = batch.table.selected().repeat_interleave(self.num_generations)
        own = levels.view(-1, len(plain))[self.accelerator.process_index].tolist()
        chosen = [attempts[level] for attempts, level in zip(batch.attempts, own, strict=True)]
        self._turns_made = [attempt.text for attempt in chosen]
        self._known_rewards = [attempt.reward for attempt in chosen]
        self._growth = [len(a.prompt_ids) - len(ids) for a, ids in zip(chosen, plain, strict=True)]
        self._scoring_prompt_ids = [list(attempt.prompt_ids) for attempt in chosen]
        for n, (rollout, attempt) in enumerate(zip(self._rollouts, chosen, strict=True)):
            hint, view = attempt.hint, replace(rollout.view, hint_ratio=attempt.hint.ratio)
            self._rollouts[n] = replace(rollout, view=view, hint=hint.text, hint_level=hint.level)
            self._inputs[n].update(hint_columns(self._rollouts[n]))
        for name, value in batch.table.metrics(batch.lengths).items():
            self._metrics["train"][name].append(value)
        completion_ids = [attempt.completion_ids for attempt in chosen]
        # TRL counts the prompts without hints and the completions that it is given.
        counted = torch.tensor(sum(map(len, plain)) + sum(map(len, completion_ids)))
        counted = self.accelerator.reduce(counted.to(self.accelerator.device), "sum")
        self.state.num_input_tokens_seen += batch.tokens - int(counted)
        log_probs = [attempt.log_probs for attempt in chosen]
        return completion_ids, None if log_probs[0] is None else log_probs

    # ---- scoring ----

    def _generate_and_score_completions(self, inputs: Rows) -> dict[str, Any]:
        self._turns_made, self._known_rewards, self._growth = [], [], []
        output = super()._generate_and_score_completions(inputs)
        width = output["prompt_ids"].size(1), output["completion_ids"].size(1)
        output |= self._fit_hints(output, sum(width), width[1])
        self._growth = []  # from here on the batch holds what fits
        return output

    def _fit_hints(self, batch: dict[str, Any], width: int, completion: int) -> dict[str, Tensor]:
        """Return the token types of the batch in the making, moved to fit prompts with hints."""
        if not any(self._growth):
            return {}
        return {
            name: fit_token_types(batch[name], self._growth, width, completion)
            for name in TOKEN_TYPES
            if batch.get(name) is not None
        }
