"""Comparing many formulas with math-verify: several worker processes, a memory and a budget.

The rollouts of a batch are compared side by side, each distinct pair once. Verdicts are remembered,
time-outs too: a pair that took too long is not tried again with the same limit.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from noisygrpo.rewards.math_process import MathWorker, Reply

MEMORY = 20_000
"""Pairs whose verdict is kept; rollouts of a group often give the same answer."""

MOST_WORKERS = 8
"""Processes at most, each about 100 MB."""

PAIRS_FOR_A_WORKER = 8
"""Pairs that justify one more process, which takes about a second to start."""

Outcome = tuple[bool | None, str]
Pair = tuple[str, str]


def workers_here() -> int:
    """Processes that this one may use: its share of the cores of the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(MOST_WORKERS, (cores or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))


class MathPool:
    """Workers that start when they are needed, and what they found out."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = [MathWorker() for _ in range(workers or workers_here())]
        self._known: OrderedDict[tuple[str, str, str], tuple[Reply, float]] = OrderedDict()
        self._lock = threading.Lock()

    def compare(
        self,
        pairs: Sequence[Pair],
        time_limit: float,
        budget: float | None = None,
        op: str = "equal",
    ) -> dict[Pair, Outcome]:
        """Whether the prediction and the target of each pair are equal, and why; None: unscorable.

        ``time_limit``: seconds of processor time for a pair. ``budget``: seconds on the clock for
        all of them; a pair that is not compared by then is unscorable, and tried again next time.
        ``op``: see ``math_worker``.
        """
        deadline = None if budget is None else time.monotonic() + budget
        found: dict[Pair, Outcome] = {}
        open_pairs = []
        for pair in dict.fromkeys(pairs):
            known = self._remembered((op, *pair), time_limit)
            if known is None:
                open_pairs.append(pair)
            else:
                found[pair] = known
        count = min(len(self.workers), 1 + len(open_pairs) // PAIRS_FOR_A_WORKER)
        queue = iter(open_pairs)

        def work(worker: MathWorker) -> None:
            while True:
                with self._lock:
                    pair = next(queue, None)
                if pair is None:
                    return
                found[pair] = self._ask(worker, (op, *pair), time_limit, deadline)

        if count == 1:
            work(self.workers[0])
        else:
            with ThreadPoolExecutor(count) as threads:
                list(threads.map(work, self.workers[:count]))
        return found

    def close(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.close()

    def _ask(
        self,
        worker: MathWorker,
        key: tuple[str, str, str],
        time_limit: float,
        deadline: float | None,
    ) -> Outcome:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return None, "the batch's time for math-verify was over"
        op, prediction, target = key
        request = {"op": op, "gold": target, "prediction": prediction}
        reply = worker.ask(request, time_limit, left)
        if reply.lasting:
            with self._lock:
                self._known[key] = reply, time_limit
                if len(self._known) > MEMORY:
                    self._known.popitem(last=False)
        return reply.correct, reply.why

    def _remembered(self, key: tuple[str, str, str], time_limit: float) -> Outcome | None:
        """A known verdict; an unscorable one only if no more time is given now."""
        with self._lock:
            known = self._known.get(key)
        if known is None or (known[0].correct is None and time_limit > known[1]):
            return None
        return known[0].correct, known[0].why


_pools: dict[int, MathPool] = {}
_starting = threading.Lock()


def pool() -> MathPool:
    """The pool of this process; a fork makes its own."""
    with _starting:
        here = os.getpid()
        if here not in _pools:
            _pools[here] = MathPool()
            atexit.register(_pools[here].close)
        return _pools[here]


def math_equal(prediction: str, target: str, time_limit: float, op: str = "equal") -> Outcome:
    """Whether two formulas are equal, and why; None if unscorable (time-out, exception)."""
    return pool().compare([(prediction, target)], time_limit, op=op)[(prediction, target)]


def math_equal_all(
    pairs: Sequence[Pair], time_limit: float, budget: float | None = None
) -> dict[Pair, Outcome]:
    """`math_equal` of many pairs, side by side."""
    return pool().compare([(pair[0], pair[1]) for pair in pairs], time_limit, budget)
