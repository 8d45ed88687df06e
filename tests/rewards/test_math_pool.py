import json
import os
import subprocess
import sys
import threading

from noisygrpo.rewards import is_correct, math_check
from noisygrpo.rewards.math_check import MathWorker

HANG = "9^{9^{9^{9}}}"


def equal(gold: str, prediction: str) -> dict[str, str]:
    return {"op": "equal", "gold": gold, "prediction": prediction}


def test_time_out_is_unscorable_and_the_worker_comes_back() -> None:
    worker = MathWorker()
    try:
        verdict, why = worker.ask(equal("7^{7}", HANG), 1.0)
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
    monkeypatch.setattr(math_check, "WALL_FACTOR", 0.001)
    worker = MathWorker()
    try:
        verdict, why = worker.ask(equal("7^{7}", HANG), 500.0)
        assert verdict is None
        assert "more than 500 s" in why
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


def test_time_out_is_not_remembered(monkeypatch) -> None:
    answers = iter([(None, "slow"), (True, "fine")])
    monkeypatch.setattr(math_check.WORKER, "ask", lambda request, limit: next(answers))
    assert is_correct("y^5+1", "1+y^{5}+0").correct is None
    assert is_correct("y^5+1", "1+y^{5}+0").correct is True
    assert is_correct("y^5+1", "1+y^{5}+0").correct is True  # from memory: no third answer


def test_works_outside_the_main_thread() -> None:
    results: list[bool | None] = []

    def judge() -> None:
        results.append(is_correct("(a+b)^2", "a^2+2ab+b^2", time_limit=600).correct)

    thread = threading.Thread(target=judge)
    thread.start()
    thread.join()
    assert results == [True]


def test_worker_needs_no_main_module() -> None:
    """A script without a main guard is not run a second time, as multiprocessing would."""
    script = (
        "print('started')\n"
        "from noisygrpo.rewards import is_correct\n"
        "print(is_correct('\\\\sqrt{8}', '2\\\\sqrt{2}', time_limit=600).correct)\n"
        "import sys; print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["started", "True", "False"], done.stderr


def test_worker_reports_what_math_verify_raises() -> None:
    request = {"op": "equal", "prediction": "1", "seconds": 20}
    script = math_check.Path(math_check.__file__).with_name("math_worker.py")
    done = subprocess.run(
        [sys.executable, "-P", str(script)],
        input=json.dumps({**request, "gold": None}) + "\n",
        capture_output=True,
        text=True,
    )
    ready, reply = done.stdout.splitlines()
    assert json.loads(ready) == {"ready": True}
    assert json.loads(reply)["result"] is None
