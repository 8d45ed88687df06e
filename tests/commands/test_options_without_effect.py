"""An option that says more about another one is refused without it, before anything is loaded."""

import pytest

QUESTION = ("generate", "--question", "Q")
EVALUATE = ("evaluate", "--model", "playground")
BENCHMARK = (*EVALUATE, "--benchmark", "mmstar")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "playground", "--gpus", "2"), "--gpus: 2 has no effect without --plan"),
        (("check", "playground", "--gpu-memory", "40"), "--gpu-memory: 40.0 has no effect"),
        (("check", "playground", "--measured", "a"), "--measured: a has no effect without --plan"),
        (("check", "playground", "--tokens-per-second", "9"), "--tokens-per-second: 9.0 has no"),
        ((*QUESTION, "--samples", "3"), "--samples: 3 greedy answers are the same one"),
        ((*QUESTION, "--noise-level", ".5"), "--noise-level: 0.5 has no effect without --image"),
        ((*QUESTION, "--noise-kind", "blur"), "--noise-kind: 'blur' has no effect without --noise"),
        ((*QUESTION, "--noise-at", "file"), "--noise-at: 'file' has no effect without --noise"),
        ((*EVALUATE, "--noise-kind", "blur"), "--noise-kind: 'blur' has no effect without --noise"),
        ((*EVALUATE, "--noise-at", "file"), "noise_at: 'file' has no effect without noise_level"),
        ((*EVALUATE, "--noise-level", ".5", "--text-only"), "--noise-level: 0.5 has no effect"),
        ((*BENCHMARK, "--noise-kind", "blur"), "--noise-kind: 'blur' has no effect without"),
        ((*BENCHMARK, "--judge-workers", "4"), "--judge-workers: 4 has no effect without --judge-"),
        ((*BENCHMARK, "--judge-key", "K"), "--judge-key: *** has no effect without --judge-url"),
        ((*BENCHMARK, "--levels", "0", "1"), "--levels: only with --robustness"),
        ((*BENCHMARK, "--max-model-len", "9"), "max_model_len: an argument of vLLM's; only with"),
    ],
)
def test_refused(run_cli, words, said):
    status, _, error = run_cli(*words)
    assert status == 2
    assert error.startswith("error: ") and error.count("\n") == 1
    assert said in error
