"""Made verdicts, dynamics and runs of an experiment, with differences that are known."""

import numpy as np
import pandas as pd

SPLITS = ("test", "more", "wording", "combination", "prior", "corrupt", "blind", "noisy", "pairs")


def verdicts(arms, seeds=(0, 1, 2), rows=40, stage=1, setting="rate1", calibrated=False):
    """``arms``: name to the share of rows that it gets right beyond a half."""
    frames = []
    hard = {split: np.random.default_rng([1, n]).random(rows) for n, split in enumerate(SPLITS)}
    for place, (arm, gain) in enumerate(arms.items()):
        for seed in seeds:
            for split, level in hard.items():
                luck = np.random.default_rng([2, place, seed, len(split)]).normal(0, 0.1, rows)
                frames.append(
                    pd.DataFrame(
                        {
                            "stage": stage, "arm": arm, "setting": setting, "seed": seed,
                            "split": split, "row": [f"{split}-{n}" for n in range(rows)],
                            "pair": "", "cluster": [f"{split}-{n // 2}" for n in range(rows)],
                            "correct": level + luck < 0.5 + gain, "correct_alone": True,
                            "tokens": 9, "calibrated": calibrated,
                        }
                    )
                )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def runs(arms, seeds=(0, 1, 2), stage=1, setting="rate1", state="done"):
    return pd.DataFrame(
        [
            {
                "stage": stage, "arm": arm, "setting": setting, "seed": seed, "state": state,
                "why": "error: it broke" if state == "failed" else "",
                "minutes": 6.0 if state == "done" else float("nan"), "tokens": 1000.0,
                "steps": 10.0, "commit": "abc", "commands": "noisygrpo train",
            }
            for arm in arms
            for seed in seeds
        ]
    )  # fmt: skip


def dynamics(arms, seeds=(0, 1, 2), steps=8, stage=1, setting="rate1"):
    lines = []
    for arm in arms:
        for seed in seeds:
            for step in range(1, steps + 1):
                line = {
                    "stage": stage, "arm": arm, "setting": setting, "seed": seed, "step": step,
                    "frac_reward_zero_std": 0.25, "kl": 1e6 if step < 6 else 0.5,
                    "grad_norm": 1.0, "reward/level_0.0": 1.5, "num_tokens": 100.0 * step,
                }  # fmt: skip
                if arm != "grpo":
                    line |= {"reward/level_0.4": 0.5, "advantage/prior_mass": 0.3}
                lines.append(line)
    return pd.DataFrame(lines)
