import json
import os
import subprocess
import sys
import threading

from noisygrpo.rewards import is_correct, math_process
from noisygrpo.rewards.math_pool import MathPool
from noisygrpo.rewards.math_process import MathWorker, Reply

HANG = "9^{9^{9^{9}}}"
FORMULA, OTHER_FORMULA = "\\binom{n}{2} + x", "x + \\binom{n}{2}"  # not decided without math-verify


def equal(gold: str, prediction: str) -> dict[str, str]:
    return {"op": "equal", "gold": gold, "prediction": prediction}


def test_time_out_is_unscorable_and_the_worker_comes_back() -> None:
    worker = MathWorker()
    try:
        verdict, why, lasting = worker.ask(equal("7^{7}", HANG), 1.0)
        assert lasting
        assert verdict is None, why
        assert "more than 1 s" in why
        assert worker.pid is None  # killed, not left behind
        assert worker.ask(equal("2\\sqrt{2}", "\\sqrt{8}"), 600.0)[0] is True
        first = worker.pid
        assert worker.ask(equal("2\\sqrt{2}", "\\sqrt{9}"), 600.0)[0] is False
        assert worker.pid == first  # reused
    finally:
        worker.close()


def test_wall_clock_ends_what_the_processor_limit_does_not(monkeypatch) -> None:
    monkeypatch.setattr(math_process, "WALL_FACTOR", 0.001)
    worker = MathWorker()
    try:
        verdict, why, _ = worker.ask(equal("7^{7}", HANG), 500.0)
        assert verdict is None
        assert "more than 0.5 s" in why
        assert worker.pid is None
    finally:
        worker.close()


def test_dead_worker_is_unscorable() -> None:
    worker = MathWorker()
    try:
        worker.ask(equal("1", "1"), 600.0)
        assert worker.pid is not None
        os.kill(worker.pid, 9)
        assert worker.ask(equal("x^2", "x^3"), 600.0)[0] is None
        assert worker.ask(equal("x^2", "x^2"), 600.0)[0] is True
    finally:
        worker.close()


class FakeWorker:
    """Answers from a list; remembers what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies, self.asked = list(replies), []

    def ask(self, request, time_limit, wall_limit=None) -> Reply:
        self.asked.append((request["prediction"], wall_limit))
        return self.replies.pop(0)


def pool_of(*replies: Reply) -> tuple[MathPool, FakeWorker]:
    pool, worker = MathPool(1), FakeWorker(*replies)
    pool.workers = [worker]
    return pool, worker


def test_each_distinct_pair_is_compared_once_and_remembered() -> None:
    pool, worker = pool_of(Reply(True, "equal"), Reply(False, "not"))
    pairs = [("a", "b"), ("c", "d"), ("a", "b")]
    expected = {("a", "b"): (True, "equal"), ("c", "d"): (False, "not")}
    assert pool.compare(pairs, 5.0) == expected
    assert pool.compare(pairs, 5.0) == expected
    assert [prediction for prediction, _ in worker.asked] == ["a", "c"]


def test_time_outs_are_remembered_for_their_limit() -> None:
    pool, worker = pool_of(Reply(None, "slow"), Reply(True, "equal"))
    pair = ("a", "b")
    assert pool.compare([pair], 5.0)[pair] == (None, "slow")
    assert pool.compare([pair], 5.0)[pair] == (None, "slow")
    assert len(worker.asked) == 1
    assert pool.compare([pair], 10.0)[pair] == (True, "equal")  # more time than before


def test_the_death_of_a_worker_is_not_remembered() -> None:
    pool, _ = pool_of(Reply(None, "killed", lasting=False), Reply(True, "equal"))
    pair = ("a", "b")
    assert pool.compare([pair], 5.0)[pair][0] is None
    assert pool.compare([pair], 5.0)[pair][0] is True


def test_budget_of_a_batch() -> None:
    pool, worker = pool_of(Reply(True, "equal"))
    assert pool.compare([("a", "b")], 5.0, budget=0.0)[("a", "b")][0] is None
    assert worker.asked == []
    assert pool.compare([("a", "b")], 5.0, budget=100.0)[("a", "b")] == (True, "equal")
    assert 0 < worker.asked[0][1] <= 100


def test_several_processes_share_the_pairs() -> None:
    pool = MathPool(2)
    try:
        pairs = [(f"\\{{{n}, x\\}}", f"\\{{x, {n}\\}}") for n in range(20)]
        assert {correct for correct, _ in pool.compare(pairs, 600.0).values()} == {True}
        pids = {worker.pid for worker in pool.workers}
        assert len(pids) == 2 and None not in pids
    finally:
        pool.close()


def test_works_outside_the_main_thread() -> None:
    results: list[bool | None] = []

    def judge() -> None:
        results.append(is_correct(FORMULA, OTHER_FORMULA, time_limit=600).correct)

    thread = threading.Thread(target=judge)
    thread.start()
    thread.join()
    assert results == [True]


def test_worker_needs_no_main_module() -> None:
    """A script without a main guard is not run a second time, as multiprocessing would."""
    script = (
        "print('started')\n"
        "from noisygrpo.rewards import is_correct\n"
        f"print(is_correct({FORMULA!r}, {OTHER_FORMULA!r}, time_limit=600).correct)\n"
        "import sys; print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["started", "True", "False"], done.stderr


def test_worker_reports_what_math_verify_raises() -> None:
    request = {"op": "equal", "prediction": "1", "seconds": 20}
    script = math_process.Path(math_process.__file__).with_name("math_worker.py")
    done = subprocess.run(
        [sys.executable, "-P", str(script)],
        input=json.dumps({**request, "gold": None}) + "\n",
        capture_output=True,
        text=True,
    )
    ready, reply = done.stdout.splitlines()
    assert json.loads(ready) == {"ready": True}
    assert json.loads(reply)["result"] is None
