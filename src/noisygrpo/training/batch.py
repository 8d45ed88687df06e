"""The batch of rollouts in the making: the one value that the trainer's methods share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from noisygrpo.training.engines.generate import Sampled
from noisygrpo.training.hints.prompts import TOKEN_TYPES, fit_token_types
from noisygrpo.training.rollout import Rollout
from noisygrpo.training.views.show import Shown

if TYPE_CHECKING:
    from noisygrpo.training.views.score import AllViews


@dataclass(frozen=True)
class Weighed:
    """A batch's rewards, levels and advantages, over all processes."""

    rewards: Float[Tensor, "prompts group"]  # weighted sums; NaN is unscorable
    levels: Float[Tensor, "prompts group"]  # of noise, float64
    advantages: Float[Tensor, "prompts group"]  # what the update weighs completions with
    lost: Bool[Tensor, " R"]  # which rollouts are unscorable
    gain: Float[Tensor, " prompts"] | None = None  # weight of the prior, where there is one
    metrics: dict[str, float] = field(default_factory=dict)  # of what levels make of advantages


@dataclass
class Batch:
    """This process's share of a generation batch, from the plan of its views to its rewards.

    ``rewards [R, functions]`` are what each function gave (NaN is nothing), and ``lost [R]`` tells
    which rollouts are unscorable, both over all processes.
    """

    rollouts: list[Rollout]  # in the order of the rows
    training: bool  # whether these are trained on; those of evaluation are clean, without hints
    prompts: list[Any] = field(default_factory=list)  # as TRL made them, with the clean images
    shown: Shown | None = None  # the prompts as sampled from and scored, once they are tokenized
    hinted: bool = False  # whether the rollouts were chosen among several hint levels
    rewards: Float[Tensor, "R functions"] = field(default_factory=lambda: torch.empty(0, 0))
    lost: Bool[Tensor, " R"] = field(default_factory=lambda: torch.empty(0, dtype=torch.bool))
    scored: Float[Tensor, "B ... T"] | None = None  # log-probs on the scored views, of the sampler
    views: "AllViews | None" = None  # where completions are scored on all views of their group
    dependence: Float[Tensor, "B T"] | None = None  # on the picture; 0 where there is no token

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The examples, as the data set gives them."""
        return [rollout.row for rollout in self.rollouts]

    def take_hints(self, rollouts: list[Rollout]) -> Sampled:
        """Go on with each row at one hint level, as if nothing else had been sampled."""
        self.rollouts, self.hinted = rollouts, True
        log_probs = [rollout.log_probs for rollout in rollouts]
        ids = [list(rollout.completion_ids) for rollout in rollouts]
        return ids, None if log_probs[0] is None else log_probs

    def turns(self, texts: Sequence[str]) -> list[Any]:
        """Return the assistant's turns in the form of the prompts: conversations, or texts."""
        if isinstance(self.prompts[0], str):
            return list(texts)
        return [[{"role": "assistant", "content": text}] for text in texts]

    @property
    def said(self) -> list[float]:
        """What the reward that selects hints said of each row."""
        return [rollout.reward for rollout in self.rollouts]

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

        TRL has ``prompt_ids`` of the views, and both these and ``completions`` without hints.
        ``sampled`` tells of each token whether it was sampled, or answered by a tool; None where
        all were.
        """
        if self.hinted:
            prompt_ids = [list(rollout.prompt_ids) for rollout in self.rollouts]
            completions = self.turns([rollout.completion for rollout in self.rollouts])
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
        group = weighed.rewards.shape[1]
        gains = [None] * len(weighed.rewards) if weighed.gain is None else weighed.gain.tolist()
        mine = zip(self.rollouts, *(values[own].tolist() for values in columns), strict=True)
        for place, (rollout, parts, lost, reward, advantage) in enumerate(mine, start=first):
            rollout.unscorable, rollout.gain = lost, gains[place // group]
            rollout.rewards = dict(zip(names, parts, strict=True))
            rollout.reward, rollout.advantage = reward, advantage
        return [rollout.advantage for rollout in self.rollouts]

    def fit(self, output: dict[str, Any]) -> None:
        """Make TRL's scored batch fit prompts with hints."""
        completion = output["completion_ids"].size(1)
        width = output["prompt_ids"].size(1) + completion
        output |= self.token_types(output, width, completion)

    def token_types(self, fields: dict[str, Any], width: int, completion: int) -> dict[str, Tensor]:
        """Return TRL's ``TOKEN_TYPES``, moved to fit prompts with hints; {} where nothing moves.

        ``width``: tokens of prompts with hints and completions; ``completion``: of these alone.
        """
        if not self.hinted or self.shown is None:
            return {}
        both = zip(self.rollouts, self.shown.scored_ids, strict=True)
        added = [len(rollout.prompt_ids) - len(plain) for rollout, plain in both]
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
