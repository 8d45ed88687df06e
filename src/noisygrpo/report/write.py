"""``noisygrpo report``: from folders to a page.

The bytes of a page that can be mailed (``--max-mb``) go, in this order, to numbers of everything,
texts of all rollouts (of evenly spread steps where they are too many: at most 45 % of it), answers
of evaluations, clean pictures, and views with what is left. What was left out is said on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from noisygrpo import __version__
from noisygrpo.errors import UserError, require
from noisygrpo.report.by_level import level_curves
from noisygrpo.report.evaluations import (
    EvaluationSet,
    answers,
    differing_first,
    distinguish,
    evaluation_sets,
    set_facts,
    task_names,
    task_rows,
    verdicts,
)
from noisygrpo.report.facts import Named, facts, named_folders
from noisygrpo.report.page_file import page_text, write_file, write_folder
from noisygrpo.report.parts import Parts, in_page
from noisygrpo.report.pictures import (
    LONGEST_SIDE,
    Room,
    Shown,
    add_clean,
    add_views,
    evenly,
    spread,
)
from noisygrpo.report.rollouts import Rollouts, cut, read_rollouts
from noisygrpo.report.same import same_rollout, same_sample
from noisygrpo.report.sources import Found, Sources, Where
from noisygrpo.rewards.references import readable

MEGABYTE = 10**6
TEXT_SHARE, ANSWERS_SHARE, SAMPLES_SHARE, CLEAN_SHARE = 0.45, 0.5, 0.2, 0.4
"""Of what is left at that moment, at most."""

CLEAN_PART = 40
"""Rows whose pictures are in one part."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of a report."""

    runs: list[str]
    output: Path | None = None
    all_views: bool = False
    pictures: bool = True
    most_megabytes: float = 25.0
    where: Where = field(default_factory=Where)


class _Page:
    """A page in the making."""

    def __init__(self, wanted: Wanted) -> None:
        require(wanted.most_megabytes > 2, f"--max-mb: {wanted.most_megabytes:g} is not above 2")
        self.wanted, self.parts = wanted, Parts()
        self.named, self.sources = named_folders(wanted.runs), Sources(wanted.where)
        self.index: dict[str, Any] = {"runs": [], "notes": [], "version": __version__}
        self.spare = 0.97 * wanted.most_megabytes * MEGABYTE - len(page_text("", Parts()).encode())

    @property
    def left(self) -> float:
        """Bytes that may still be added, for each run that has not been."""
        if self.wanted.all_views:
            return float("inf")
        return max(0.0, self.spare - self.parts.size)

    def room(self, share: float) -> Room:
        """What pictures may take of a share of what is left."""
        own = self.wanted.where.recipe is not None
        if self.wanted.all_views:
            return Room(float("inf"), None, float("inf"), float("inf"), own)
        return Room(self.left * share, own_code=own)

    def note(self, text: str) -> None:
        """Say on the page what it leaves out."""
        self.index["notes"].append(text)


def write_page(wanted: Wanted) -> tuple[Path, list[str]]:
    """Write the report; returns where it is, and what was left out of it.

    Raises:
        UserError: a folder that holds no run, or files that cannot be read.
    """
    page = _Page(wanted)
    read = [read_rollouts(named.folder) for named in page.named]
    sets: list[tuple[Named, list[EvaluationSet]]] = []
    for number, (named, rollouts) in enumerate(zip(page.named, read, strict=True)):
        about = facts(named)
        steps = about["metrics"]["steps"]
        sets.append((named, evaluation_sets(named, int(steps[-1]) if steps else None)))
        about["levels"] = level_curves(rollouts)
        about["rollouts"] = _add_rollouts(page, number, rollouts, len(read) - number)
        about["problems"] = rollouts.problems[:20]
        page.index["runs"].append(about)
    page.index["evaluations"] = _add_evaluations(page, sets)
    page.index["comparison"] = _comparison(page)
    for number, (named, rollouts) in enumerate(zip(page.named, read, strict=True)):
        if wanted.pictures and len(rollouts):
            _add_pictures(page, number, named, rollouts, len(read) - number)
    title = ", ".join(named.label for named in page.named)
    return _written(page, title)


