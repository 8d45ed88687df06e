"""Results in the files of lmms-eval, and the command that repeats an evaluation there.

lmms-eval (EvolvingLMMs-Lab/lmms-eval at 75571cf, ``loggers/evaluation_tracker.py``) writes into
``<output>/<model>/``::

    <date>_results.json           results, configs, versions, n-shot, n-samples ...
    <date>_samples_<task>.jsonl   by sample: doc_id, input, target, filtered_resps, hashes, metrics

Our checkpoints are ordinary Transformers folders, so lmms-eval loads them unchanged;
`lmms_eval_command` is the command. Its scorers differ from ours (several ask a GPT judge), which
is why exported metrics keep our names.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noisygrpo.errors import require
from noisygrpo.evaluation.samples import Sample, read_samples, write_atomic, write_json

LMMS_TASKS = {
    "mmstar": "mmstar",
    "amber-generative": "amber_g",
    "hallusionbench": "hallusion_bench_image",
    "mathvista": "mathvista_testmini_format",
    "mathvision": "mathvision_test",
    "mathvision-mini": "mathvision_testmini",
    "mathverse": "mathverse_testmini",
    "mathverse-text-only": "mathverse_testmini_text_only",
    "wemath": "wemath_testmini_reasoning",
    "geometry3k": "geometry3k",
    "mme-cot": "mme_cot_reason",
    "mme-cot-direct": "mme_cot_direct",
}
"""Our benchmark -> the task of lmms-eval on the same data."""


def lmms_eval_command(model: str, benchmark: str, wrapper: str = "qwen2_5_vl") -> str:
    """The shell command that evaluates ``model`` on a benchmark in lmms-eval.

    ``wrapper``: lmms-eval's name for the model family. Raises ``UserError`` for a benchmark that
    it does not have.
    """
    require(
        benchmark in LMMS_TASKS,
        f"lmms-eval has no task for {benchmark!r}; it has {', '.join(LMMS_TASKS)}",
    )
    return (
        f"python -m lmms_eval --model {wrapper} --model_args pretrained={model} "
        f"--tasks {LMMS_TASKS[benchmark]} --batch_size 1 --log_samples --output_path logs"
    )


def export_lmms_eval(folder: str | Path, target: str | Path, date: str) -> Path:
    """Write a finished evaluation in lmms-eval's format; returns the results file.

    ``folder``: an evaluation with ``result.json``; ``target``: lmms-eval's output folder;
    ``date``: the stamp in the file names, e.g. ``20260301_120000``.
    """
    source = Path(folder)
    require((source / "result.json").is_file(), f"{source}: no result.json; is it finished?")
    result = json.loads((source / "result.json").read_text(encoding="utf-8"))
    task, settings = result["name"], result["settings"]
    model = str(settings.get("model", "unknown"))
    where = Path(target) / re.sub(r"[^\w.-]+", "__", model)
    where.mkdir(parents=True, exist_ok=True)
    samples = read_samples(source / "samples.jsonl")
    lines = [json.dumps(_sample(i, s), ensure_ascii=False) for i, s in enumerate(samples)]
    write_atomic(where / f"{date}_samples_{task}.jsonl", "\n".join(lines) + "\n")
    path = where / f"{date}_results.json"
    write_json(path, _results(task, result, model))
    return path


def _results(task: str, result: Mapping[str, Any], model: str) -> dict[str, Any]:
    stderr = "N/A" if result["stderr"] is None else result["stderr"]
    scores = {"alias": task, "accuracy,none": result["accuracy"], "accuracy_stderr,none": stderr}
    for name, value in result["metrics"].items():
        if isinstance(value, int | float):
            scores |= {f"{name},none": value, f"{name}_stderr,none": "N/A"}
    generation = result["settings"]["generation"]
    return {
        "results": {task: scores},
        "configs": {task: {"task": task, "generation_kwargs": generation}},
        "versions": {task: "noisygrpo"},
        "n-shot": {task: 0},
        "higher_is_better": {task: {"accuracy": True}},
        "n-samples": {task: {"original": result["n"], "effective": result["n"]}},
        "config": {"model": "noisygrpo", "model_args": f"pretrained={model}"},
        "model_name": model,
    }


def _sample(index: int, sample: Sample) -> dict[str, Any]:
    prompt = sample["prompt"][-1]["content"]
    return {
        "doc_id": index,
        "input": prompt,
        "target": sample["answer"],
        "resps": [sample["output"]],
        "filtered_resps": [sample["extracted"] or ""],
        "doc_hash": _hash(sample["example_id"]),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(sample["answer"]),
        "accuracy": float(sample["correct"]),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
