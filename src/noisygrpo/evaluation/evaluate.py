"""Evaluate a model on rows: generate, judge by rules, keep every sample, report with a standard
error.

What the published evaluations got wrong, and what holds here: a row that cannot be answered
(broken image) counts as wrong and is listed, so the denominator never shrinks; verdicts come from
rules, each with its reason; prompts and decoding are part of the record; an interrupted evaluation
continues (see `samples`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import datasets

from noisygrpo.evaluation.generate import (
    Completion,
    Generation,
    RefusedInput,
    Row,
    batches_by_length,
    generate_batch,
)
from noisygrpo.evaluation.pairs import (
    alone,
    cluster_of,
    count_together,
    of_sample,
    pairs_summary,
    require_one_cluster,
    together,
)
from noisygrpo.evaluation.processes import ALONE, Processes
from noisygrpo.evaluation.progress import Progress
from noisygrpo.evaluation.rows import BrokenRow, Rows
from noisygrpo.evaluation.samples import Sample, SampleStore, read_samples
from noisygrpo.evaluation.stats import Result, accuracy_with_stderr
from noisygrpo.evaluation.view import EvaluationView
from noisygrpo.rewards.extract import extract_answer
from noisygrpo.rewards.functions import judge_completion

Dataset: TypeAlias = datasets.Dataset | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Judgement:
    """What a judge made of one completion: the answer found in it (``None``: no answer), the
    verdict, the reason.
    """

    extracted: str | None
    correct: bool | None
    why: str


Judge = Callable[[str, Row], Judgement]
"""(completion, row without images) -> verdict"""
Answer = Callable[[Sequence[Row]], list[Completion]]
"""A batch of rows with images -> their completions"""
Metrics = Callable[[Sequence[Sample]], dict[str, Any]]
"""All samples -> a benchmark's own metrics"""


def judge_by_rules(completion: str, row: Row) -> Judgement:
    """The default judge: the rules of `noisygrpo.rewards`, as in training."""
    extracted = extract_answer(completion)
    if row["answer"] is None or not str(row["answer"]).strip():
        return Judgement(extracted, None, "the row has no target answer")
    kind, question = row.get("kind", "auto"), row.get("question", "")
    return Judgement(extracted, *judge_completion(completion, row["answer"], kind, question))


def evaluate_rows(
    model: Any,
    processor: Any,
    dataset: Dataset,
    out_dir: str | Path,
    *,
    generation: Generation | None = None,
    judge: Judge = judge_by_rules,
    metrics: Metrics | None = None,
    view: EvaluationView | None = None,
    name: str = "evaluation",
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    processes: Processes = ALONE,
) -> Result:
    """Answer every row of ``dataset`` with ``model`` and judge it; see `evaluate_answers` for what
    is written.

    ``dataset``: rows in the example format. ``view``: noise or a corruption on its images, or none
    at all; the clean images by default. ``generation``: greedy, 256 tokens, batches of 32 by
    default. ``settings``: JSON values that identify the question (model path, benchmark ...); an
    ``out_dir`` that holds an evaluation with other settings is refused. ``processes``: those that
    answer together; all have to call this.
    """
    chosen = Generation() if generation is None else generation
    return evaluate_answers(
        answer_with(model, processor, chosen),
        dataset,
        out_dir,
        generation=chosen,
        judge=judge,
        metrics=metrics,
        view=view,
        name=name,
        settings=settings,
        progress=progress,
        processes=processes,
    )


def answer_with(model: Any, processor: Any, generation: Generation) -> Answer:
    """The function that answers batches of rows with a Transformers model."""

    def answer(rows: Sequence[Row]) -> list[Completion]:
        return generate_batch(model, processor, rows, generation)

    return answer


def evaluate_answers(
    answer: Answer,
    dataset: Dataset,
    out_dir: str | Path,
    *,
    generation: Generation,
    judge: Judge = judge_by_rules,
    metrics: Metrics | None = None,
    view: EvaluationView | None = None,
    name: str = "evaluation",
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    processes: Processes = ALONE,
) -> Result:
    """`evaluate_rows` for any function that answers batches of rows, e.g. another inference engine.

    Writes ``settings.json``, ``samples.jsonl`` (prompt, output, extracted, correct, why ...) and
    ``result.json`` into ``out_dir``, continues there after an interruption, and returns the
    accuracy with its standard error by ``cluster``. ``answer`` raises `RefusedInput` for rows that
    the model's processor refuses.
    """
    rows = Rows(dataset, view)
    rows.check_images()
    require_one_cluster([rows.text(index) for index in range(len(rows))])
    asked = question(rows, generation, view=view, name=name, settings=settings)
    store = SampleStore(Path(out_dir), asked, processes)
    plan = batches_by_length(
        [rows.length(index) for index in range(len(rows))], generation.batch_size
    )
    done = store.resume([[rows.ids[index] for index in batch] for batch in plan])
    open_batches = [batch for batch in plan if rows.ids[batch[0]] not in done]
    share = open_batches[processes.rank :: processes.count]
    shown = progress and bool(share) and processes.main
    mine = len(done) + sum(map(len, share))
    bar = Progress(_named(name, processes), mine, len(done)) if shown else None
    for batch in share:
        store.append(_answer_batch(answer, judge, rows, batch))
        if bar is not None:
            bar.advance(len(batch), f"accuracy {accuracy_so_far(store.samples()):.3f}")
    store.gather()
    result = _finish(store, rows, metrics, asked) if processes.main else None
    processes.wait()
    # The others read what the main process has made of all shares.
    return summarize(read_samples(Path(out_dir) / "samples.jsonl")) if result is None else result


