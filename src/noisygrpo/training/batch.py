"""The batch of rollouts in the making: the one value that the trainer's methods share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from noisygrpo.training.engines.generate import Sampled
from noisygrpo.training.hints.ladder import Attempt
from noisygrpo.training.hints.prompts import TOKEN_TYPES, fit_token_types
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.views.show import Shown


@dataclass(frozen=True)
class Weighed:
    """A batch's rewards, levels and advantages, over all processes."""

    rewards: Float[Tensor, "prompts group"]
    """Weighted sums; NaN is unscorable."""

    levels: Float[Tensor, "prompts group"]
    """Noise levels, float64."""

    advantages: Float[Tensor, "prompts group"]
    """What the update weighs completions with."""

    lost: Bool[Tensor, " R"]
    """Which rollouts are unscorable."""

    gain: Float[Tensor, " prompts"] | None = None
    """Weight of the prior, where there is one."""


@dataclass
class Batch:
    """This process's share of a generation batch, from the plan of its views to its rewards."""

    rollouts: list[Rollout]
    """In the order of the rows."""

    training: bool
    """Whether these are trained on; those of evaluation are clean and have no hints."""

    prompts: list[Any] = field(default_factory=list)
    """As TRL made them of the rows, with the clean images in them."""

    shown: Shown | None = None
    """The prompts as they are sampled from and scored; None before they are tokenized."""

    attempts: list[Attempt] = field(default_factory=list)
    """What each row is trained on, by hint level; empty without hints."""

    rewards: Float[Tensor, "R functions"] = field(default_factory=lambda: torch.empty(0, 0))
    """What each function gave, over all processes; NaN where it gave nothing."""

    lost: Bool[Tensor, " R"] = field(default_factory=lambda: torch.empty(0, dtype=torch.bool))
    """Which rollouts are unscorable, over all processes."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The examples, as the data set gives them."""
        return [rollout.row for rollout in self.rollouts]

    def take_hints(self, attempts: list[Attempt]) -> Sampled:
        """Go on with one attempt of each row, as if it had been the only one sampled."""
        self.attempts = attempts
        for rollout, attempt in zip(self.rollouts, attempts, strict=True):
            rollout.hint = attempt.hint
        log_probs = [attempt.log_probs for attempt in attempts]
        ids = [list(attempt.completion_ids) for attempt in attempts]
        return ids, None if log_probs[0] is None else log_probs

    def turns(self, texts: Sequence[str]) -> list[Any]:
        """Return the assistant's turns in the form of the prompts: conversations, or texts."""
        if isinstance(self.prompts[0], str):
            return list(texts)
        return [[{"role": "assistant", "content": text}] for text in texts]

    @property
    def said(self) -> list[float]:
        """What the reward that selects hints said of each row's attempt."""
        return [attempt.reward for attempt in self.attempts]

    def take_prompts(self, prompts: list[Any], made: bool) -> None:
        """Enter the prompts as TRL made them; ``made``: with what environments had to say."""
        self.prompts = prompts
        if made:
            for rollout, prompt in zip(self.rollouts, prompts, strict=True):
                rollout.prompt = without_pictures(prompt)

    def reward_rows(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows with the columns that tell reward functions of views and hints."""
        return [one.reward_row(row) for one, row in zip(self.rollouts, rows, strict=True)]

    def take_completions(
        self, prompt_ids: Any, completion_ids: Any, sampled: Any, completions: list[Any]
    ) -> tuple[Any, list[Any]]:
        """Enter what was sampled; return the prompts that are scored, and what rewards are given.

        Args:
            prompt_ids: what TRL sampled from: tokens of the views' prompts, without hints.
            completion_ids: what was sampled, with what tools answered in between.
            sampled: of each of these tokens, whether it was sampled; None where all were.
            completions: what TRL made of it, without the hints that it goes on from.
        """
        if self.attempts:
            prompt_ids = [list(attempt.prompt_ids) for attempt in self.attempts]
            completions = self.turns([attempt.text for attempt in self.attempts])
        elif self.shown is not None:
            prompt_ids = self.shown.scored_ids
        masks = [None] * len(self.rollouts) if sampled is None else sampled
        found = zip(self.rollouts, prompt_ids, completion_ids, masks, completions, strict=True)
        for rollout, prompt, ids, mask, completion in found:
            rollout.prompt_ids, rollout.completion_ids, rollout.sampled = prompt, ids, mask
            if isinstance(completion, str):
                rollout.completion = completion
            else:
                rollout.turns = without_pictures(completion)
                rollout.completion = spoken(rollout.turns)
        return prompt_ids, completions

    def take_advantages(self, names: Sequence[str], weighed: Weighed, first: int) -> list[float]:
        """Enter rewards and advantages, and return these; own rows begin at ``first`` of all."""
        own = slice(first, first + len(self.rollouts))
        columns = (self.rewards, self.lost, weighed.rewards.flatten(), weighed.advantages.flatten())
        mine = zip(self.rollouts, *(values[own].tolist() for values in columns), strict=True)
        for rollout, parts, lost, reward, advantage in mine:
            rollout.unscorable = lost
            rollout.rewards = dict(zip(names, parts, strict=True))
            rollout.reward, rollout.advantage = reward, advantage
        return [rollout.advantage for rollout in self.rollouts]

    def token_types(self, fields: dict[str, Any], width: int, completion: int) -> dict[str, Tensor]:
        """Return the token types, moved to fit prompts with hints; {} where nothing moves.

        Args:
            fields: with TRL's ``TOKEN_TYPES``, made from the prompts without hints.
            width: tokens of prompts with hints and completions.
            completion: tokens of completions.
        """
        if not self.attempts or self.shown is None:
            return {}
        plain = self.shown.scored_ids
        added = [len(a.prompt_ids) - len(ids) for a, ids in zip(self.attempts, plain, strict=True)]
        if not any(added):
            return {}
        return {
            name: fit_token_types(fields[name], added, width, completion)
            for name in TOKEN_TYPES
            if fields.get(name) is not None
        }


def without_pictures(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return messages as they can be written down: a picture is ``{"type": "image"}``."""
    return [
        {**message, "content": [_part(part) for part in message["content"]]}
        if isinstance(message.get("content"), list)
        else dict(message)
        for message in messages
    ]


def _part(part: Any) -> Any:
    if isinstance(part, Mapping) and part.get("type") == "image":
        return {"type": "image"}
    return part


def spoken(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return what the assistant said in its turns, each on lines of its own."""
    said = [message.get("content") for message in messages if message["role"] == "assistant"]
    return "\n".join(text for text in said if isinstance(text, str))
