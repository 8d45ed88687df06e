"""Every method on the playground at several seeds: accuracy before and after, on all splits.

    python benchmarks/methods_on_playground.py --output-dir runs/methods
    python benchmarks/methods_on_playground.py --output-dir runs/methods --parallel 2

Each run is ``noisygrpo train RECIPE --training.seed SEED``; a run whose folder holds a
``summary.json`` is not repeated. The table gives, for every split, the accuracy of every seed, and
over the seeds mean and standard error of the mean; ``rollouts`` is the accuracy of the rollouts
in the first and in the last quarter of training.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RECIPES = (
    "playground-grpo",
    "playground",
    "playground-noisyrollout",
    "playground-hint-grpo",
)


def run_all(jobs: list[tuple[str, int]], folder: Path, parallel: int) -> None:
    """Run what is missing, ``parallel`` at a time; each process gets its share of the cores."""
    waiting = [job for job in jobs if not (place(folder, *job) / "summary.json").exists()]
    threads = max(1, (os.cpu_count() or 1) // parallel)
    running: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
    while waiting or running:
        while waiting and len(running) < parallel:
            job = waiting.pop(0)
            print(f"{time.strftime('%H:%M:%S')} {job[0]} seed {job[1]}", flush=True)
            running[job] = start(folder, *job, threads)
        for job, process in list(running.items()):
            if process.poll() is not None:
                del running[job]
                if process.returncode:
                    raise SystemExit(f"{job}: exit status {process.returncode}; see its log.txt")
        time.sleep(1)


def place(folder: Path, recipe: str, seed: int) -> Path:
    return folder / f"{recipe}-{seed}"


def start(folder: Path, recipe: str, seed: int, threads: int) -> "subprocess.Popen[bytes]":
    out = place(folder, recipe, seed)
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "noisygrpo", "train", recipe, "--output-dir", str(out)]
    with out.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--overwrite", "--training.seed", str(seed)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )


def mean_and_error(values: list[float]) -> str:
    """``64.3 ± 1.2``: mean and standard error of the mean, in percent."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{100 * statistics.mean(values):.1f} ± {100 * error:.1f}"


def rollouts(out: Path) -> tuple[float, float]:
    """Accuracy of the rollouts in the first and the last quarter of the steps."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    values = [x["rewards/accuracy/mean"] for x in lines if "rewards/accuracy/mean" in x]
    part = max(1, len(values) // 4)
    return statistics.mean(values[:part]), statistics.mean(values[-part:])


def table(folder: Path, recipes: list[str], seeds: list[int]) -> str:
    """Return the Markdown table of all runs."""
    first = json.loads((place(folder, recipes[0], seeds[0]) / "summary.json").read_text())
    splits = list(first)
    before = [f"{100 * first[split]['before']['accuracy']:.1f}" for split in splits]
    lines = [
        f"| method | seed | {' | '.join(splits)} | rollouts |",
        "|---" * (len(splits) + 3) + "|",
        f"| before | | {' | '.join(before)} | |",
    ]
    for recipe in recipes:
        found = []
        for seed in seeds:
            out = place(folder, recipe, seed)
            summary = json.loads((out / "summary.json").read_text())
            found.append([summary[split]["after"]["accuracy"] for split in splits])
            start_, end = rollouts(out)
            cells = " | ".join(f"{100 * value:.1f}" for value in found[-1])
            lines.append(f"| {recipe} | {seed} | {cells} | {100 * start_:.1f} → {100 * end:.1f} |")
        means = " | ".join(mean_and_error(list(column)) for column in zip(*found, strict=True))
        lines.append(f"| **{recipe}** | mean | {means} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", default="runs/methods")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--parallel", type=int, default=1)
    args = parser.parse_args()
    folder = Path(args.output_dir)
    run_all([(r, s) for s in args.seeds for r in args.recipes], folder, args.parallel)
    report = table(folder, args.recipes, args.seeds)
    (folder / "table.md").write_text(report + "\n")
    print(report)


if __name__ == "__main__":
    main()
