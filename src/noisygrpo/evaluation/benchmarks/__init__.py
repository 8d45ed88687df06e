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
        mme_cot.BENCHMARK,
        mme_cot.DIRECT,
    )
}


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of that name; ``UserError`` listing all names if there is none."""
    if name not in BENCHMARKS:
        raise UserError(f"benchmark: {name!r} is unknown; there are {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]


__all__ = ["BENCHMARKS", "OFFICIAL", "Benchmark", "LoadOptions", "get_benchmark", "load_table"]
