"""The figures of a GPU: ours against TRL's on the shapes of Qwen2.5-VL-3B and -7B, random weights.

    make gpu-figures                                       # all parts, on the first visible card
    python benchmarks/gpu_figures.py --only 3b lora --minutes 30
    python benchmarks/gpu_figures.py --tiny                # on a CPU in a minute: does it work?

Every part (`--list`) has a process of its own and at most eight minutes; what came out, also that
it does not fit in the card's memory, is a JSON file. A call goes on where the last one was stopped.
Results lie in a folder by card, shapes and measured sources: others than this call's do not count.
The table is printed and written beside them; ``--document`` puts it into docs/performance.md.

A part is given up for this call, and tried again by the next one, where it fails, where the card is
used by others, and where something is not installed (vLLM). The exit status is 1 where one failed.
"""

import argparse
import dataclasses
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alone import alone, last_line, told
from gpu_measure import FORMAT, measure
from gpu_parts import LIMIT, TINY, Part, Shapes, all_parts, chosen
from gpu_table import GB, caption, goals, markdown, seconds_of
from machine import ROOT, UNKNOWN, Machine, this_machine

FOLDER = ROOT / "build" / "gpu-figures"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- the table of make gpu-figures -->", "<!-- its end -->"
KEPT = ("measured", "does not fit", "too slow")
"""Outcomes that are results; after others a part is tried again."""
Run = Callable[[Part, Machine, Path, float], int | None]
"""Runs a part, and returns its exit status; None where it took too long."""


def main(words: list[str] | None = None) -> int:
    """Measure what is missing; print and write the table."""
    args = arguments(words)
    shapes = TINY if args.tiny else Shapes()
    shapes = dataclasses.replace(shapes, **{k: v for k in CHANGES if (v := vars(args)[k])})
    parts = chosen(all_parts(shapes), args.only)
    if not parts:
        print(f"error: --only {' '.join(args.only)}: no part has all of these words; see --list")
        return 2
    if args.list:
        print("\n".join(part.name for part in parts))
        return 0
    machine = this_machine(shapes.device)
    if (lacking := no_gpu(machine)) is not None:
        print(f"error: {lacking}; --tiny shows on a CPU that it works")
        return 2
    from noisygrpo.runs.lock import only_one

    folder = args.output_dir / place(machine, shapes)
    print(f"{machine.line()}\n{folder}", flush=True)
    with only_one(folder):
        failed = run_all(parts, machine, folder, minutes=args.minutes)
        write(shapes, machine, folder, document=args.document)
    return int(failed)


CHANGES = ("completion", "long", "rounds")


def arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="tiny shapes on the CPU, in a minute")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="parts so named")
    parser.add_argument("--list", action="store_true", help="print the parts' names, and end")
    parser.add_argument(
        "--minutes", type=float, help="begin no part after so many; it may last eight more"
    )
    parser.add_argument("--completion", type=int, help="tokens, in the plain update")
    parser.add_argument("--long", type=int, help="tokens, with the recipes' settings")
    parser.add_argument("--rounds", type=int, help="after one to warm up (default: 3)")
    parser.add_argument("--output-dir", type=Path, default=FOLDER, help="build/gpu-figures")
    parser.add_argument("--document", action="store_true", help="into docs/performance.md as well")
    args = parser.parse_args(words)
    for name in (*CHANGES, "minutes"):
        if vars(args)[name] is not None and vars(args)[name] <= 0:
            parser.error(f"--{name}: {vars(args)[name]} is not positive")
    if args.tiny and args.document:
        parser.error("--document: tiny shapes give no figures")
    return args


def no_gpu(machine: Machine) -> str | None:
    """Say why no figure of a GPU can be had here; None where it can, or is not asked for."""
    if machine.card == UNKNOWN:
        return "nvidia-smi names no card here"
    if machine.gib and machine.torch.endswith("+cpu"):
        return f"torch {machine.torch} is built without CUDA"
    return None


def place(machine: Machine, shapes: Shapes) -> str:
    """Name of the folder in which results of the same card, shapes and sources are."""
    same = {"format": FORMAT, "card": machine.card, "gib": machine.gib, "driver": machine.driver}
    text = json.dumps(same | {"sources": machine.sources, **dataclasses.asdict(shapes)})
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{re.sub(r'[^a-z0-9]+', '-', machine.card.lower()).strip('-')}-{digest}"


# ---- the parts ----


