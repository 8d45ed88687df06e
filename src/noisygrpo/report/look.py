"""A page of one batch before training: what each rollout would see, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from noisygrpo import __version__
from noisygrpo.data.rows import answer_text
from noisygrpo.report.page_file import write_file
from noisygrpo.report.parts import Parts
from noisygrpo.report.pictures import Room, Shown, add_clean, add_views, encode
from noisygrpo.report.rollouts import Rollouts, cut

LONGEST, MOST_BYTES = 1280, 40 * 10**6
"""Of a picture's side, and of all pictures: noise is judged at the size at which it is drawn."""


@dataclass(frozen=True)
class Look:
    """A batch that was planned and not yet sampled."""

    title: str
    lines: Sequence[Sequence[str]]  # of the recipe, name and value
    rollouts: Rollouts
    rows: Mapping[str, Any]  # by example id, with their images
    tokens: Sequence[tuple[int, int]]  # of each rollout's images and prompt
    scored: Mapping[str, tuple[int, int]]  # the same of each row as it is scored
    score_view: str = "clean"  # on which view completions are scored: clean, own or all
    second: str = ""  # what the second view is
    compared: Mapping[tuple[int, str], Sequence[Image.Image]] = field(default_factory=dict)
    # pictures of the second view by step and row; none where there is no such view


def write_look(look: Look, path: Path) -> Path:
    """Write the page; returns its path."""
    parts, shown = Parts(), Shown()
    room = Room(MOST_BYTES / 2, LONGEST, own_code=True)
    add_clean(shown, look.rollouts.examples, look.rows.get, room)
    add_views(shown, look.rollouts, look.rows.get, room)
    places = [n for n, name in enumerate(look.rollouts.examples) if name in shown.clean]
    parts.add_pictures("clean/0/0", {n: shown.clean[look.rollouts.examples[n]] for n in places})
    for group, views in shown.views.items():
        parts.add_pictures(f"views/0/{group}", views)
    for group, first in enumerate(look.rollouts.groups):
        name = look.rollouts.examples[look.rollouts.example[first]]
        pictures = look.compared.get((look.rollouts.step[first], name))
        if pictures is not None:
            parts.add_pictures(f"second/0/{group}", [encode(one, LONGEST) for one in pictures])
    parts.add("columns/0", look.rollouts.columns() | {"cost": look.tokens})
    parts.add("prompts/0", look.rollouts.prompts)
    rows = [look.rows[name] for name in look.rollouts.examples]
    parts.add("answers/0", [cut(answer_text(row["answer"]))[:2000] for row in rows])
    for place, chunk in enumerate(look.rollouts.chunks):
        parts.add_zipped(f"texts/0/{place}", chunk.data)
    parts.add("index", _index(look, shown, places))
    return write_file(path, look.title, parts)


def _index(look: Look, shown: Shown, places: list[int]) -> dict[str, Any]:
    chunks = look.rollouts.chunks
    empty: dict[str, Any] = {
        name: [] for name in ("differences", "arguments", "changes", "problems")
    }
    empty |= {name: {} for name in ("environment", "summary", "levels", "fields")}
    run: dict[str, Any] = {
        "label": look.title,
        "lines": [list(line) for line in look.lines if len(line) == 2],
        "metrics": {"steps": [], "columns": {}},
        "correct": {"reward": None, "at": 1.0},
        "rollouts": {
            "count": len(look.rollouts),
            "chunks": [[chunk.first, chunk.count] for chunk in chunks],
            "kept": list(range(len(chunks))),
            "clean": places,
            "clean_part": len(places) or 1,
            "views": sorted(shown.views),
        },
        "score_view": look.score_view,
        "second": look.second if look.compared else "",
        "scored": [list(look.scored[name]) for name in look.rollouts.examples],
        **{name: "" for name in ("base", "recipe")},
        **{name: None for name in ("hours", "curve")},
        **empty,
    }
    return {
        "title": look.title,
        "runs": [run],
        "look": True,
        "longest": LONGEST,
        "notes": list(dict.fromkeys(shown.problems)),
        "version": __version__,
        "made": datetime.now().astimezone().isoformat(timespec="minutes"),
        "evaluations": [],
        "comparison": None,
    }
