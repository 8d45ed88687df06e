"""NLVR: statements written by people about three boxes of objects, true or false."""

from collections.abc import Sequence
from typing import Any

from noisygrpo.data import DataSpec, load_examples
from noisygrpo.data.readers import has_splits
from noisygrpo.errors import require
from noisygrpo.evaluation.benchmarks.base import OFFICIAL, Benchmark, LoadOptions
from noisygrpo.evaluation.evaluate import judge_by_rules
from noisygrpo.evaluation.metrics import all_correct_share, grouped, share
from noisygrpo.evaluation.samples import Sample


def load(benchmark: Benchmark, options: LoadOptions) -> Any:
    """Rows through the same adapter as in training."""
    require(bool(options.data), f"{benchmark.name}: --data is needed: {benchmark.note}")
    spec = DataSpec(
        source=options.data,
        split=(options.split or benchmark.split) if has_splits(options.data) else DataSpec.split,
        adapter="nlvr",
        prompt="think_answer" if options.prompt == OFFICIAL else options.prompt,
        system=options.system,
        limit=options.limit,
        image_root=options.image_root,
    )
    return load_examples(spec, check_images=False)


def nlvr_metrics(samples: Sequence[Sample]) -> dict[str, Any]:
    """NLVR: consistency beside accuracy (Suhr et al., 2017 and 2019).

    ``consistency``: share of statements that are judged rightly for all of their images and box
    permutations. ``permutation_consistency``: the same per image, over its permutations.
    ``permutation_agreement``: share of images of which all permutations get the same answer, right
    or wrong; moving boxes never changes the truth.
    """
    images = grouped(samples, lambda s: s["example_id"].rsplit("-", 1)[0])
    return {
        "consistency": all_correct_share(samples, lambda s: s["cluster"]),
        "permutation_consistency": share(all(s["correct"] for s in g) for g in images.values()),
        "permutation_agreement": share(
            len({(s["extracted"] or "").lower() for s in g}) == 1 for g in images.values()
        ),
        "majority_class": max(
            share(s["answer"] == a for s in samples) or 0 for a in ("true", "false")
        ),
    }


BENCHMARK = Benchmark(
    name="nlvr",
    title="Cornell NLVR",
    source="Suhr et al., ACL 2017",
    licence="CC-BY-4.0",
    rows=5940,
    load=load,
    max_new_tokens=256,
    judge=judge_by_rules,
    metrics=nlvr_metrics,
    metric="accuracy (standard error by statement), consistency",
    note=(
        "a parquet file with identifier, statement, label and image; six box permutations of an "
        "image are rows of one statement, which is the cluster. No official prompt: ours is "
        "think_answer."
    ),
)
