"""What every field of a recipe means, by topic, for ``noisygrpo train --help``.

The sentences are read from the sources of the classes, ours and the installed libraries', without
importing them: their ``metadata["help"]``, else the text below the field. Topics of the libraries'
fields are the headings in their sources (comments of a line of their own).
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from noisygrpo import fields

WIDTH = 100
FURTHER = "further"
"""Topic of a library's fields before its first heading."""

OWN_TOPICS = {
    "view_plan": "views",
    "hint_levels": "hints",
    "advantage": "rewards and advantages",
    "loss_type": "loss",
    "freeze_vision_tower": "model and pixels",
    "log_view_ratio": "scoring and speed",
    "rollouts_format": "records",
}
"""First field of a topic of ``training``'s own fields, in the order of the class, to its name."""

OWN = (
    ("views", "training/config.py", "NoisyGRPOConfig"),
    ("score views and second views", "training/views/fields.py", "ViewFields"),
    ("rewards by level", "training/levels/fields.py", "LevelFields"),
)
"""First topic, file and class of ``training``'s own fields."""

SECTIONS = (
    ("model", "models/spec.py", "ModelSpec"),
    ("data", "data/spec.py", "DataSpec"),
    ("evaluation", "recipes/recipe.py", "EvaluationSpec"),
)
"""Section, the file of ours that has its class, and the class."""

LIBRARIES = (
    ("trl", "trl/trainer/grpo_config.py", "GRPOConfig"),
    ("trl", "trl/trainer/base_config.py", "_BaseConfig"),
    ("transformers", "transformers/training_args.py", "TrainingArguments"),
)
"""Package, file and class, from the nearest to the furthest parent of the config."""

_TITLE = re.compile(r"    # (?:--- (.+?) ---|Parameters that control (.+?))$")
_SENTENCE = re.compile(r"(?<![A-Z])(?<!e\.g)(?<!i\.e)\.(?=\s)")


@dataclass(frozen=True)
class FieldHelp:
    """One field: its name, the topic it stands under, and what it means in a sentence."""

    name: str
    topic: str
    text: str


def all_fields() -> dict[str, list[FieldHelp]]:
    """Heading (a section of a recipe, and for ``training`` a topic) to its fields.

    Of a library whose source cannot be found, or no longer has the class, names are listed alone.
    """
    found: dict[str, list[FieldHelp]] = {}
    for section, path, name in SECTIONS:
        source = (resources.files("noisygrpo") / path).read_text(encoding="utf-8")
        found[section] = [one for one in fields_of(source, name)]
    known: set[str] = set()
    for topic, one in _training():
        if one.name not in known and one.name in fields.defaults("training"):
            known.add(one.name)
            found.setdefault(f"training, {topic}", []).append(one)
    rest = [name for name in fields.defaults("training") if name not in known]
    if rest:
        found["training, without a description"] = [FieldHelp(name, "", "") for name in rest]
    return found


def _training() -> Iterator[tuple[str, FieldHelp]]:
    for topic, path, name in OWN:
        source = (resources.files("noisygrpo") / path).read_text(encoding="utf-8")
        for one in fields_of(source, name):
            topic = OWN_TOPICS.get(one.name, topic)
            yield topic, one
    for package, path, name in LIBRARIES:
        for one in fields_of(_installed(package, path), name):
            yield f"{one.topic} ({package})", one


def _installed(package: str, path: str) -> str:
    try:
        file = Path(str(metadata.distribution(package).locate_file(path)))
        return file.read_text(encoding="utf-8")
    except (metadata.PackageNotFoundError, OSError):
        return ""


def fields_of(source: str, name: str) -> list[FieldHelp]:
    """Return the annotated fields of one class of a Python source, in their order."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    cls = next((node for node in classes if node.name == name), None)
    if cls is None:
        return []
    titles = _titles(source)
    following = [*cls.body[1:], None]
    return [
        FieldHelp(node.target.id, _topic(titles, node.lineno), _text(node, after))
        for node, after in zip(cls.body, following, strict=True)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]


def _titles(source: str) -> dict[int, str]:
    """Line number to the heading that stands there."""
    found = {}
    for number, line in enumerate(source.splitlines(), start=1):
        if match := _TITLE.fullmatch(line):
            title = (match[1] or match[2]).replace("`", "").replace('"', "")
            title = title.partition(" (only used")[0].removeprefix("the ")
            found[number] = title[0].lower() + title[1:] if title[1:2].islower() else title
    return found


def _topic(titles: dict[int, str], line: int) -> str:
    before = [number for number in titles if number < line]
    return titles[max(before)] if before else FURTHER


def _text(node: ast.AnnAssign, after: ast.stmt | None) -> str:
    """The first sentence of a field's help."""
    words = _string(after.value) if isinstance(after, ast.Expr) else ""
    if isinstance(node.value, ast.Call):
        for keyword in node.value.keywords:
            if keyword.arg == "metadata" and isinstance(keyword.value, ast.Dict):
                words = next(
                    (
                        _string(value)
                        for key, value in zip(keyword.value.keys, keyword.value.values, strict=True)
                        if isinstance(key, ast.Constant) and key.value == "help"
                    ),
                    words,
                )
    words = " ".join(words.split())
    end = _SENTENCE.search(words)
    return words[: end.start()] if end else words.rstrip(".")


def _string(node: ast.expr) -> str:
    """A literal text, also one of several literals that are added; "" for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _string(node.left) + _string(node.right)
    return ""


def field_lines() -> str:
    """The fields of a recipe with their sentences, for a terminal of ``WIDTH`` columns."""
    lines = ["fields of a recipe, as --section.field VALUE:"]
    for heading, entries in all_fields().items():
        section = heading.partition(",")[0]
        lines += ["", f"{heading}:"]
        for one in entries:
            lines += [f"  --{section}.{one.name}{_default(section, one.name)}", *_wrapped(one.text)]
    return "\n".join(lines)


def _default(section: str, name: str) -> str:
    value = fields.defaults(section).get(name) if section in ("data", "training") else None
    return "" if value in (None, "", [], {}) else f"  (default: {value})"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