def run_all(
    parts: list[Part],
    machine: Machine,
    folder: Path,
    *,
    minutes: float | None,
    run: Run | None = None,
) -> bool:
    """Measure the parts that have no result; returns whether one failed."""
    began, failed = time.monotonic(), False
    for number, part in enumerate(parts, start=1):
        mark = f"{number}/{len(parts)} {part.name}"
        if known(folder, part, machine) is not None:
            continue
        if minutes is not None and time.monotonic() - began > 60 * minutes:
            print(f"{mark}: not begun, {minutes:g} minutes are over; the next call goes on here")
            break
        started = time.monotonic()
        outcome, note = attempt(part, machine, folder, run or in_its_process)
        failed |= outcome == "failed"
        said = f"{outcome}: {note}" if note else outcome
        print(f"{mark}: {said} ({time.monotonic() - started:.0f} s)", flush=True)
    return failed


def attempt(part: Part, machine: Machine, folder: Path, run: Run) -> tuple[str, str]:
    """Measure a part; returns its outcome and what there is to say about it."""
    file = folder / f"{part.name}.json"
    file.unlink(missing_ok=True)
    status = run(part, machine, file, LIMIT)
    if status is None:
        note = f"more than {LIMIT / 60:.0f} minutes"
        keep(file, part, machine, {"outcome": "too slow", "note": note})
        return "too slow", note
    result = known(folder, part, machine, every=True)
    if status != 0 or result is None:
        log = file.with_suffix(".log")
        return "failed", f"status {status}, {last_line(log)} (all of it: {log})"
    if result["outcome"] != "measured":
        return result["outcome"], result["note"]
    if (seconds := seconds_of(result)) is None:
        return "measured", f"{result['tokens_per_second']:,.0f} tokens/s"
    return "measured", f"{seconds:.3g} s, peak {result['peak'] / GB:.3g} GB"


def in_its_process(part: Part, machine: Machine, file: Path, limit: float) -> int | None:
    """Run a part under the watchdog."""
    # CUDA wants a new interpreter, and vLLM to be there before Transformers.
    fresh = part.job.device == "cuda" or part.job.kind == "vllm"
    log = file.with_suffix(".log")
    if not fresh:
        import noisygrpo.training.trainer  # noqa: F401  # once, for all forks
    return alone(measure, part, machine, file, limit, limit=limit, log=log, fresh=fresh)


def keep(file: Path, part: Part, machine: Machine, found: dict[str, Any]) -> None:
    """Write a result that the part itself could not write."""
    from noisygrpo.evaluation.samples import write_json

    head = {"format": FORMAT, "part": part.to_dict(), "machine": machine.to_dict()}
    write_json(file, head | {"date": time.strftime("%Y-%m-%d"), **found})


def known(
    folder: Path, part: Part, machine: Machine, *, every: bool = False
) -> dict[str, Any] | None:
    """Return a part's result; None where there is none that counts.

    ``every``: also one after which the part is tried again.
    """
    file = folder / f"{part.name}.json"
    if not file.is_file():
        return None
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        result = None
    if not isinstance(result, dict) or differs(result, part, machine):
        print(f"{file}: not a result of this card, these shapes and versions; it does not count")
        return None
    return result if every or result["outcome"] in KEPT else None


def differs(result: dict[str, Any], part: Part, machine: Machine) -> bool:
    """Tell whether a result is of something else; vLLM may live in an environment of its own."""
    same = ("card", "gib", "driver", "sources")
    libraries = () if part.job.kind == "vllm" else ("torch", "trl")
    there, here = result.get("machine", {}), machine.to_dict()
    if any(there.get(name) != here[name] for name in (*same, *libraries)):
        return True
    wanted = json.loads(json.dumps(part.to_dict()))
    return result.get("format") != FORMAT or result.get("part") != wanted


# ---- the table ----


def write(shapes: Shapes, machine: Machine, folder: Path, *, document: bool) -> None:
    """Print and write table and goals, of all parts that have a result."""
    from noisygrpo.evaluation.samples import write_atomic, write_json

    every = all_parts(shapes)
    results = {
        part.name: result for part in every if (result := known(folder, part, machine)) is not None
    }
    text = markdown(every, results, caption(results, len(every) - len(results)))
    judged = goals(every, results)
    write_atomic(folder / "table.md", text)
    write_json(
        folder / "figures.json",
        {
            "machine": machine.to_dict(),
            "goals": [dataclasses.asdict(goal) for goal in judged],
            "results": results,
        },
    )
    print(f"\n{text}\n" + "\n".join(goal.line() for goal in judged))
    print(f"\n{folder / 'table.md'}")
    if document and any(result["outcome"] == "measured" for result in results.values()):
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        write_atomic(PAGE, f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")
        print(f"written into {PAGE}")


if __name__ == "__main__":
    sys.exit(told(main))