def question(
    rows: Rows,
    generation: Generation,
    *,
    name: str,
    view: EvaluationView | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What an evaluation asks, as ``settings.json`` has it; arguments as `evaluate_rows`."""
    return {
        **({} if view is None else {"view": view.record()}),
        **(settings or {}),
        "name": name,
        "generation": generation.record(),
        "data": rows.fingerprint(),
    }


def _named(name: str, processes: Processes) -> str:
    return name if processes.count == 1 else f"{name}, the first of {processes.count} processes"


def _answer_batch(answer: Answer, judge: Judge, rows: Rows, batch: Sequence[int]) -> list[Sample]:
    opened: dict[int, Row] = {}
    failures: dict[int, str] = {}
    for index in batch:
        try:
            opened[index] = rows.open(index)
        except BrokenRow as error:
            failures[index] = str(error)
    completions = _answer_rows(answer, opened, failures)
    return [
        _sample(rows.text(index), completions.get(index), failures.get(index), judge)
        for index in batch
    ]


def _answer_rows(
    answer: Answer, opened: Mapping[int, Row], failures: dict[int, str]
) -> dict[int, Completion]:
    """Completions by row index; a row that the processor refuses goes into ``failures``."""
    if not opened:
        return {}
    try:
        return dict(zip(opened, answer(list(opened.values())), strict=True))
    except RefusedInput as error:
        if len(opened) == 1:
            failures[next(iter(opened))] = str(error)
            return {}
    # One row spoils the batch: answer its rows one at a time, which tells which row it is.
    completions: dict[int, Completion] = {}
    for index, row in opened.items():
        completions |= _answer_rows(answer, {index: row}, failures)
    return completions


def _sample(row: Row, completion: Completion | None, failure: str | None, judge: Judge) -> Sample:
    if completion is None:
        verdict, completion = Judgement(None, False, "not answered"), Completion("", 0, False)
    else:
        verdict = judge(completion.text, row)
        # No verdict is no reason to leave the row out: it counts as wrong and is listed.
        failure = f"not scorable: {verdict.why}" if verdict.correct is None else None
    return {
        "example_id": str(row["example_id"]),
        "cluster": cluster_of(row),
        "kind": row.get("kind", ""),
        "prompt": row["prompt"],
        "question": row.get("question", ""),
        "answer": row["answer"],
        "output": completion.text,
        "extracted": verdict.extracted,
        "correct": bool(verdict.correct),
        **of_sample(row, bool(verdict.correct)),
        "why": verdict.why,
        "tokens": completion.tokens,
        "truncated": completion.truncated,
        "failure": failure,
        **({"meta": row["meta"]} if "meta" in row else {}),
    }


def _finish(
    store: SampleStore, rows: Rows, metrics: Metrics | None, asked: Mapping[str, Any]
) -> Result:
    by_id = {sample["example_id"]: sample for sample in store.samples()}
    samples = count_together([by_id[key] for key in rows.ids])
    pairs = pairs_summary(samples)
    failed = [sample for sample in samples if sample["failure"] is not None]
    result = summarize(samples)
    summary = {
        "name": asked["name"],
        **result.to_dict(),
        "by_kind": by_kind(samples),
        **({} if pairs is None else {"pairs": pairs}),
        "metrics": {} if metrics is None else metrics(samples),
        "without_answer": sum(s["extracted"] is None and s["failure"] is None for s in samples),
        "truncated": sum(s["truncated"] for s in samples),
        "mean_tokens": sum(s["tokens"] for s in samples) / len(samples),
        "failed": [{"example_id": s["example_id"], "why": s["failure"]} for s in failed],
        "settings": dict(asked),
    }
    store.finish(samples, summary)
    return result


def accuracy_so_far(samples: Sequence[Sample]) -> float:
    """The accuracy of what is answered; a pair counts by those of its rows that are."""
    return fmean(together([alone(sample) for sample in samples], samples))


def summarize(samples: Sequence[Sample]) -> Result:
    """Accuracy of samples with its standard error by cluster; failures count as wrong."""
    failures = sum(sample["failure"] is not None for sample in samples)
    return accuracy_with_stderr(
        [s["correct"] for s in samples], [s["cluster"] for s in samples], failures
    )


def by_kind(samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    """The result of each question kind that occurs, in alphabetical order; empty where rows have
    no kind.
    """
    # As texts: numbers and texts in one column have no order, and JSON has names for neither.
    named = [(str(s["kind"]), s) for s in samples if s["kind"] not in (None, "")]
    kinds = Counter(kind for kind, _ in named)
    return {
        kind: summarize([sample for name, sample in named if name == kind]).to_dict()
        for kind in sorted(kinds)
    }
