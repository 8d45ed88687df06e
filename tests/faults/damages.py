"""Damaged checkpoints, logs and run folders: what the next command makes of them.

Recovered: it ends as the run that nobody disturbed, and says what it left out. Refused: one line,
no traceback. Told: what is lost of a log is said. Anything else is a hole.
"""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.faults import harm
from tests.faults.children import Ended, run
from tests.faults.kills import undisturbed
from tests.faults.tiny_run import KINDS, read, result_of
from tests.faults.trial import Outcome, Part, Trial

Change = Callable[[Path], None]
"""Damages a run's folder."""


def base(kind: str, shared: Path) -> Path:
    """The folder of a run that was done, to be copied."""
    undisturbed(KINDS[kind], shared)
    return shared / f"undisturbed-{kind}" / "run"


def newest(folder: Path) -> Path:
    """The newest checkpoint; there is a step to do after it."""
    return folder / f"checkpoint-{KINDS['full'].steps - 1}"


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


def newest_empty(folder: Path) -> None:
    shutil.rmtree(newest(folder))
    newest(folder).mkdir()


def odd_names(folder: Path) -> None:
    for name in ("x", "-3", "1e3", "٥", "05"):
        (folder / f"checkpoint-{name}").mkdir()


def rename(path: Path, name: str) -> None:
    path.rename(path.with_name(name))


def folder_as_file(folder: Path) -> None:
    shutil.rmtree(newest(folder))
    newest(folder).write_text("not a folder")


def link_of_older(folder: Path) -> None:
    shutil.rmtree(newest(folder))
    newest(folder).symlink_to(newest(folder).with_name("checkpoint-2"))


def link_to(target: str) -> Change:
    def change(folder: Path) -> None:
        shutil.rmtree(newest(folder))
        newest(folder).symlink_to(folder / target)

    return change


def all_gone(folder: Path) -> None:
    for path in folder.glob("checkpoint-*"):
        harm.zero(next(path.glob("*.safetensors")), random.Random(0))


FOLDERS: dict[str, Change] = {
    "the newest is empty": newest_empty,
    "the newest is a file": folder_as_file,
    "the newest is a link to an older one": link_of_older,
    "the newest is a link to itself": link_to("checkpoint-4"),
    "the newest is a link to nowhere": link_to("nowhere"),
    "a checkpoint of far ahead that is empty": lambda f: (f / "checkpoint-99").mkdir(),
    "names that are no steps": odd_names,
    "every checkpoint is damaged": all_gone,
    "an unfinished save is left": lambda f: rename(newest(f), ".saving"),
    "a replaced one is left": lambda f: rename(newest(f), "checkpoint-4.old"),
}


def change_log(name: str, change: Callable[[bytes], bytes]) -> Change:
    def apply(folder: Path) -> None:
        shutil.rmtree(newest(folder))
        (folder / name).write_bytes(change(read(folder / name)))

    return apply


def line_changed(number: int, line: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        lines = data.split(b"\n")
        return b"\n".join([*lines[:number], line, *lines[number + 1 :]])

    return change


LOGS: dict[str, Change] = {
    "rollouts end inside a character": change_log(
        "rollouts.jsonl", lambda data: data + '{"step": 5, "completion": "é'.encode()[:-1]
    ),
    "a rollout is cut inside a character": change_log(
        "rollouts.jsonl", line_changed(3, '{"step": 1, "completion": "é'.encode()[:-1])
    ),
    "rollouts are zeroed at the end": change_log(
        "rollouts.jsonl", lambda data: data[:-4000] + bytes(4000)
    ),
    "a metrics line without a step": change_log("metrics.jsonl", line_changed(1, b'{"loss": 1}')),
    "a metrics line that is a list": change_log("metrics.jsonl", line_changed(1, b"[1, 2]")),
    "a metrics step of text": change_log("metrics.jsonl", line_changed(1, b'{"step": "two"}')),
    "metrics of zeros": change_log("metrics.jsonl", lambda data: bytes(len(data))),
    "rollouts are gone": change_log("rollouts.jsonl", lambda data: b""),
}


def replace_file(name: str, text: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


RUN_FILES: dict[str, Change] = {
    "recipe.yaml is garbage": replace_file("recipe.yaml", "{[\x00"),
    "recipe.yaml is gone": lambda f: (f / "recipe.yaml").unlink(),
    "environment.json is garbage": replace_file("environment.json", "{["),
    "processor.json is garbage": replace_file("processor.json", "[[["),
    "changes.json is garbage": replace_file("changes.json", "}"),
    "a lock of a dead process": replace_file(".lock", ""),
}


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
    outcome = judge(ended, copy, {})
    if outcome.kind != "recovered":
        return outcome
    # It was used as it lies there: right only where the weights are as they were.
    weights = result_of(base("full", shared))["checkpoint/model.safetensors"]
    same = read(model / "model.safetensors") == weights
    told = "manifest" in ended.err or "left out" in ended.err
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
    every=16,
)
