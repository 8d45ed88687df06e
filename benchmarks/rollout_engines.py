"""Completion tokens per second: vLLM against Transformers' ``generate``, on the playground's model.

    python benchmarks/rollout_engines.py                        # 16, 32 and 64 rollouts at once
    python benchmarks/rollout_engines.py --rollouts 128 --rounds 5 --dtype bfloat16

Both sample at temperature 1 for the same prompts and images, up to the same number of tokens, and
stop where the model does; the two take turns, so that whatever else the machine does hits both. A
round's rate is its completion tokens over its seconds, images processed anew each time; median,
least and greatest of the rounds are printed. On a CPU vLLM takes every core it may use, so give the
other as many: ``OMP_NUM_THREADS=2`` on two. The model is tiny (3 million parameters): overhead per
token dominates, so the ratio says nothing about a real model on a GPU.

Without vLLM it says so and ends. `make test-vllm` builds an environment that has it:
``.venv-vllm/bin/python benchmarks/rollout_engines.py``.
"""

import argparse
import importlib
import importlib.util
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1] / "tests" / "with_vllm"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rollouts", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--tokens", type=int, default=96, help="longest completion")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32", help="of both engines")
    return parser.parse_args()


def engines(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return name to a function that answers rows."""
    import torch

    from noisygrpo.evaluation.generate import Generation, generate_batch
    from noisygrpo.evaluation.vllm_engine import vllm_answers
    from noisygrpo.models.loading import default_device, load_model
    from noisygrpo.models.spec import ModelSpec
    from noisygrpo.playground import load_processor, model_path

    settings = Generation(batch_size=1024, max_new_tokens=args.tokens, temperature=1.0)
    processor = load_processor(model_path())
    model = load_model(ModelSpec("playground", dtype=args.dtype)).to(default_device())
    options = {"dtype": args.dtype, "max_model_len": 1024, "enforce_eager": True}
    options["mm_processor_cache_gb"] = 0  # every rollout of a noisy group is a new image
    # Prompts in one piece: vLLM cannot take up a seeded request again on a CPU.
    options["max_num_batched_tokens"] = 256 * max(args.rollouts)
    answer = vllm_answers(str(folder), processor, model.config, settings, **options)

    def plain(rows: Any) -> Any:
        with torch.no_grad():
            return generate_batch(model, processor, rows, settings)

    return {"generate": plain, "vllm": answer}


def rate(answer: Any, rows: Any) -> float:
    """Return completion tokens per second."""
    started = time.perf_counter()
    completions = answer(rows)
    return sum(item.tokens for item in completions) / (time.perf_counter() - started)


def main() -> int:
    args = arguments()
    sys.path.insert(0, str(TESTS))
    if importlib.util.find_spec("vllm") is None:
        print("vLLM is not installed here; `make test-vllm` builds an environment that has it")
        return 0
    importlib.import_module("conftest")  # makes a CPU build importable, so before all others
    from stock_folder import stock_folder

    from noisygrpo.playground import make_split
    from noisygrpo.report.table import table

    with tempfile.TemporaryDirectory() as folder:
        answers = engines(args, stock_folder(Path(folder)))
    rows = [row for row in make_split("train", max(args.rollouts) // 4) for _ in range(4)]
    lines = []
    for count in args.rollouts:
        for answer in answers.values():
            rate(answer, rows[:count])  # warm
        rates: dict[str, list[float]] = {name: [] for name in answers}
        for _ in range(args.rounds):
            for name, answer in answers.items():
                rates[name].append(rate(answer, rows[:count]))
        middle = {name: statistics.median(values) for name, values in rates.items()}
        spread = [f"{middle[n]:.0f} ({min(v):.0f} to {max(v):.0f})" for n, v in rates.items()]
        lines.append([str(count), *spread, f"{middle['vllm'] / middle['generate']:.2f}"])
    print(table(["rollouts", "generate, tokens/s", "vllm, tokens/s", "ratio"], lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
