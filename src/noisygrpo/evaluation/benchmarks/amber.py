"""AMBER: what a model says is in an image that is not; descriptions, and yes/no questions."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError, require
from noisygrpo.evaluation.benchmarks.amber_metrics import (
    AmberWords,
    Nouns,
    Similar,
    amber_generative_metrics,
    nltk_nouns,
    spacy_similar,
)
from noisygrpo.evaluation.benchmarks.base import (
    Benchmark,
    BenchmarkRows,
    Item,
    LoadOptions,
    inside,
    rows_from_items,
)
from noisygrpo.evaluation.evaluate import Judgement, Row
from noisygrpo.evaluation.metrics import grouped, share
from noisygrpo.evaluation.reading import final_part, yes_or_no
from noisygrpo.evaluation.samples import Sample

_KINDS = {
    "discriminative-hallucination": "existence",
    "discriminative-attribute-state": "state",
    "discriminative-attribute-number": "number",
    "discriminative-attribute-action": "action",
    "discriminative-relation": "relation",
    "relation": "relation",  # 689 rows of the annotations are spelled so
}


def load(benchmark: Benchmark, options: LoadOptions) -> BenchmarkRows:
    """Rows from a clone of the AMBER repository and the folder of its images."""
    require(bool(options.data), f"{benchmark.name}: --data is needed: {benchmark.note}")
    folder = Path(options.data).expanduser()
    queries = _read(folder, "query/query_all.json")
    truths = {entry["id"]: entry for entry in _read(folder, "annotations.json")}
    root = _image_root(folder, options)
    generative = benchmark.bind is not None
    items, cells = [], []
    for query in queries:
        truth = truths[query["id"]]
        if (truth["type"] == "generative") == generative:
            items.append(_item(query, truth))
            cells.append([inside(root, query["image"])])
    return rows_from_items(items, cells, benchmark, options)


def judge_yes_no(completion: str, row: Row) -> Judgement:
    """Right if the answer is; neither yes nor no is wrong."""
    answer = yes_or_no(completion, row.get("question", ""))
    why = "neither yes nor no" if answer is None else f"answers {answer}"
    return Judgement(answer, answer == row["answer"], why)


def bind_words(
    benchmark: Benchmark, folder: Path, nouns: Nouns | None = None, similar: Similar | None = None
) -> Benchmark:
    """Judge and metrics of descriptions, with the word lists of the data folder."""
    words = AmberWords(
        _read(folder, "relation.json"),
        frozenset(_find(folder, "safe_words.txt").read_text(encoding="utf-8").split("\n")) - {""},
    )

    def judge(completion: str, row: Row) -> Judgement:
        sample = {"output": final_part(completion), "meta": row["meta"]}
        share = amber_generative_metrics([sample], words, nouns, similar)["CHAIR"]
        why = (
            "no object named"
            if share is None
            else f"{share:.0%} of the objects named are not there"
        )
        return Judgement(final_part(completion), not share, why)

    def metrics(samples: Sequence[Sample]) -> dict[str, Any]:
        final = [{**sample, "output": final_part(sample["output"])} for sample in samples]
        return amber_generative_metrics(final, words, nouns, similar)

    return dataclasses.replace(benchmark, judge=judge, metrics=metrics)


def bind_official(benchmark: Benchmark, folder: Path) -> Benchmark:
    """`bind_words` with the original's noun finder and word similarity."""
    return bind_words(benchmark, folder, nltk_nouns(), spacy_similar())


def _item(query: Mapping[str, Any], truth: Mapping[str, Any]) -> Item:
    name = f"amber-{query['id']}"
    if truth["type"] == "generative":
        meta = {"truth": truth["truth"], "hallu": truth["hallu"]}
        # No target text: the annotated objects stand in, for whoever reads the samples.
        return Item(query["query"], ", ".join(truth["truth"]), name, meta=meta)
    return Item(query["query"], truth["truth"], name, query["image"], _KINDS[truth["type"]])


