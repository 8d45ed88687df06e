"""Folders as a run and its evaluations leave them, made without training anything."""

import json

import yaml
from PIL import Image

from noisygrpo.methods.noise import noise_seed

LEVELS = (0.0, 0.1, 0.3, 0.6)
STEPS, PROMPTS = 4, 3
RIGHT = "<think>It is there.</think><answer>true</answer>"
WRONG = "<think>No.</think><answer>false</answer>"

HOSTILE = (
    "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"
    "\u2028\u2029 \x1b[31mred\x1b[0m \u202egnp.exe \u0645\u0631\u062d\u0628\u0627 "
    "<!-- {{script}} ]]> &lt;"
)
"""What a model may write: markup, line separators, escape sequences, marks of direction."""


def write_data(folder, rows=PROMPTS):
    """``rows.jsonl`` and ``test.jsonl`` with pictures beside them."""
    for name, prefix in (("rows.jsonl", "rows"), ("test.jsonl", "test")):
        lines = []
        for number in range(rows):
            picture = f"{prefix}-{number}.png"
            tint = (40 * number, 200 - 60 * number, 90)
            Image.new("RGB", (56 + 28 * number, 56), tint).save(folder / picture)
            lines.append({"id": f"{prefix}-{number}", "question": f"Is there a shape {number}?",
                          "image": picture, "answer": "true"})  # fmt: skip
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))


def record(step, number, index, level, *, seed=0, **changes):
    """A line of ``rollouts.jsonl``."""
    example = f"rows-{number}"
    right = (step + number + index) % 2 == 0
    seeds = [f"{noise_seed(seed, step, example, index).entropy:x}"] if level else []
    line = {
        "step": step, "example_id": example, "rollout_index": index,
        "prompt": [{"role": "user", "content": f"Is there a shape {number}?"}],
        "noise_level": level, "hint_ratio": 0.0, "hint_level": 0, "hint": "",
        "noise_kind": "gaussian" if level else None, "noise_seed": seeds,
        "completion": RIGHT if right else WRONG, "completion_tokens": 9, "truncated": False,
        "rewards": {"accuracy": float(right), "format": 1.0}, "reward": 1.0 + right,
        "unscorable": False, "gain": 0.2 + 0.2 * number,
        "advantage": (1.0 if right else -1.0) if index else -0.25 * (1 if right else -1),
    }  # fmt: skip
    return line | changes


def records(seed=0):
    """All lines: each prompt at each step, its rollouts at ``LEVELS``."""
    lines = [
        record(step, number, index, level, seed=seed)
        for step in range(1, STEPS + 1)
        for number in range(PROMPTS)
        for index, level in enumerate(LEVELS)
    ]
    lines[1] |= {"truncated": True}
    lines[2] |= {"unscorable": True, "reward": None, "rewards": {"accuracy": None, "format": None}}
    lines[5] |= {"visual_dependence": [0.1, 0.9, 0.0]}
    return lines


def metrics():
    """Lines of ``metrics.jsonl``."""
    names = ("reward", "rewards/accuracy/mean", "reward/level_0.0", "reward/level_0.3", "kl",
             "advantage/gain", "advantage/prior_driven", "entropy", "loss", "my/own",
             "completions/mean_length", "time/generate", "time/update")  # fmt: skip
    return [
        {"step": step, "step_time": 9.0, "completions/clipped_ratio": 0.0}
        | {name: 0.1 * step + n for n, name in enumerate(names)}
        for step in range(1, STEPS + 1)
    ]


def write_evaluation(folder, name, verdicts, *, settings=None, prefix="test"):
    """An evaluation's folder; ``verdicts``: whether each sample is right."""
    folder.mkdir(parents=True)
    samples = [
        {
            "example_id": f"{prefix}-{n}",
            "cluster": f"{prefix}-{n}",
            "kind": "shape",
            "prompt": [{"role": "user", "content": f"Is there a shape {n}?"}],
            "question": f"Is there a shape {n}?",
            "answer": "true",
            "output": RIGHT if right else WRONG,
            "extracted": "true" if right else "false",
            "correct": right,
            "why": "same text",
            "tokens": 9,
            "truncated": False,
            "failure": None,
        }
        for n, right in enumerate(verdicts)
    ]
    (folder / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in samples))
    accuracy = sum(verdicts) / len(verdicts)
    result = {"name": name, "accuracy": accuracy, "stderr": 0.1, "n": len(verdicts), "metrics": {},
              "by_kind": {"shape": {"accuracy": accuracy, "stderr": 0.1, "n": 3}}}  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "settings.json").write_text(json.dumps({"name": name, **(settings or {})}))


def write_run(folder, lines=None, *, seed=0, method="noisygrpo", after=(True, False, True)):
    """A finished run whose data is in the working directory."""
    folder.mkdir(parents=True)
    recipe = {
        "name": "made", "model": {"path": "tiny"}, "method": method,
        "data": {"source": "rows.jsonl", "prompt": "{question}"},
        "rewards": [{"name": "accuracy"}, {"name": "format"}],
        "training": {"noise_levels": list(LEVELS), "num_generations": 4, "seed": seed},
        "evaluation": {"splits": ["test"], "source": "test.jsonl"},
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    lines = records(seed) if lines is None else lines
    for name, entries in (("rollouts.jsonl", lines), ("metrics.jsonl", metrics())):
        (folder / name).write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    environment = {"python": "3.11", "torch": "2.13", "arguments": ["train", "playground"]}
    (folder / "environment.json").write_text(json.dumps(environment))
    before, later = ({"accuracy": n / 3, "stderr": 0.1, "n": 3} for n in (1, 2))
    difference = {"difference": 1 / 3, "low": -0.1, "high": 0.6, "p_value": 0.5}
    entry = {"before": before, "after": later, "difference": difference}
    (folder / "summary.json").write_text(json.dumps({"test": entry}))
    for moment, verdicts in (
        ("before", (True, False, False)),
        ("step-000002", (True, True, False)),
        ("after", after),
    ):
        write_evaluation(folder / "evaluation" / moment / "test", "test", verdicts)
    return folder
