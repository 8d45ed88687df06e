"""Results in the files of lmms-eval.

lmms-eval (EvolvingLMMs-Lab/lmms-eval at 75571cf, ``evaluator.py`` and
``loggers/evaluation_tracker.py``) writes into ``<output>/<last two parts of the model>/``::

    <date>_results.json           results, configs, versions, n-shot, n-samples, model name ...
    <date>_samples_<task>.jsonl   by sample: doc_id, input, target, resps (left out where they equal
                                  filtered_resps), filtered_resps, token_counts, doc_hash, metrics

``filtered_resps`` is a text where a row has one request, as ours all have. lmms-eval takes the
extracted answer out of a response only in some tasks; here it always is the extracted answer.

Our checkpoints are ordinary Transformers folders, so lmms-eval loads them unchanged. Its scorers
differ from ours (several ask a GPT judge), which is why exported metrics keep our names.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noisygrpo.data.turns import plain_text
from noisygrpo.errors import require
from noisygrpo.evaluation.files import read_object
from noisygrpo.evaluation.samples import Sample, read_samples, write_atomic, write_json
from noisygrpo.rewards.references import readable


def export_lmms_eval(folder: str | Path, target: str | Path, date: str) -> Path:
    """Write a finished evaluation in lmms-eval's format; returns the results file.

    ``folder``: an evaluation with ``result.json``; ``target``: lmms-eval's output folder;
    ``date``: the stamp in the file names, e.g. ``20260301_120000``.
    """
    source = Path(folder)
    require((source / "result.json").is_file(), f"{source}: no result.json; is it finished?")
    result = read_object(source / "result.json")
    task, settings = result["name"], result["settings"]
    model = str(settings.get("model", "unknown"))
    where = Path(target) / _folder_name(model)
    where.mkdir(parents=True, exist_ok=True)
    samples = read_samples(source / "samples.jsonl")
    lines = [json.dumps(_sample(i, s), ensure_ascii=False) for i, s in enumerate(samples)]
    write_atomic(where / f"{date}_samples_{task}.jsonl", "\n".join(lines) + "\n")
    path = where / f"{date}_results.json"
    write_json(path, _results(task, result, model))
    return path


def _folder_name(model: str) -> str:
    """The last two parts of the model's name, as lmms-eval spells them."""
    last_two = "/".join(model.rstrip("/").split("/")[-2:])
    return re.sub(r'["<>:/|\\?*\[\]]+', "__", last_two)


def _results(task: str, result: Mapping[str, Any], model: str) -> dict[str, Any]:
    stderr = "N/A" if result["stderr"] is None else result["stderr"]
    names = ("accuracy_stderr,none", "accuracy_stderr_clustered,none")
    scores = {"alias": task, "accuracy,none": result["accuracy"], **dict.fromkeys(names, stderr)}
    for name, value in result["metrics"].items():
        if isinstance(value, int | float):
            scores |= {f"{name},none": value, f"{name}_stderr,none": "N/A"}
    generation = result["settings"]["generation"]
    return {
        "results": {task: scores},
        "group_subtasks": {task: []},
        "configs": {task: {"task": task, "generation_kwargs": generation}},
        "versions": {task: "noisygrpo"},
        "n-shot": {task: 0},
        "higher_is_better": {task: {"accuracy": True}},
        "n-samples": {task: {"original": result["n"], "effective": result["n"]}},
        "config": {"model": "noisygrpo", "model_args": f"pretrained={model}"},
        "model_source": "noisygrpo",
        "model_name": model,
        "model_name_sanitized": _folder_name(model),
    }


def _sample(index: int, sample: Sample) -> dict[str, Any]:
    extracted = sample["extracted"] or ""
    responses = {} if extracted == sample["output"] else {"resps": [sample["output"]]}
    return {
        "doc_id": index,
        "target": readable(sample["answer"]),
        **responses,
        "filtered_resps": extracted,
        "token_counts": [{"output_tokens": sample["tokens"]}],
        "doc_hash": _hash(json.dumps([sample["example_id"], sample["question"]])),
        "accuracy": float(sample["correct"]),
        "input": plain_text(sample["prompt"][-1]["content"]),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
