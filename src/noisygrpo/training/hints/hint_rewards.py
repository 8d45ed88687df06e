"""Rewards of completions that begin with a hint, and the reward that selects a prompt's level.

Reward functions get the whole assistant turn, hint and continuation, because the form of an answer
shows in the whole of it (H16: the released Hint-GRPO gives them the continuation alone, on which
its format reward never fires). They find the hint's text in the column ``hint``, and its level in
``hint_level`` and ``hint_ratio``.

The selecting reward (``hint_reward``) is asked for every completion of every level; what it said of
the trained ones is kept and not asked again, unless it logs columns or metrics of its own, which
belong to the trained completions.

Shapes: R rollouts over all processes.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor

from noisygrpo.errors import require
from noisygrpo.training.hints.prompts import Hint
from noisygrpo.training.views.views_seam import Rows, ViewsSeam


class HintRewards(ViewsSeam):
    """``ViewsSeam`` that can ask one reward function alone; otherwise unchanged."""

    reward_funcs: list[Any]
    reward_processing_classes: list[Any]
    reward_func_names: list[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take TRL's arguments; raises ``UserError`` where hints cannot go with them."""
        self._prompts: list[Any] = []
        self._known_rewards: list[float] = []  # the selecting reward of the batch's own rows
        self._selector = 0
        self._reward_logs = False
        super().__init__(*args, **kwargs)
        if self._levels > 1:
            self._check_hints()

    @property
    def _levels(self) -> int:
        return self.args.hint_levels or 1

    def _check_hints(self) -> None:
        name, names = self.args.hint_reward, self.reward_func_names
        require(
            name is None or name in names,
            f"hint_reward: {name!r} is not one of the rewards {', '.join(names)}",
        )
        self._selector = 0 if name is None else names.index(name)
        require(
            not self.tools and self.environment_factories is None and self.rollout_func is None,
            f"hint_levels: {self._levels} cannot go with tools, environments or a rollout function",
        )

    def _turn_texts(self, begun: Sequence[list[int]], completion_ids: Any) -> list[str]:
        """Return the assistant's turns as text: hints where they stand there, continuations."""
        if self.args.hint_place == "question":
            begun = [[] for _ in begun]
        # Decoded in one piece: some tokenizers drop the space before a text's first word.
        turns = [[*hint, *ids] for hint, ids in zip(begun, completion_ids, strict=True)]
        return list(self.processing_class.batch_decode(turns, skip_special_tokens=True))

    def _as_completions(self, texts: Sequence[str]) -> list[Any]:
        if isinstance(self._prompts[0], str):
            return list(texts)
        return [[{"role": "assistant", "content": text}] for text in texts]

    def _judge(
        self,
        rows: Sequence[int],
        hints: Sequence[Hint],
        texts: Sequence[str],
        completion_ids: Any,
    ) -> Float[Tensor, " R"]:
        """Return what the selecting reward says of the completions of all processes.

        Args:
            rows: which of the batch's own rows each completion belongs to.
            hints: what each was given.
            texts: the assistant's turns.
            completion_ids: tokens of the continuations.
        """
        started = time.perf_counter()
        inputs = [
            {
                **self._inputs[row],
                **{"hint": hint.text, "hint_level": hint.level, "hint_ratio": hint.ratio},
            }
            for row, hint in zip(rows, hints, strict=True)
        ]
        prompts = [self._prompts[row] for row in rows]
        with self._one_reward():
            completions = self._as_completions(texts)
            rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids)
        self._spent("reward", started)
        return rewards[:, 0].cpu()

    @contextmanager
    def _one_reward(self) -> Iterator[None]:
        """Leave only the selecting reward function, and drop what it logs."""
        kept = self.reward_funcs, self.reward_processing_classes, self.reward_func_names
        only = [[values[self._selector]] for values in kept]
        self.reward_funcs, self.reward_processing_classes, self.reward_func_names = only
        try:
            yield
        finally:
            self.reward_funcs, self.reward_processing_classes, self.reward_func_names = kept
            self._reward_logs |= bool(self._pending_extra_logs or self._pending_metrics)
            self._pending_extra_logs.clear()
            self._pending_metrics.clear()

    def _calculate_rewards(
        self, inputs: Rows, prompts: list[Any], completions: list[Any], completion_ids_list: Any
    ) -> Float[Tensor, "R functions"]:
        arguments = (inputs, prompts, completions, completion_ids_list)
        if not self._known_rewards or self._reward_logs:
            return super()._calculate_rewards(*arguments)
        known, kept = self._known_rewards, list(self.reward_funcs)
        self.reward_funcs[self._selector] = lambda **columns: known
        try:
            return super()._calculate_rewards(*arguments)
        finally:
            self.reward_funcs[:] = kept
