"""Does it hold on a GPU? GRPO and NoisyGRPO, 200 steps each, on one card, measured and compared.

    make gpu-acceptance MODEL=Qwen/Qwen2.5-VL-3B-Instruct DATA=hiyouga/geometry3k \\
        ARGS="--data.adapter geometry3k"
    python benchmarks/gpu_acceptance.py --model DIR --data rows.jsonl --data.holdout 0.1 \\
        --evaluation.splits '[holdout]'
    python benchmarks/gpu_acceptance.py --tiny              # on a CPU: does it work?

DATA is whatever `data.source` of a recipe takes; what is trained is `gpu_acceptance.yaml`, and any
field of it can be overridden by its dotted name. Stages: `check --plan`, `train` by each method,
`evaluate` of the model before and after, `compare`, `report`. Each is a process of its own whose
output is in `logs/`. Killed, the same command goes on: what is done is not done again, training
goes on from its last checkpoint. The goals are printed as met or missed and written beside the rest
(`acceptance.md`); those about TRL come from `make gpu-figures` on the same card.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from acceptance_page import page
from alone import alone, last_line, told
from gpu_parts import TINY as TINY_SHAPES
from gpu_parts import base_job
from machine import ROOT, UNKNOWN, Machine, this_machine

FOLDER = ROOT / "build" / "gpu-acceptance"
TINY_FOLDER = FOLDER.with_name("gpu-acceptance-tiny")
FIGURES = ROOT / "build" / "gpu-figures"
RECIPE = Path(__file__).with_suffix(".yaml")
METHODS = ("grpo", "noisygrpo")
GRACE = 120.0
"""Seconds in which a run that is stopped may finish its step and save."""
TINY = {
    "training.max_steps": "4",
    "training.num_generations": "4",
    "training.per_device_train_batch_size": "4",
    "training.gradient_accumulation_steps": "1",
    "training.max_completion_length": "4",
    "training.save_steps": "2",
    "training.use_cpu": "true",
    "model.dtype": "float32",
    "evaluation.rows": "4",
    "evaluation.batch_size": "4",
    "evaluation.max_new_tokens": "4",
}
"""For a CPU, in seconds."""
TINY_JOB = replace(base_job(TINY_SHAPES, "tiny", False), dtype="float32")


@dataclass(frozen=True)
class Stage:
    """One command of `noisygrpo`."""

    name: str
    words: tuple[str, ...]
    product: Path
    """What is there once it is done."""
    state: str = ""
    """Of the file that it reads; another one makes it anew."""

    @property
    def record(self) -> list[str]:
        """What is written down when it is done."""
        return [*self.words, self.state]


def main(words: list[str] | None = None) -> int:
    """Run the stages that are missing; print and write what came out."""
    args, overrides = arguments(sys.argv[1:] if words is None else words)
    machine = this_machine("cpu" if args.tiny else "cuda")
    if machine.card == UNKNOWN:
        print("error: nvidia-smi names no card here; --tiny shows on a CPU that it works")
        return 2
    from noisygrpo.runs.lock import only_one

    with only_one(args.output_dir):
        return accept(args, overrides, machine)


def accept(args: argparse.Namespace, overrides: list[tuple[str, str]], machine: Machine) -> int:
    """Run the stages in a folder that nobody else has."""
    folder: Path = args.output_dir
    (folder / "logs").mkdir(exist_ok=True)
    if args.tiny:
        args.model, args.data, overrides = tiny(args, overrides, folder / "tiny")
    print(f"{machine.line()}\n{folder}", flush=True)
    every = stages(args, overrides, folder, machine)
    todo = missing(every, folder / "done.json")
    for stage in every:
        if stage not in todo:
            print(f"{stage.name}: done before", flush=True)
            continue
        status = run(stage, folder, fresh=not args.tiny)
        if status != 0:
            print(f"the same command goes on with: {stage.name}")
            return status
    text = page(folder, METHODS, machine, figures=args.figures)
    print(f"\n{text}\n{folder / 'acceptance.md'}\n{folder / 'report.html'}")
    return 0


def arguments(words: list[str]) -> tuple[argparse.Namespace, list[tuple[str, str]]]:
    """Options, and the fields of the recipe that are given by their dotted names."""
    from noisygrpo.cli import split_overrides
    from noisygrpo.errors import UserError

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a folder or a hub id")
    parser.add_argument("--data", help="what data.source of a recipe takes")
    parser.add_argument("--output-dir", type=Path, help=f"default: {FOLDER.relative_to(ROOT)}")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes on the CPU, in a minute")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="where those of TRL lie")
    try:
        rest, overrides = split_overrides(words)
    except UserError as error:
        parser.error(str(error))
    args = parser.parse_args(rest)
    args.output_dir = args.output_dir or (TINY_FOLDER if args.tiny else FOLDER)
    given = dict(overrides)
    for name, field in (("model", "model.path"), ("data", "data.source")):
        value = given.get(name) or given.get(field)
        if not (value or args.tiny):
            parser.error(f"--{name} is missing (make gpu-acceptance {name.upper()}=...)")
        vars(args)[name] = value
    taken = ("model", "model.path", "data", "data.source")
    return args, [(name, value) for name, value in overrides if name not in taken]


# ---- the stages ----


def stages(
    args: argparse.Namespace, overrides: list[tuple[str, str]], folder: Path, machine: Machine
) -> list[Stage]:
    """All of them, in order."""
    recipe = (str(RECIPE), "--data.source", args.data)
    given = flags(overrides)
    # What is trained is measured afterwards, in stages of their own.
    training = flags([pair for pair in overrides if pair[0].partition(".")[0] != "evaluation"])
    memory = ("--gpu-memory", f"{machine.gib * 2**30 / 1e9:.1f}") if machine.gib else ()
    path = ("--model.path", args.model)
    words = ("check", *recipe, *path, *given, "--plan", *memory)
    found = [Stage("check", words, folder / "logs", state_of(Path(args.data)))]
    for method in METHODS:
        where = ("--method", method, "--output-dir", str(folder / method))
        words = ("train", *recipe, *path, *training, *where, "--auto-resume", "--no-evaluation")
        found.append(Stage(f"train-{method}", words, folder / method / "checkpoint"))
    for name in ("before", *METHODS):
        model = args.model if name == "before" else str(folder / name / "checkpoint")
        place = folder / "evaluation" / name
        words = ("evaluate", "--recipe", *recipe, *given, "--model", model)
        whole = (*words, "--output-dir", str(place))
        found.append(Stage(f"evaluate-{name}", whole, place / "report.txt"))
    measured = [f"{name}={folder / 'evaluation' / name}" for name in (*METHODS, "before")]
    table, html = folder / "comparison.json", folder / "report.html"
    compared = ("compare", *measured, "--json", str(table), "--markdown")
    both = [f"{name}={folder / name}" for name in METHODS]
    reported = ("report", *both, "--output", str(html))
    return [*found, Stage("compare", compared, table), Stage("report", reported, html)]


def state_of(data: Path) -> str:
    """Size and time of a file; nothing of a folder or of what is no path."""
    return f"{data.stat().st_size} {data.stat().st_mtime_ns}" if os.path.isfile(data) else ""


def flags(overrides: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"--{name}={value}" for name, value in overrides)


def missing(every: list[Stage], book: Path) -> list[Stage]:
    """The first stage that was not done with these words, and all that follow it."""
    done = read(book)
    for number, stage in enumerate(every):
        if done.get(stage.name) != stage.record or not stage.product.exists():
            return every[number:]
    return []


def run(stage: Stage, folder: Path, *, fresh: bool) -> int:
    """Run a stage; returns its exit status, and says why it is not 0."""
    from noisygrpo.evaluation.samples import write_json

    log, book = folder / "logs" / f"{stage.name}.log", folder / "done.json"
    print(f"{stage.name}: its output is in {log}", flush=True)
    started = time.monotonic()
    if not fresh:
        import noisygrpo.training.trainer  # noqa: F401  # once, for all forks
    status = alone(command, stage.words, limit=None, log=log, fresh=fresh, grace=GRACE)
    seconds = time.monotonic() - started
    if status != 0:
        print(f"{stage.name}: status {status} after {seconds:.0f} s: {last_line(log)}", flush=True)
        return status if status is not None and 0 < status < 256 else 1
    write_json(book, {**read(book), stage.name: stage.record})
    print(f"{stage.name}: done in {seconds:.0f} s", flush=True)
    return 0


def read(book: Path) -> dict[str, Any]:
    """What is done, by the words of its command; nothing where the file is no such list."""
    try:
        found = json.loads(book.read_text(encoding="utf-8")) if book.is_file() else None
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def command(words: tuple[str, ...]) -> None:
    """Run a command of `noisygrpo` on the first visible card, and leave with its status."""
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    from noisygrpo.cli import main as noisygrpo

    sys.exit(noisygrpo(list(words)))


# ---- tiny shapes ----


def tiny(
    args: argparse.Namespace, overrides: list[tuple[str, str]], folder: Path
) -> tuple[str, str, list[tuple[str, str]]]:
    """Model, data and overrides of a run on a CPU; a random model and noise where none is given."""
    more = dict(TINY)
    if not args.data:
        rows, more["evaluation.source"] = write_rows(folder)
    model = args.model or write_model(folder / "model")
    return model, args.data or rows, [*more.items(), *overrides]


def write_model(folder: Path) -> str:
    from steps import build_model, build_processor

    if not (folder / "preprocessor_config.json").is_file():
        processor = build_processor()
        build_model(TINY_JOB, processor.tokenizer).save_pretrained(folder)
        processor.save_pretrained(folder)
    return str(folder)


def write_rows(folder: Path) -> tuple[str, str]:
    """Rows to train on and rows to measure, of pictures of noise."""
    from steps import build_row

    rows, test = folder / "rows.jsonl", folder / "test.jsonl"
    if test.is_file():
        return str(rows), str(test)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(12):
        row = build_row(TINY_JOB, number)
        row["images"][0].save(folder / f"{number}.png")
        question = f"{number}: {row['question']}"
        lines.append({"question": question, "image": f"{number}.png", "answer": row["answer"]})
    for file, some in ((rows, lines[:8]), (test, lines[8:])):
        file.write_text("".join(json.dumps(line) + "\n" for line in some))
    return str(rows), str(test)


if __name__ == "__main__":
    sys.exit(told(main))