def _written(page: _Page, title: str) -> tuple[Path, list[str]]:
    wanted, named = page.wanted, page.named
    made = datetime.now().astimezone().isoformat(timespec="minutes")
    page.index |= {
        "title": title,
        "made": made,
        "all_views": wanted.all_views,
        "longest": LONGEST_SIDE,
    }
    page.parts.add("index", page.index)
    base = named[0].folder if len(named) == 1 else Path()
    path = wanted.output or base / ("report" if wanted.all_views else "report.html")
    require(wanted.all_views or not path.is_dir(), f"--output: {path} is a folder")
    write = write_folder if wanted.all_views else write_file
    try:
        return write(path, title, page.parts), page.index["notes"]
    except OSError as error:
        raise UserError(f"--output: {path} cannot be written: {error.strerror}") from error


def _add_rollouts(page: _Page, run: int, rollouts: Rollouts, waiting: int) -> dict[str, Any]:
    """Numbers of all rollouts, prompts, and texts as far as there is room."""
    if not len(rollouts):
        return {"count": 0}
    page.parts.add(f"columns/{run}", rollouts.columns())
    page.parts.add(f"prompts/{run}", rollouts.prompts)
    budget, kept = page.left * TEXT_SHARE / waiting, list[int]()
    for place in spread(len(rollouts.chunks)):
        budget -= in_page(rollouts.chunks[place].data)
        if budget >= 0 or not kept:
            kept.append(place)
    for place in kept:
        page.parts.add_zipped(f"texts/{run}/{place}", rollouts.chunks[place].data)
    if len(kept) < len(rollouts.chunks):
        count = sum(rollouts.chunks[place].count for place in kept)
        page.note(
            f"{page.named[run].label}: texts of {count:,} of {len(rollouts):,} rollouts, of steps "
            "spread evenly; all of them with --all-views or a larger --max-mb"
        )
    chunks = [[chunk.first, chunk.count] for chunk in rollouts.chunks]
    return {"count": len(rollouts), "chunks": chunks, "kept": sorted(kept)}


def _add_pictures(page: _Page, run: int, named: Named, rollouts: Rollouts, waiting: int) -> None:
    """Clean pictures of rows, and views of rollouts, as far as there is room."""
    rows, why = page.sources.training(named.folder)
    about = page.index["runs"][run]["rollouts"]
    if rows is None:
        page.note(f"{named.label}: no pictures: {why}")
        return
    same = [n for n in range(len(rollouts.examples)) if same_rollout(rows, rollouts, n)]
    known = dict.fromkeys(rollouts.examples[place] for place in same)
    if len(same) < len(rollouts.examples):
        page.note(
            f"{named.label}: {len(rollouts.examples) - len(same)} of {len(rollouts.examples)} "
            "prompts have no picture: the data has no such row any more"
        )
    if not same:
        return
    page.parts.add(f"answers/{run}", [_target(rows, name) for name in rollouts.examples])

    def row(example: str) -> Any:
        return rows(example) if example in known else None

    shown = Shown()
    add_clean(shown, evenly(list(known)), row, page.room(CLEAN_SHARE / waiting))
    _clean_parts(page, f"clean/{run}", about, rollouts.examples, shown)
    add_views(shown, rollouts, row, page.room(1 / waiting))
    for group, views in shown.views.items():
        page.parts.add_pictures(f"views/{run}/{group}", views)
    about["views"] = sorted(shown.views)
    drawable = {n for n, name in enumerate(rollouts.examples) if name in known}
    pairs = zip(rollouts.seeds, rollouts.example, strict=True)
    noisy = sum(bool(seeds) and example in drawable for seeds, example in pairs)
    drawn = sum(map(len, shown.views.values()))
    if drawn < noisy:
        steps = len({rollouts.step[rollouts.groups[group]] for group in shown.views})
        page.note(
            f"{named.label}: views of {drawn:,} of {noisy:,} noisy rollouts ({len(shown.views):,} "
            f"groups at {steps:,} steps, spread evenly); all of them with --all-views"
        )
    for problem in list(dict.fromkeys(shown.problems))[:5]:
        page.note(f"{named.label}: {problem}")


