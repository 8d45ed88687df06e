"""Host memory over the steps of a run with pictures: does it creep?

    python benchmarks/memory_over_steps.py                   # 200 steps, some ten minutes on a core
    python benchmarks/memory_over_steps.py --steps 400 --folder build/memory

Trains the built-in model by NoisyGRPO through `noisygrpo.runs.train`, as the command line does, on
a data folder of PNG files (default 600, of 448 x 448 pixels: a decoded one is 0.6 MB, and its noisy
copies are as large, so a step that kept what it decodes would show within a few steps). The model
sees them at 112 x 112, which keeps steps short. After every step the resident memory of the process
is written to `memory.jsonl` in the run's folder.

Stopped, it goes on from its newest checkpoint when called again; steps of another process are not
compared with those before, so the numbers are of the longest stretch in one process. What is
printed is a row of a table: resident MB at the tenth step, in the middle and at the end, and the
slope of a straight line through all steps from the tenth on.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

FIRST = 10
"""The step from which on is counted: by then every buffer has been made once."""


def draw_data(folder: Path, pictures: int, size: int) -> Path:
    """Write pictures of the built-in world, enlarged, and a file of questions; once."""
    from PIL import Image

    from noisygrpo.playground import make_split

    table = folder / "data" / "rows.jsonl"
    if table.exists():
        return table
    table.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, row in enumerate(make_split("train", pictures)):
        name = f"{number:05d}.png"
        large = row["images"][0].resize((size, size), Image.Resampling.NEAREST)
        # Some grain, so that files have the weight of photographs.
        grain = np.random.default_rng(number).integers(0, 8, (size, size, 3), dtype=np.uint8)
        Image.fromarray(np.asarray(large) // 8 * 8 + grain).save(table.parent / name)
        lines.append({"question": row["question"], "answer": row["answer"], "image": name})
    table.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return table


def train(folder: Path, table: Path, steps: int) -> None:
    """Train, or go on."""
    from noisygrpo.recipes.recipe import load_recipe
    from noisygrpo.runs import train as run

    overrides = {
        "data.source": str(table),
        "data.limit": "null",
        "evaluation": "null",
        "training.max_steps": str(steps),
        "training.per_device_train_batch_size": "8",
        "training.gradient_accumulation_steps": "1",
        "training.max_completion_length": "24",
        "training.max_pixels": str(112 * 112),
        "training.beta": "0",
        "training.save_strategy": "steps",
        "training.save_steps": "50",
        "training.save_total_limit": "2",
    }
    make = run.make_trainer

    def watched(prepared: Any) -> Any:
        trainer = make(prepared)
        trainer.add_callback(watcher(folder / "run" / "memory.jsonl"))
        return trainer

    run.make_trainer = watched
    run.train(
        load_recipe("playground", list(overrides.items())), str(folder / "run"), resume="auto"
    )


def watcher(path: Path) -> Any:
    """A callback that appends step, process and resident bytes."""
    import psutil
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            used = psutil.Process().memory_info().rss
            line = {"step": state.global_step, "process": os.getpid(), "bytes": used}
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")

    return Watcher()


def table_line(path: Path) -> str:
    """The longest stretch of one process, as a row."""
    stretches: dict[int, list[tuple[int, float]]] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        known = stretches.setdefault(entry["process"], [])
        known.append((entry["step"], entry["bytes"] / 2**20))
    longest = max(stretches.values(), key=len)[FIRST - 1 :]
    steps, used = np.array(longest).T
    slope = np.polyfit(steps, used, 1)[0] * 100
    middle = len(used) // 2
    return (
        f"| steps {steps[0]:.0f} to {steps[-1]:.0f} | {used[0]:.0f} MB | {used[middle]:.0f} MB | "
        f"{used[-1]:.0f} MB | {used.max() - used.min():.0f} MB | {slope:+.1f} MB per 100 steps |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--size", type=int, default=448, help="of a picture's side, in pixels")
    parser.add_argument("--folder", type=Path, default=Path("build/memory"))
    args = parser.parse_args()
    record = args.folder / "run" / "memory.jsonl"
    train(args.folder, draw_data(args.folder, args.pictures, args.size), args.steps)
    print("| one process | first | middle | last | widest | slope |\n|---|---|---|---|---|---|")
    print(table_line(record))


if __name__ == "__main__":
    main()
