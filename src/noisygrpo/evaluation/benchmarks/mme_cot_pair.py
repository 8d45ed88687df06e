"""MME-CoT's robustness: what answering step by step gains over answering directly.

It takes two evaluations, ``mme-cot`` and ``mme-cot-direct``, of the same weights on the same rows
with the same decoding (the prompt and the length limit differ by definition). When the second of
them finishes beside the first (``<somewhere>/mme-cot`` and ``<somewhere>/mme-cot-direct``, as by
default), `add_direct_comparison` puts stability, efficacy and robustness into the result of
``mme-cot``.
The arithmetic is in `mme_cot_metrics`.
"""

from pathlib import Path
from typing import Any

from noisygrpo.evaluation.benchmarks.mme_cot_metrics import mme_cot_robustness
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.samples import read_samples, write_json

STEPS, DIRECT = "mme-cot", "mme-cot-direct"
_SAME = ("model", "weights", "view", "engine", "system", "max_pixels", "min_pixels")


def add_direct_comparison(folder: Path) -> dict[str, Any] | None:
    """Add ``robustness`` to the metrics of ``mme-cot`` if ``folder`` is one of a finished pair.

    Returns it, or ``None`` where there is no pair.
    """
    if folder.name not in (STEPS, DIRECT):
        return None
    pair = [folder.with_name(name) for name in (STEPS, DIRECT)]
    if not all((path / "result.json").is_file() for path in pair):
        return None
    results = [read_object(path / "result.json") for path in pair]
    cot, direct = (read_samples(path / "samples.jsonl") for path in pair)
    ids = [[sample["example_id"] for sample in samples] for samples in (cot, direct)]
    if ids[0] != ids[1] or _asked(results[0]) != _asked(results[1]):
        return None
    gain = mme_cot_robustness(cot, direct)
    result = {**results[0], "metrics": {**results[0]["metrics"], "robustness": gain}}
    write_json(pair[0] / "result.json", result)
    return gain


def _asked(result: dict[str, Any]) -> dict[str, Any]:
    settings = result["settings"]
    generation = {k: v for k, v in settings["generation"].items() if k != "max_new_tokens"}
    return {**{name: settings.get(name) for name in _SAME}, "generation": generation}