def _image_root(folder: Path, options: LoadOptions) -> Path:
    if options.image_root:
        return Path(options.image_root).expanduser()
    candidates = [folder / name for name in ("image", "images", "data/image", "data/images")]
    return next((path for path in candidates if path.is_dir()), folder)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / "data" / name, folder / name):
        if path.is_file():
            return path
    raise UserError(f"amber: {folder} holds neither data/{name} nor {name}")


def _read(folder: Path, name: str) -> Any:
    path = _find(folder, name)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not valid JSON: {error}") from error


def yes_no_metrics(samples: Sequence[Sample], epsilon: float = 1e-4) -> dict[str, Any]:
    """AMBER's discriminative metrics: accuracy, and precision, recall and F1 of answering "no".

    ``precision`` = right "no" / said "no"; ``recall`` = right "no" / "no" is right; ``F1 = 2PR /
    (P + R + epsilon)``. An answer that is neither yes nor no is wrong and no "no". A ratio over
    nothing is 0, as in the original.
    """
    said_no = [s for s in samples if s["extracted"] == "no"]
    is_no = [s for s in samples if s["answer"] == "no"]
    precision = share(s["answer"] == "no" for s in said_no) or 0.0
    recall = share(s["extracted"] == "no" for s in is_no) or 0.0
    f1 = 2 * precision * recall / (precision + recall + epsilon)
    accuracy = share(s["correct"] for s in samples)
    return {"accuracy": accuracy, "precision": precision, "recall": recall, "F1": f1}


# The original's F1 of existence alone has 0.001 where all others have 0.0001.
_AMBER_EPSILON = {"existence": 1e-3}


def amber_discriminative_metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """AMBER (Wang et al., 2023), discriminative: `yes_no_metrics` overall and by dimension.

    Source: junyangwang0410/AMBER at 534babf, ``inference.py``. ``kind`` is existence, state,
    number, action or relation; attribute is state, number and action together.
    """
    groups = grouped(samples, lambda s: s["kind"])
    attribute = [s for s in samples if s["kind"] in ("state", "number", "action")]
    named = {**groups, **({"attribute": attribute} if attribute else {})}
    by_dimension = {
        name: yes_no_metrics(named[name], _AMBER_EPSILON.get(name, 1e-4)) for name in sorted(named)
    }
    return {**yes_no_metrics(samples), "by_dimension": by_dimension}


_SOURCE = "Wang et al., 2023 (arXiv 2311.07397); junyangwang0410/AMBER at 534babf, inference.py"
_DATA = (
    "a clone of the AMBER repository; its images go into a folder 'image' there, or --image-root"
)

BENCHMARK_DISCRIMINATIVE = Benchmark(
    name="amber-discriminative",
    title="AMBER, discriminative",
    source=_SOURCE,
    licence="Apache-2.0",
    rows=14_216,
    load=load,
    folders=("AMBER",),
    prompt="{question}\nPlease answer yes or no.",
    max_new_tokens=1024,
    judge=judge_yes_no,
    metrics=amber_discriminative_metrics,
    metric="accuracy; precision, recall and F1 of answering no",
    note=_DATA,
)

BENCHMARK_GENERATIVE = Benchmark(
    name="amber-generative",
    title="AMBER, generative",
    source=_SOURCE,
    licence="Apache-2.0",
    rows=1004,
    load=load,
    folders=("AMBER",),
    prompt="{question}",
    max_new_tokens=1024,
    judge=judge_yes_no,
    bind=bind_words,
    metric="CHAIR, Cover, Hal, Cog",
    note=_DATA + ". Words match by equality; the published numbers need amber-generative-official. "
    "'accuracy' is the share of descriptions without hallucination.",
)

BENCHMARK_OFFICIAL = dataclasses.replace(
    BENCHMARK_GENERATIVE,
    name="amber-generative-official",
    title="AMBER, generative, words matched as officially",
    bind=bind_official,
    note=_DATA
    + ". Needs NLTK with its tagger and WordNet, and spaCy with en_core_web_lg. 'accuracy' is the "
    "share of descriptions without hallucination.",
)
