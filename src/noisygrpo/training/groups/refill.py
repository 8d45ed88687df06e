"""Dynamic sampling (DAPO, arXiv 2503.14476): groups that teach nothing are replaced.

A group whose advantages are all 0 moves nothing. Such a group is dropped, and the next prompts of
an order that is addressed by (seed, step, batch) are sampled in its place, until it is one that
teaches or ``refill_attempts`` more batches were sampled; what is still silent then stays as it is.
Under the Bayesian advantage a group of equal rewards has the advantages of its prior: it teaches,
unless ``constant_groups`` says otherwise.

Place k of the N groups of a batch tries the rows at k, k + N, k + 2 N, .. of the order, without the
rows of the batch itself where they have ids, and takes the first that teaches. The order never
ends: after all rows they come in another one. So what takes a
place depends on no other place, on no number of processes, and is the same after a resume. All
processes sample as often as the one that needs most; places that are filled already help those of
their process that are not.

Deliberate deviations: DAPO's release filters by accuracy and fails where batches run out. Here a
group counts that differs in any reward, as advantages say, and what is left stays.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor

from noisygrpo.methods.noise import address
from noisygrpo.training.batch import Batch, Weighed
from noisygrpo.training.groups.merge import Made, merge_batches, merge_outputs


@dataclass
class Refill:
    """Fills a batch with groups that teach."""

    rows: Any  # the training data: a sequence of rows
    ids: Sequence[str] | None  # of these, where they have some
    group: int  # G
    attempts: int  # batches that are sampled besides the first, at most
    seed: int
    place: int  # number of this process
    pad_token: int
    weigh: Callable[[Batch, dict[str, Any]], Weighed]
    total: Callable[[Tensor], Tensor]  # sums over processes
    record: Callable[[Mapping[str, float]], None]

    def fill(
        self, batch: Batch, output: dict[str, Any], number: int, make: Callable[[list[Any]], Made]
    ) -> Made:
        """Return a batch in which silent groups are replaced, as far as attempts allow.

        Args:
            batch, output: as TRL scored them, before advantages are taken.
            number: of the batch in the run, a part of the order's address.
            make: samples and scores rows, as many as the batch has on this process.
        """
        made: list[Made] = [(batch, output)]
        teaches = self._teaching(batch, output)
        everywhere, own = len(teaches), len(batch.rollouts) // self.group
        first = self.place * own
        chosen = [(0, place) for place in range(own)]
        order = Order(self._untried(batch), self.seed, batch.rollouts[0].step, number)
        silent = [place for place in range(own) if not teaches[first + place]]
        dropped, tried = everywhere - sum(teaches), dict[int, int]()
        attempt, left = 0, dropped
        while left and attempt < self.attempts:
            attempt += 1
            homes = self._homes(silent, own)
            candidates = [self._candidate(order, first + home, everywhere, tried) for home in homes]
            made.append(make([row for row in candidates for _ in range(self.group)]))
            teaches = self._teaching(*made[-1])
            for place, home in enumerate(homes):
                if home in silent and teaches[first + place]:
                    chosen[home] = (attempt, place)
                    silent.remove(home)
            left = int(self.total(torch.tensor(len(silent), device=output["prompt_ids"].device)))
        self.record({"groups/dropped": dropped, "groups/attempts": attempt, "groups/silent": left})
        if attempt == 0:
            return batch, output
        every = gather_object([(n, first + place) for n, place in chosen])
        merged = merge_batches(made, chosen, every, self.group)
        outputs = [scored for _, scored in made]
        return merged, merge_outputs(outputs, chosen, self.group, self.pad_token, self.total)

    def _teaching(self, batch: Batch, output: dict[str, Any]) -> list[bool]:
        """Tell which groups of all processes have an advantage that is not 0."""
        teaches: list[bool] = (self.weigh(batch, output).advantages != 0).any(1).tolist()
        return teaches

    def _homes(self, silent: Sequence[int], own: int) -> list[int]:
        """Return, for each place of a batch to sample, the place that it may fill."""
        if not silent:  # others need this batch
            return list(range(own))
        return [silent[place % len(silent)] for place in range(own)]

    def _candidate(self, order: "Order", slot: int, everywhere: int, tried: dict[int, int]) -> Any:
        number = tried.get(slot, 0)
        tried[slot] = number + 1
        return self.rows[order.row(slot + number * everywhere)]

    def _untried(self, batch: Batch) -> list[int]:
        """Return the numbers of the rows that are not in the batch; all where none is left."""
        numbers = list(range(len(self.rows)))
        if self.ids is None:
            return numbers
        there, ids = set(gather_object([one.example_id for one in batch.rollouts])), self.ids
        return [row for row in numbers if str(ids[row]) not in there] or numbers


@dataclass
class Order:
    """An endless order of rows: all of them in an addressed order, then in another."""

    rows: Sequence[int]
    seed: int
    step: int
    batch: int
    rounds: dict[int, Any] = field(default_factory=dict)

    def row(self, place: int) -> int:
        """Return the row at a place."""
        number, within = divmod(place, len(self.rows))
        if number not in self.rounds:
            seed = address("refill", self.seed, self.step, "", self.batch, number)
            self.rounds[number] = np.random.default_rng(seed).permutation(len(self.rows))
        return self.rows[int(self.rounds[number][within])]
