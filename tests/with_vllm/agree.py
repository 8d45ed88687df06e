"""Whether a run with vLLM logs what a run with Transformers' engine does on the same completions.

Everything behind the sampler is then one computation on one input. Only what is made of the
sampler's own log-probs differs, and by rounding alone.
"""

import json
from pathlib import Path

import pytest

from with_vllm.runs import CLOSE, records, trainer_of

PLAIN = {"noise_levels": None, "log_view_ratio": None}
OTHER = {"log_view_ratio": None}
MASKED = {"second_view": "black_patches", "second_level": 0.6}
CORRECTED = {"log_view_ratio": True, "view_correction_limit": 1.05}

CASES = {
    "papo": {"method": "papo", "second_loss": -0.5, "second_metric": True, **PLAIN},
    "papo_exact": {"method": "papo_exact", "second_loss": -0.5, **PLAIN},
    "vppo": {"method": "vppo", **PLAIN},
    "second view of noisy rollouts": {
        **OTHER,
        **MASKED,
        "second_reward": 0.5,
        "second_gate": "correct",
        "correct_at": 0.5,
    },
    "own, text": {
        **OTHER,
        "score_view": "own",
        "second_view": "text",
        "second_estimator": "full",
        "second_loss": 0.5,
        "second_policy": "current",
        "second_gradient": "both",
    },
    "own, corrected": {**OTHER, "score_view": "own", "vllm_importance_sampling_correction": True},
    "all": {**OTHER, "score_view": "all", "num_iterations": 2, "max_steps": 3},
    "all, corrected, compared": {
        **OTHER,
        **MASKED,
        "score_view": "all",
        "vllm_importance_sampling_correction": True,
        "second_loss": -0.5,
        "second_policy": "current",
        "second_gradient": "both",
        "second_sequence_weight": 0.5,
    },
    "all, refill": {**OTHER, "score_view": "all", "groups": "refill", "rows": 8},
    "truncated": {**CORRECTED, "view_correction": "truncated"},
    "geometric": {**CORRECTED, "view_correction": "geometric"},
    "rejection": {**CORRECTED, "view_correction": "rejection", "view_correction_limit": 0.02},
    "refill": {"groups": "refill", "refill_attempts": 2, "rows": 8},
}
"""Settings of runs of two steps that vLLM samples."""

LENGTH = 48
"""Tokens of a completion at most: weights of whole completions have the rounding of their sum."""

APART = ("time", "step_time", "seconds", "tokens_per_second", "train_", "sampling", "mismatch")
"""Metrics that engines do not share: of time, and of the sampler's own log-probs."""


def agree(trainer, folder, model_folder, case):
    """Train twice on the same completions and compare all that is logged.

    Args:
        trainer: returns a trainer that vLLM samples for, of some settings; it writes to ``folder``.
        folder: of its run.
        model_folder, case: of both runs.
    """
    one, said = trainer(**case), []
    sample = one._engine.sample

    def listen(*inputs, **options):
        found = sample(*inputs, **options)
        said.append(found[0])
        return found

    one._engine.sample = listen
    one.train()
    settings = {**case, "use_vllm": False, "vllm_mode": None, "generation_kwargs": None}
    settings["vllm_importance_sampling_correction"] = None
    other = trainer_of(model_folder, folder / "transformers", **settings)
    again = iter(said)
    other._engine.sample = lambda *inputs, **options: (next(again), None)
    other.train()
    assert next(again, None) is None and len(said) >= 2
    summed = case.get("view_correction") == "truncated" or one.vllm_importance_sampling_correction
    compare(folder, folder / "transformers", LENGTH * CLOSE if summed else CLOSE)


def compare(one, other, close):
    """Rollouts and metrics are the same but for the arithmetic of the engine.

    ``close``: the relative difference that it may make.
    """
    for ours, theirs in zip(records(one), records(other), strict=True):
        assert ours["completion"] == theirs["completion"]
        assert ours["noise_level"] == theirs["noise_level"]
        for key in ("reward", "advantage", "visual_dependence"):
            assert ours.get(key) == pytest.approx(theirs.get(key), abs=CLOSE), key
    compared = set()
    for ours, theirs in zip(metrics(one), metrics(other), strict=True):
        for key in ours.keys() & theirs.keys():
            if not key.startswith(APART) and isinstance(ours[key], float):
                wanted = pytest.approx(theirs[key], abs=3 * CLOSE, rel=close, nan_ok=True)
                assert ours[key] == wanted, (key, ours, theirs)
                compared.add(key)
    print(sorted(compared))
    assert {"loss", "grad_norm", "reward"} <= compared


def metrics(folder):
    return [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
