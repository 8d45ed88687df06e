"""Damaged checkpoints, logs and run folders: what the next command makes of them.

Recovered: it ends as the run that nobody disturbed, and says what it left out. Refused: one line,
no traceback. Told: what is lost of a log is said. Anything else is a hole.
"""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.faults import harm
from tests.faults.broken_runs import FOLDERS, LOGS, RUN_FILES, Change, newest
from tests.faults.children import Ended, run
from tests.faults.kills import undisturbed
from tests.faults.tiny_run import KINDS, read, result_of
from tests.faults.trial import Outcome, Part, Trial


def base(kind: str, shared: Path) -> Path:
    """The folder of a run that was done, to be copied."""
    undisturbed(KINDS[kind], shared)
    return shared / f"undisturbed-{kind}" / "run"


def in_file(name: str, way: harm.Harm, seed: str) -> Change:
    return lambda folder: way(newest(folder) / name, random.Random(seed))


def of_checkpoint(change: Callable[[Path], None]) -> Change:
    return lambda folder: change(newest(folder))


FILES = {
    "full": (
        "model.safetensors",
        "optimizer.pt",
        "scheduler.pt",
        "rng_state.pth",
        "trainer_state.json",
        "config.json",
        "identity.json",
        "manifest.json",
    ),
    "lora": ("adapter_model.safetensors", "manifest.json"),
}
TEXTS = ("trainer_state.json", "manifest.json", "identity.json")


def in_files() -> dict[str, tuple[str, Change]]:
    """One file of the newest checkpoint, in one way."""
    found = {}
    for kind, names in FILES.items():
        for name in names:
            ways = harm.ANY | (harm.TEXT if name in TEXTS else {})
            ways |= harm.LINKS if name.endswith(".safetensors") else {}
            for way, function in ways.items():
                title = f"{kind}: {name} {way}"
                found[title] = (kind, in_file(name, function, title))
    return found


STATES = {
    "global_step 0": harm.set_state(global_step=0),
    "global_step -1": harm.set_state(global_step=-1),
    "global_step of text": harm.set_state(global_step="5"),
    "a tensor renamed": harm.rename_tensor,
    "weights that are no numbers": harm.spoil_weights,
    "no optimizer": harm.without("optimizer.pt"),
    "no scheduler": harm.without("scheduler.pt"),
    "no random state": harm.without("rng_state.pth"),
    "what an older one holds": harm.of_another_step,
}


def by_hand() -> dict[str, tuple[str, Change]]:
    """What a hash cannot find: a manifest that fits, or none."""
    found = {}
    for title, change in STATES.items():
        kind = "lora" if title == "a tensor renamed" else "full"
        found[f"{kind}: {title}, sealed again"] = (kind, of_checkpoint(harm.resealed(change)))
        found[f"full: {title}, no manifest"] = ("full", of_checkpoint(harm.unsealed(change)))
    return found


def another_model(folder: Path) -> None:
    """The newest checkpoint is one of an adapter."""
    path = newest(folder)
    shutil.rmtree(path)
    shutil.copytree(folder.parent.parent / "lora" / path.name, path)


def judge(ended: Ended, folder: Path, whole: dict[str, bytes]) -> Outcome:
    """Whether the run is what it was, or was refused in one line."""
    said = [line for line in ended.err.splitlines() if line.strip()]
    if ended.code is None:
        return Outcome("hang", f"after {ended.seconds:.0f} s")
    if "Traceback" in ended.err:
        return Outcome("traceback", ended.last_lines)
    if ended.code in (1, 2):
        errors = [line for line in said if line.startswith("error: ")]
        good = len(errors) == 1 and said[-1] == errors[0] and len(errors[0]) < 700
        return Outcome("refused" if good else "unclear", ended.last_lines)
    if ended.code != 0:
        return Outcome("unclear", f"exit code {ended.code}: {ended.last_lines}")
    found = result_of(folder)
    if found == whole:
        named = [line for line in said if "left out" in line or "damaged" in line]
        return Outcome("recovered", named[0] if named else "")
    lost = [name for name in whole if found.get(name) != whole[name]]
    named = [line for line in said if any(name.rpartition("/")[2] in line for name in lost)]
    return Outcome("told" if named else "silent", f"{', '.join(lost)}: {' '.join(named)[:200]}")


