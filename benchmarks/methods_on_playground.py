"""Every method on the playground at several seeds: accuracy before and after, on all splits.

    python benchmarks/methods_on_playground.py --output-dir runs/methods
    python benchmarks/methods_on_playground.py --output-dir runs/methods --parallel 2
    python benchmarks/methods_on_playground.py --output-dir runs/methods --calibrated 0.8

``--calibrated S`` also evaluates every trained model, and the one before training, with text-bias
calibration at scale S (Hint-GRPO), as ``noisygrpo evaluate --text-bias-scale S``.

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
from dataclasses import dataclass
from pathlib import Path

RECIPES = (
    "playground-grpo",
    "playground",
    "playground-noisyrollout",
    "playground-hint-grpo",
)
BEFORE = "before-calibrated"


@dataclass(frozen=True)
class Job:
    """One process, and the file that says that it has been done."""

    words: tuple[str, ...]
    folder: Path
    done: str

    def start(self, threads: int) -> "subprocess.Popen[bytes]":
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "noisygrpo", *self.words, "--overwrite"]
        with self.folder.with_suffix(".log").open("wb") as log:
            return subprocess.Popen(
                [*command, "--output-dir", str(self.folder)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            )


def training(folder: Path, recipe: str, seed: int) -> Job:
    words = ("train", recipe, "--training.seed", str(seed))
    return Job(words, folder / f"{recipe}-seed{seed}", "summary.json")


def calibrated(model: str, out: Path, scale: float) -> Job:
    words = ("evaluate", "--model", model, "--text-bias-scale", str(scale))
    return Job(words, out, "report.txt")


def run_all(jobs: list[Job], parallel: int) -> None:
    """Run what is missing, ``parallel`` at a time; each process gets its share of the cores."""
    waiting = [job for job in jobs if not (job.folder / job.done).exists()]
    threads = max(1, (os.cpu_count() or 1) // parallel)
    running: dict[Job, subprocess.Popen[bytes]] = {}
    while waiting or running:
        while waiting and len(running) < parallel:
            job = waiting.pop(0)
            print(f"{time.strftime('%H:%M:%S')} {' '.join(job.words)}", flush=True)
            running[job] = job.start(threads)
        for job, process in list(running.items()):
            if process.poll() is not None:
                del running[job]
                if process.returncode:
                    raise SystemExit(f"{' '.join(job.words)}: exit status {process.returncode}")
        time.sleep(1)


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


def percents(values: list[float]) -> str:
    return " | ".join(f"{100 * value:.1f}" for value in values)


def table(folder: Path, recipes: list[str], seeds: list[int], scale: float | None) -> str:
    """Return the Markdown table of all runs."""
    first = json.loads((folder / f"{recipes[0]}-seed{seeds[0]}" / "summary.json").read_text())
    splits = list(first)
    lines = [
        f"| method | seed | {' | '.join(splits)} | rollouts |",
        "|---" * (len(splits) + 3) + "|",
        f"| before | | {percents([first[split]['before']['accuracy'] for split in splits])} | |",
    ]
    if scale is not None:
        lines.append(
            f"| before, calibrated | | {percents(accuracies(folder / BEFORE, splits))} | |"
        )
    for recipe in recipes:
        runs = [folder / f"{recipe}-seed{seed}" for seed in seeds]
        summaries = [json.loads((out / "summary.json").read_text()) for out in runs]
        found = [[summary[split]["after"]["accuracy"] for split in splits] for summary in summaries]
        for seed, out, values in zip(seeds, runs, found, strict=True):
            begin, end = rollouts(out)
            share = f"{100 * begin:.1f} → {100 * end:.1f}"
            lines.append(f"| {recipe} | {seed} | {percents(values)} | {share} |")
        lines.append(mean_line(recipe, found))
        if scale is not None:
            found = [accuracies(out / "calibrated", splits) for out in runs]
            for seed, values in zip(seeds, found, strict=True):
                lines.append(f"| {recipe}, calibrated | {seed} | {percents(values)} | |")
            lines.append(mean_line(f"{recipe}, calibrated", found))
    return "\n".join(lines)


def mean_line(name: str, found: list[list[float]]) -> str:
    means = " | ".join(mean_and_error(list(column)) for column in zip(*found, strict=True))
    return f"| **{name}** | mean | {means} | |"


def accuracies(folder: Path, splits: list[str]) -> list[float]:
    return [
        json.loads((folder / split / "result.json").read_text())["accuracy"] for split in splits
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", default="runs/methods")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--calibrated", type=float, metavar="SCALE")
    args = parser.parse_args()
    folder = Path(args.output_dir)
    jobs = [training(folder, recipe, seed) for seed in args.seeds for recipe in args.recipes]
    run_all(jobs, args.parallel)
    if args.calibrated is not None:
        models = [("playground", folder / BEFORE)]
        models += [(str(job.folder / "checkpoint"), job.folder / "calibrated") for job in jobs]
        run_all([calibrated(*model, args.calibrated) for model in models], args.parallel)
    report = table(folder, args.recipes, args.seeds, args.calibrated)
    (folder / "table.md").write_text(report + "\n")
    print(report)


if __name__ == "__main__":
    main()
