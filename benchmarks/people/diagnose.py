"""Perception, words or reasoning: which of the three fails on people's statements?

    python benchmarks/people/diagnose.py --model FOLDER --data nlvr-dev.parquet --rows 200
    python benchmarks/people/diagnose.py --model FOLDER --data people.parquet   # see statements.py

Each alone, with the other two given, for a model that reasons as the playground's does (first step:
how the statement is understood; a step per box: what is there and what follows; the answer):

- **perception** alone: understood as it should be, the model reads the picture, word by word with
  the right words before it; the share of pictures in which every word that the statement needs is
  its likeliest one.
- **words** alone: the share of statements whose first step, written freely, is the canonical one,
  and which the model, the contents of the boxes given, compares with the number that is asked.
- **reasoning** alone: the canonical first step, the true contents of every box and the number that
  is asked are written for the model; it writes what follows from each box, and the answer.

Beside them the answers with nothing given, and with the contents of the boxes alone given. The data
is in NLVR's layout; only rows with `boxes` are used (one order of the boxes a picture). Canonical
first steps are known for statements that the playground's makers could write (`understanding.py`).
"""

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import scenes
from forcing import KINDS, Reader, Row
from PIL import Image
from understanding import Meaning, Understanding

from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.stats import accuracy_with_stderr
from noisygrpo.models.loading import load_any_processor, load_model
from noisygrpo.models.spec import ModelSpec
from noisygrpo.playground.scene import render
from noisygrpo.report.table import table


def read_rows(path: Path, limit: int | None) -> list[Row]:
    """Rows with `boxes`, spread evenly over the file where `limit` leaves some out."""
    columns = ["identifier", "statement", "label", "image", "boxes"]
    try:
        found = pq.read_table(path, columns=columns).to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"--data: {path}: {str(error).splitlines()[0]}") from error
    found = [row for row in found if row["boxes"]]
    require(bool(found), f"--data: {path}: no row has `boxes`, the list of what is in the picture")
    if limit is not None and limit < len(found):
        found = [found[i * len(found) // limit] for i in range(limit)]
    return [_row(path, fields) for fields in found]


def _row(path: Path, fields: dict[str, Any]) -> Row:
    where = f"--data: {path}: {fields['identifier']}"
    label = str(fields["label"]).lower()
    require(label in ("true", "false"), f"{where}: label: {label!r}, allowed are true and false")
    try:
        scene = scenes.from_json(json.loads(fields["boxes"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{where}: boxes: not the corpus's description ({error!r})") from error
    try:
        image = Image.open(io.BytesIO(fields["image"]["bytes"])).convert("RGB")
    except (OSError, TypeError) as error:
        raise UserError(f"{where}: image: {error}") from error
    cluster = "-".join(fields["identifier"].split("-")[:2])
    return Row(fields["statement"], label, scene, image, cluster)


def share(verdicts: Sequence[bool], rows: Sequence[Row]) -> dict[str, float]:
    """Share, standard error by statement, and number."""
    if not verdicts:
        return {"share": float("nan"), "stderr": float("nan"), "n": 0}
    result = accuracy_with_stderr(list(verdicts), [row.cluster for row in rows])
    return {"share": result.accuracy, "stderr": result.stderr, "n": len(verdicts)}


def diagnose(
    reader: Reader, rows: Sequence[Row], meaning: Understanding, rendered: bool = False
) -> dict[str, dict[str, float]]:
    """All figures by name; `rendered` reads the playground's own drawing of the scenes instead."""
    found = [meaning.of(row.statement, row.scene.stacked) for row in rows]
    own = reader.first_steps(rows)
    given, _ = reader.answers_given(rows, [Meaning(step, "") for step in own])
    figures = {
        "majority class": share([row.label == majority(rows) for row in rows], rows),
        "nothing given": right(reader.answers(rows), rows),
        "contents given": right(given, rows),
        "statements with a canonical meaning": share([bool(m) for m in found], rows),
    }
    part = [row for row, m in zip(rows, found, strict=True) if m]
    steps = [step for step, m in zip(own, found, strict=True) if m]
    known = [meanings for meanings in found if meanings]
    meant = [meanings[0] for meanings in known]
    answers, said = reader.answers_given(part, meant, asked=True)
    understood = [
        any(step == m.step for m in meanings) and any(asked == m.asked for m in meanings)
        for step, asked, meanings in zip(steps, said, known, strict=True)
    ]
    read = [
        (row, reader.words_read(row, m.step, render(row.scene) if rendered else row.image))
        for row, m in zip(part, meant, strict=True)
    ]
    figures |= {
        "perception alone": share([all(ok for _, ok in words) for _, words in read], part),
        "words alone": share(understood, part),
        "reasoning alone": right(answers, part),
    }
    for kind in KINDS:
        of_kind = [(ok, row) for row, words in read for name, ok in words if name == kind]
        verdicts, owners = [ok for ok, _ in of_kind], [row for _, row in of_kind]
        figures[f"  words read: {kind}"] = share(verdicts, owners)
    return figures


def majority(rows: Sequence[Row]) -> str:
    """The commoner label."""
    return "true" if 2 * sum(row.label == "true" for row in rows) >= len(rows) else "false"


def right(answers: Sequence[str], rows: Sequence[Row]) -> dict[str, float]:
    """The share of right answers."""
    return share([a == row.label for a, row in zip(answers, rows, strict=True)], rows)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="playground", help="folder of a model, or `playground`")
    parser.add_argument("--data", type=Path, required=True, help="parquet in NLVR's layout")
    parser.add_argument("--rows", type=int, help="so many rows, evenly spread (default: all)")
    parser.add_argument("--question", default="{}", help="what the statement is put into, at {}")
    parser.add_argument("--draws", type=int, default=100_000, help="statements drawn to know more")
    parser.add_argument(
        "--rendered", action="store_true", help="read our own drawing of the scenes"
    )
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = arguments(argv)
    try:
        require(args.rows is None or args.rows >= 1, f"--rows: {args.rows}, allowed is 1 or more")
        require("{}" in args.question, f"--question: {args.question!r} does not contain {{}}")
        rows, spec = read_rows(args.data, args.rows), ModelSpec(args.model, dtype="float32")
        reader = Reader(load_model(spec).eval(), load_any_processor(spec), args.question)
        figures = diagnose(reader, rows, Understanding(args.draws), args.rendered)
    except UserError as error:
        print(f"diagnose: {error}", file=sys.stderr)
        return 2
    lines = [
        [name, f"{100 * f['share']:.1f} ± {100 * f['stderr']:.1f}", str(f["n"])]
        for name, f in figures.items()
    ]
    print(table(["", "%", "of"], lines))
    if args.out is not None:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