def resume(kind: str, change: Change, shared: Path, folder: Path) -> Outcome:
    """Damage a copy of a whole run, and go on."""
    copy = folder / "run"
    shutil.copytree(base(kind, shared), copy, symlinks=True)
    if change is another_model:
        shutil.copytree(base("lora", shared), folder.parent / "lora", dirs_exist_ok=True)
    for name in ("checkpoint", f"checkpoint-{KINDS[kind].steps}"):
        shutil.rmtree(copy / name)
    change(copy)
    words = [*KINDS[kind].words(shared, copy), "--auto-resume"]
    ended = run(words, folder / "log", KINDS[kind].processes)
    return judge(ended, copy, undisturbed(KINDS[kind], shared).files)


FINAL: dict[str, Callable[[Path], None]] = {
    f"{name} {way}": lambda f, n=name, w=function: w(f / n, random.Random(n))
    for name, ways in (
        ("model.safetensors", {**harm.ANY, **harm.LINKS}),
        ("config.json", {"removed": harm.remove, "garbage": harm.garbage}),
        ("tokenizer.json", {"cut short": harm.cut, "removed": harm.remove}),
        ("manifest.json", {"removed": harm.remove, "garbage": harm.garbage}),
    )
    for way, function in ways.items()
}


def use(command: str, change: Callable[[Path], None], shared: Path, folder: Path) -> Outcome:
    """Damage the final ``checkpoint/``, and use it."""
    copy = folder / "run"
    shutil.copytree(base("full", shared), copy)
    model = copy / "checkpoint"
    change(model)
    words = {
        "generate": ["generate", "--model", model, "--question", "Q", "--max-new-tokens", "2"],
        "train": [*KINDS["full"].words(shared, copy), "--auto-resume"],
        "evaluate": [
            "evaluate",
            "--model",
            model,
            "--rows",
            "2",
            "--output-dir",
            folder / "out",
            "--recipe",
            copy / "recipe.yaml",
        ],
    }[command]
    ended = run([str(word) for word in words], folder / "log")
    if command == "train":
        return judge(ended, copy, undisturbed(KINDS["full"], shared).files)
    if ended.code != 0 or "Traceback" in ended.err:
        return judge(ended, copy, {})
    # It was used as it lies there: right only where the weights are as they were.
    weights = result_of(base("full", shared))["checkpoint/model.safetensors"]
    same = read(model / "model.safetensors") == weights
    told = "manifest" in ended.err
    return Outcome("recovered" if same or told else "silent", ended.last_lines)


def trials(shared: Path) -> list[Trial]:
    """All damages."""
    found = []
    everything = {**in_files(), **by_hand()}
    everything |= {f"run: {name}": ("full", change) for name, change in FOLDERS.items()}
    everything |= {f"log: {name}": ("full", change) for name, change in LOGS.items()}
    everything |= {f"file: {name}": ("full", change) for name, change in RUN_FILES.items()}
    everything["run: the newest is of another model"] = ("full", another_model)
    for name, (kind, change) in everything.items():
        found.append(Trial(name, lambda f, k=kind, c=change: resume(k, c, shared, f)))
    for place, (name, change) in enumerate(FINAL.items()):
        command = ("generate", "train", "evaluate")[place % 3]
        title = f"final: {name}, {command}"
        found.append(Trial(title, lambda f, m=command, c=change: use(m, c, shared, f)))
    return found


PART = Part(
    "damages",
    "damaged checkpoints and logs, recovered or refused",
    trials,
    ("recovered", "refused", "told"),
    every=24,
)
