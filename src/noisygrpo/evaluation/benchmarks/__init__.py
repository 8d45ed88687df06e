"""The benchmarks by name; one small file each."""

from noisygrpo.errors import UserError
from noisygrpo.evaluation.benchmarks import (
    amber,
    geometry3k,
    geoqa,
    hallusionbench,
    mathverse,
    mathvision,
    mathvista,
    mme_cot,
    mmstar,
    nlvr,
    playground,
    superclevr,
    wemath,
)
from noisygrpo.evaluation.benchmarks.base import OFFICIAL, Benchmark, LoadOptions, load_table

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        *playground.BENCHMARKS,
        nlvr.BENCHMARK,
        mmstar.BENCHMARK,
        amber.BENCHMARK_DISCRIMINATIVE,
        amber.BENCHMARK_GENERATIVE,
        amber.BENCHMARK_OFFICIAL,
        hallusionbench.BENCHMARK,
        mathvista.BENCHMARK,
        mathvision.BENCHMARK,
        mathvision.MINI,
        mathverse.BENCHMARK,
        mathverse.TEXT_ONLY,
        wemath.BENCHMARK,
        geometry3k.BENCHMARK,
        geoqa.BENCHMARK,
        geoqa.RELEASED,
        superclevr.BENCHMARK,
        mme_cot.BENCHMARK,
        mme_cot.DIRECT,
    )
}


ALIASES = {
    "geo3k": "geometry3k",
    "geo170k": "geoqa",
    "hallubench": "hallusionbench",
    "hallusion-bench": "hallusionbench",
    "math-v": "mathvision",
    "math-vision": "mathvision",
    "math-vista": "mathvista",
    "math-verse": "mathverse",
    "super-clevr": "superclevr",
    "we-math": "wemath",
}
"""Other names that are in use, NoisyRollout's and Hint-GRPO's among them."""


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of that name, or of that usual name; ``UserError`` with all if there is none.

    Capitals and underscores do not matter: ``MME_CoT`` is ``mme-cot``.
    """
    plain = name.strip().lower().replace("_", "-")
    plain = ALIASES.get(plain, plain)
    if plain not in BENCHMARKS:
        raise UserError(f"benchmark: {name!r} is unknown; there are {', '.join(BENCHMARKS)}")
    return BENCHMARKS[plain]


__all__ = [
    "ALIASES",
    "BENCHMARKS",
    "OFFICIAL",
    "Benchmark",
    "LoadOptions",
    "get_benchmark",
    "load_table",
]
