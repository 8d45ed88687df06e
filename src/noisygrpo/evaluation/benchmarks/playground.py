"""The splits of the built-in world; no data needed."""

from typing import Any

from noisygrpo.data import DataSpec, load_examples
from noisygrpo.evaluation.benchmarks.base import OFFICIAL, Benchmark, LoadOptions
from noisygrpo.evaluation.evaluate import judge_by_rules

_ABOUT = {
    "test": "like the training data",
    "more": "more objects",
    "wording": "other words for the same questions",
    "combination": "shapes in colours never shown",
    "corrupt": "blurred, compressed, covered or pale images",
    "noisy": "images with Gaussian noise",
    "prior": "answers that the words do not suggest",
    "absent": "questions about objects that are not there",
    "blind": "grey images",
    "pairs": "the same question on two images that differ in one object",
}
SPLITS = tuple(_ABOUT)
_ROWS = 512


def load(benchmark: Benchmark, options: LoadOptions) -> Any:
    """The rows of a split at seed 0: the same for everyone."""
    spec = DataSpec(
        source="playground",
        split=options.split or benchmark.split,
        limit=benchmark.rows if options.limit is None else options.limit,
        prompt=DataSpec.prompt if options.prompt == OFFICIAL else options.prompt,
        system=options.system,
    )
    return load_examples(spec)


BENCHMARKS = tuple(
    Benchmark(
        name=f"playground-{split}",
        title=f"Playground, {_ABOUT[split]}",
        source="built in",
        licence="Apache-2.0",
        rows=_ROWS,
        split=split,
        load=load,
        max_new_tokens=128,
        judge=judge_by_rules,
    )
    for split in SPLITS
)
