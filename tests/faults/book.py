"""Results on disk, so that a run which was stopped goes on; and the table that they make."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.trial import Outcome, Part

ROOT = Path(__file__).parents[2]


def version() -> str:
    """What is tested: a hash of the package's files; results of another one do not count."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted((ROOT / "src").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass
class Book:
    """The results of one version of the package, a line each."""

    folder: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "results.jsonl"
        written = self.path.read_text().splitlines() if self.path.exists() else []
        for line in written:
            try:
                self.lines.append(json.loads(line))
            except ValueError:  # the last one, of a run that was killed
                continue

    def known(self, part: str) -> set[str]:
        """Names of the trials that a part need not make again."""
        return {line["trial"] for line in self.lines if line["part"] == part}

    def enter(self, part: str, trial: str, outcome: Outcome, seconds: float) -> None:
        """Keep a result."""
        line = {"part": part, "trial": trial, "kind": outcome.kind, "note": outcome.note,
                "facts": dict(outcome.facts), "seconds": round(seconds, 2)}  # fmt: skip
        self.lines.append(line)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def of(self, part: str) -> list[dict[str, Any]]:
        """The results of a part."""
        return [line for line in self.lines if line["part"] == part]


def summary(book: Book, parts: Mapping[str, Part]) -> dict[str, Any]:
    """The table as plain values: by part how many were tried and held, and how the rest ended."""
    found: dict[str, Any] = {"package": version(), "parts": {}}
    for name, part in parts.items():
        lines = book.of(name)
        kinds = Counter(line["kind"] for line in lines)
        held = [line for line in lines if line["kind"] in part.held]
        entry = {
            "title": part.title,
            "tried": len(lines),
            "planned": len(part.trials(book.folder)),
            "held": len(held),
            "kinds": dict(kinds),
            "seconds": round(sum(line["seconds"] for line in lines)),
        }
        entry["not held"] = {
            line["trial"]: f"{line['kind']}: {line['note']}"
            for line in lines
            if line["kind"] not in part.held
        }
        if name == "kills":
            entry |= about_kills(lines)
        found["parts"][name] = entry
    return found


def about_kills(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """How many hit a save, and how many steps were done again."""
    facts = [line["facts"] for line in lines]
    lost = [int(fact.get("steps lost", 0)) for fact in facts]
    return {
        "at drawn times": sum("at a drawn time" in line["trial"] for line in lines),
        "inside saves": sum(int(fact.get("inside a save", 0)) for fact in facts),
        "most steps lost": max(lost, default=0),
    }


def markdown(found: Mapping[str, Any]) -> str:
    """The table of docs/reliability.md."""
    rows = ["| what | held | tried | how |", "|---|---|---|---|"]
    for entry in found["parts"].values():
        how = ", ".join(f"{count} {kind}" for kind, count in sorted(entry["kinds"].items()))
        if "inside saves" in entry:
            how += (
                f"; {entry['at drawn times']} at uniformly drawn times, {entry['inside saves']} "
                f"hit a save; steps done again: at most {entry['most steps lost']}"
            )
        tried, planned = entry["tried"], entry["planned"]
        count = tried if tried == planned else f"{tried} (of {planned} so far)"
        rows.append(f"| {entry['title']} | {entry['held']} | {count} | {how} |")
    missed = [
        f"- {trial}: {why.partition(':')[0]}"  # the rest names folders: it is in table.json
        for entry in found["parts"].values()
        for trial, why in entry["not held"].items()
    ]
    return "\n".join([*rows, "", *(["Not held:", "", *missed] if missed else [])]).rstrip() + "\n"
