"""Accuracy against the strength of a disturbance, and without the image at all.

A model that was trained on noisy views should lose less as the image degrades; one whose accuracy
without the image is close to its accuracy with it does not look. Every point is a full evaluation
of the same rows in a folder of its own (resumable); the clean one is shared by all kinds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.evaluate import (
    Answer,
    Dataset,
    Judge,
    Metrics,
    evaluate_answers,
    judge_by_rules,
)
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.generate import Generation
from noisygrpo.evaluation.processes import ALONE, Processes
from noisygrpo.evaluation.samples import read_samples, write_json
from noisygrpo.evaluation.stats import Result, paired_difference
from noisygrpo.evaluation.view import EvaluationView

LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
CURVE_FILE = "robustness.json"
CURVE_FILES = (CURVE_FILE, "robustness.png", "report.txt")


@dataclass(frozen=True)
class RobustnessPlan:
    """Which disturbances at which levels. Level 0 is always measured, once."""

    kinds: tuple[str, ...] = ("gaussian",)
    levels: tuple[float, ...] = LEVELS
    text_only: bool = True
    seed: int = 0
    limits: tuple[int, int] | None = None
    """Pixels that an image is brought to before it is disturbed; see ``EvaluationView``."""

    def __post_init__(self) -> None:
        require(bool(self.kinds), "robustness: kinds is empty, allowed are one or more")

    def views(self) -> dict[str, EvaluationView]:
        """Folder name -> view; the clean one first."""
        views = {"clean": EvaluationView(seed=self.seed)}
        for kind in self.kinds:
            for level in sorted({*self.levels} - {0.0}):
                view = EvaluationView(kind, level, seed=self.seed, limits=self.limits)
                name = f"{view.label}-{level:g}"
                require(
                    views.setdefault(name, view) == view,
                    f"robustness: {kind} and {views[name].kind} would share the folder {name}",
                )
        if self.text_only:
            views["text-only"] = EvaluationView(text_only=True, seed=self.seed)
        return views


def robustness_curve(
    answer: Answer,
    dataset: Dataset,
    out_dir: str | Path,
    plan: RobustnessPlan | None = None,
    *,
    generation: Generation | None = None,
    judge: Judge = judge_by_rules,
    metrics: Metrics | None = None,
    settings: dict[str, Any] | None = None,
    progress: bool = True,
    processes: Processes = ALONE,
) -> dict[str, Any]:
    """Evaluate every view of ``plan``; writes and returns ``robustness.json``.

    ``answer``: e.g. `noisygrpo.evaluation.evaluate.answer_with` a model; the rest is as in
    `evaluate_answers`. The curve is

    ``{"curves": {kind: [{level, accuracy, stderr, n}]}, "text_only": {...}, "looking": {...}}``
    where ``looking`` is the paired gain of the clean image over none.
    Finished views are not answered again.
    """
    chosen, folder = plan or RobustnessPlan(), Path(out_dir)
    results: dict[str, Result] = {}
    for name, view in chosen.views().items():
        results[name] = evaluate_answers(
            answer, dataset, folder / name, generation=generation or Generation(), judge=judge,
            metrics=metrics, view=view, name=name, settings=settings, progress=progress,
            processes=processes,
        )  # fmt: skip
    curve: dict[str, Any] = {
        "curves": {kind: _points(kind, chosen, results) for kind in chosen.kinds}
    }
    if chosen.text_only:
        curve["text_only"] = results["text-only"].to_dict()
        curve["looking"] = _gain(folder / "text-only", folder / "clean")
    if processes.main:
        write_json(folder / CURVE_FILE, curve)
    return curve


def read_curve(folder: str | Path) -> dict[str, Any]:
    """What `robustness_curve` wrote into ``folder``."""
    path = Path(folder) / CURVE_FILE
    require(path.is_file(), f"{path}: there is no such file")
    return read_object(path)


def _points(kind: str, plan: RobustnessPlan, results: dict[str, Result]) -> list[dict[str, Any]]:
    label = EvaluationView(kind).label
    names = {0.0: "clean"} | {level: f"{label}-{level:g}" for level in plan.levels if level}
    return [{"level": level, **results[names[level]].to_dict()} for level in sorted(names)]


def _gain(without: Path, with_image: Path) -> dict[str, Any]:
    first, second = (read_samples(path / "samples.jsonl") for path in (without, with_image))
    clusters: Sequence[str] = [sample["cluster"] for sample in first]
    scores = [[bool(s["correct"]) for s in samples] for samples in (first, second)]
    return paired_difference(scores[0], scores[1], clusters).to_dict()
