"""Update step, ours against TRL's: time, peak memory, and the limit that the shapes set.

    python benchmarks/update_step.py                     # the whole table
    python benchmarks/update_step.py --groups 8 --image-tokens 1024 --rounds 5
    python benchmarks/update_step.py --size 3b --dtype bfloat16 --device cuda [--lora]

For every group size and image size two processes hold the same random Qwen2.5-VL, the same prompt,
image, completions and rewards: one trains with ``trl.GRPOTrainer``, one with ``NoisyGRPOTrainer``
and ``shared_prefix: true``. They make the same update (loss, backward, gradient norm, optimizer
step) in turn, so that whatever else the machine does hits both. Completions are given, not sampled.

The ratio is TRL's time over ours in each round: median, least, greatest. ``limit`` is the ratio of
floating point operations that rows and groups need (matrix products and attention scores, forward
and backward, LM head at completion tokens only). Peak memory is what an update adds to the process
at its highest. ``norm`` is the largest relative difference of the two gradient norms.
"""

import argparse
import multiprocessing
import os
import statistics
from dataclasses import replace
from typing import Any

from shapes import SIZES, Job, operations
from steps import Spent, stepping

# ---- one process: a trainer that makes an update when it is told to ----


def work(job: Job, pipe: Any) -> None:
    """Build a trainer, then make one update per message and answer with what it cost."""
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    with stepping(job) as steps:
        pipe.send("ready")
        while pipe.recv() == "update":
            pipe.send(steps.make())


# ---- the table ----


def measure(job: Job, rounds: int) -> dict[str, float]:
    """Return ratios of TRL to ours over ``rounds`` updates of each, after one to warm up."""
    context = multiprocessing.get_context("spawn")
    ends, processes = [], []
    for kind in ("trl", "grpo"):
        here, there = context.Pipe()
        one = replace(job, kind=kind)
        process = context.Process(target=work, args=(one, there), daemon=True)
        process.start()
        there.close()
        if here.recv() != "ready":
            raise RuntimeError("a process did not start")
        ends.append(here)
        processes.append(process)
    results = []
    for _ in range(rounds + 1):
        pair = []
        for end in ends:
            end.send("update")
            pair.append(end.recv())
        results.append(pair)
    for end, process in zip(ends, processes, strict=True):
        end.send("stop")
        process.join()
    return summary(results[1:])


def summary(results: list[list[Spent]]) -> dict[str, float]:
    ratios = [trl.seconds / ours.seconds for trl, ours in results]
    return {
        "trl_s": statistics.median(trl.seconds for trl, _ in results),
        "ours_s": statistics.median(ours.seconds for _, ours in results),
        "ratio": statistics.median(ratios),
        "least": min(ratios),
        "greatest": max(ratios),
        "trl_gb": max(trl.added for trl, _ in results) / 1e9,
        "ours_gb": max(ours.added for _, ours in results) / 1e9,
        "norm": max(abs(t.norm - o.norm) / max(abs(t.norm), 1e-9) for t, o in results),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="mid")
    parser.add_argument("--groups", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--image-tokens", type=int, nargs="+", default=[128, 512, 1024, 2048])
    parser.add_argument("--completion", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kernel", choices=["sdpa", "flex"], default="sdpa", help="of ours")
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--freeze", action="store_true", help="train no part of the vision tower")
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing")
    return parser.parse_args()


def main() -> None:
    args = parse()
    print(__doc__.splitlines()[0])
    print(" ".join(f"{key}={value}" for key, value in vars(args).items()))
    print(
        f"{'G':>3} {'image':>6} {'TRL s':>8} {'ours s':>8} {'ratio':>6} {'least':>6} {'most':>6} "
        f"{'limit':>6} {'TRL GB':>7} {'ours GB':>8} {'ratio':>6} {'norm':>8}"
    )
    for group in args.groups:
        for tokens in args.image_tokens:
            known = {k: v for k, v in vars(args).items() if k in Job.__dataclass_fields__}
            job = Job(**{**known, "group": group, "image_tokens": tokens})
            limit = operations(job, job.prompt, False) / operations(job, job.prompt, True)
            found = measure(job, args.rounds)
            print(
                f"{group:>3} {tokens:>6} {found['trl_s']:>8.3f} {found['ours_s']:>8.3f} "
                f"{found['ratio']:>6.2f} {found['least']:>6.2f} {found['greatest']:>6.2f} "
                f"{limit:>6.2f} {found['trl_gb']:>7.3f} {found['ours_gb']:>8.3f} "
                f"{found['trl_gb'] / found['ours_gb']:>6.2f} {found['norm']:>8.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