def _target(rows: Found, example: str) -> str:
    row = rows.texts(example)
    return "" if row is None else cut(str(readable(row.get("answer", ""))))[:2000]


def _clean_parts(
    page: _Page, name: str, about: dict[str, Any], examples: Sequence[str], shown: Shown
) -> None:
    """Clean pictures in parts of some rows each; the page finds a row's by its place."""
    places = [place for place, example in enumerate(examples) if example in shown.clean]
    for start in range(0, len(places), CLEAN_PART):
        some = places[start : start + CLEAN_PART]
        pictures = {place: shown.clean[examples[place]] for place in some}
        page.parts.add_pictures(f"{name}/{start // CLEAN_PART}", pictures)
    about["clean"] = places
    about["clean_part"] = CLEAN_PART


def _add_evaluations(
    page: _Page, found: Sequence[tuple[Named, list[EvaluationSet]]]
) -> list[dict[str, Any]]:
    """Verdicts of every sample by task, answers and pictures as far as there is room."""
    sets = [one for _, several in found for one in several]
    folder_of = {id(one): named.folder for named, several in found for one in several}
    tasks = []
    budget = page.left * ANSWERS_SHARE
    names = task_names(sets)
    for number, name in enumerate(names):
        same = [one for one in sets if one.task == name]
        for problem in [*distinguish(name, same), *(p for one in same for p in one.problems[:3])]:
            page.note(problem)
        rows = task_rows(same)
        page.parts.add(f"task/{number}", rows)
        entry: dict[str, Any] = {"name": name, "sets": [], "count": len(rows["ids"])}
        for place, one in enumerate(same):
            page.parts.add(f"verdicts/{number}/{place}", verdicts(one, rows["ids"]))
            before = page.parts.size
            if budget > 0:
                page.parts.add(f"said/{number}/{place}", answers(one, rows["ids"]))
                budget -= page.parts.size - before
            entry["sets"].append(set_facts(one) | {"texts": page.parts.size > before})
        if any(not one["texts"] for one in entry["sets"]):
            page.note(f"{name}: answers of some evaluations are left out; see --max-mb")
        if page.wanted.pictures and same:
            share = SAMPLES_SHARE / max(1, len(names) - number)
            _add_sample_pictures(page, number, entry, same, folder_of[id(same[0])], share)
        tasks.append(entry)
    return tasks


def _add_sample_pictures(
    page: _Page,
    number: int,
    entry: dict[str, Any],
    sets: Sequence[EvaluationSet],
    folder: Path,
    share: float,
) -> None:
    rows, why = page.sources.measured(sets[0], folder)
    if rows is None:
        page.note(f"{entry['name']}: no pictures: {why}")
        return
    ids = task_rows(sets)["ids"]
    known = {key: sample for one in reversed(sets) for key, sample in one.rows.items()}
    same = {key for key, sample in known.items() if same_sample(rows, sample)}
    if len(same) < len(known):
        page.note(
            f"{entry['name']}: {len(known) - len(same)} of {len(known)} samples have no picture: "
            "the data has no such row any more"
        )

    def row(key: str) -> Any:
        return rows(str(known[key]["example_id"])) if key in same else None

    shown = Shown()
    add_clean(shown, [key for key in differing_first(sets, ids) if key in same], row,
              page.room(share))  # fmt: skip
    _clean_parts(page, f"sample/{number}", entry, ids, shown)
    if len(shown.clean) < len(same):
        page.note(f"{entry['name']}: pictures of {len(shown.clean)} of {len(ids)} samples")


def _comparison(page: _Page) -> dict[str, Any] | None:
    """Differences between the runs as `noisygrpo compare` has them, where they have any."""
    if len(page.named) < 2:
        return None
    from noisygrpo.evaluation.compare import compare_runs

    try:
        return compare_runs(page.wanted.runs).to_dict()
    except UserError as error:
        return {"problem": str(error)}
