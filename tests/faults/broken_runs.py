"""What can happen to a run's folder besides damage to one file: names, links, logs."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.faults import harm
from tests.faults.tiny_run import KINDS, read

Change = Callable[[Path], None]
"""Damages a run's folder."""


def newest(folder: Path) -> Path:
    """The newest checkpoint; there is a step to do after it."""
    return folder / f"checkpoint-{KINDS['full'].steps - 1}"


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
