"""What a finished run leaves behind for `noisygrpo check --measured`."""

import json


def run_folder(folder, *, steps=4, gpus="none"):
    """Write what a run of two processes leaves: 16 rollouts of 50 tokens in 2 seconds a step."""
    parts = {"noise": 0.1, "generate": 0.9, "reward": 0.1, "score": 0.3, "update": 0.6}
    line = {f"time/{name}": value for name, value in parts.items()}
    line |= {"tokens_per_second": 400.0, "completions/mean_length": 50.0}
    folder.mkdir()
    slow = [{**line, "time/update": 9.0}] * 2  # warming up
    lines = [*slow, *[line] * (steps - 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(item) + "\n" for item in lines))
    found = {"threads": "2", "gpus": gpus, "processes": "2"}
    (folder / "environment.json").write_text(json.dumps(found))
    (folder / "recipe.yaml").write_text("model: {path: m}\ntraining: {}\n")
    return folder
