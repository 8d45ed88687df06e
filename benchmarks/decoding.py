"""What decoding costs with and without ``leaner``: processor seconds on the built-in model.

    python benchmarks/decoding.py --rows 64 --rounds 3

Both sample the same completions (checked) from the same prefill, in turn; the ratio is of medians.
"""

import argparse
import json
import statistics
import time
from contextlib import nullcontext
from unittest import mock

import torch

from noisygrpo.evaluation import generate
from noisygrpo.evaluation.generate import Generation, generate_batch
from noisygrpo.models.loading import load_model
from noisygrpo.models.spec import ModelSpec
from noisygrpo.playground.model import load_processor, model_path
from noisygrpo.playground.splits import make_split


def main() -> None:
    """Print one line of json."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=64)
    asked.add_argument("--rounds", type=int, default=3)
    args = asked.parse_args()
    torch.set_num_threads(1)
    model = load_model(ModelSpec(path="playground")).eval()
    processor = load_processor(model_path())
    rows = list(make_split("train", args.rows))
    found: dict[str, list[float]] = {"prefill": [], "plain": [], "leaner": []}
    texts: dict[str, list[str]] = {}
    for _ in range(args.rounds):
        for name, spent in found.items():
            settings = Generation(temperature=1.0, max_new_tokens=1 if name == "prefill" else 160)
            plain = mock.patch.object(generate, "leaner", lambda *given: nullcontext())
            begun = time.process_time()
            with nullcontext() if name == "leaner" else plain:
                texts[name] = [one.text for one in generate_batch(model, processor, rows, settings)]
            spent.append(time.process_time() - begun)
    seconds = {name: round(statistics.median(spent), 3) for name, spent in found.items()}
    plain, leaner = (seconds[name] - seconds["prefill"] for name in ("plain", "leaner"))
    same = sum(a == b for a, b in zip(texts["plain"], texts["leaner"], strict=True))
    print(json.dumps({**seconds, "decoding": round(leaner / plain, 3), "same": same}))


if __name__ == "__main__":
    main()
