"""A benchmark on answers that are written by hand."""

import json

from noisygrpo.evaluation.evaluate import evaluate_answers
from noisygrpo.evaluation.generate import Completion, Generation
from noisygrpo.evaluation.request import EvaluationRequest
from noisygrpo.evaluation.run import load_benchmark


def score(folder, name, data, outputs, settings=None):
    """The ``result.json`` of a benchmark whose rows get ``outputs``, in the order of the rows."""
    request = EvaluationRequest(model="m", benchmark=name, data=str(data), out_dir=str(folder))
    benchmark, rows = load_benchmark(request)
    said = dict(zip([row["example_id"] for row in rows], outputs, strict=True))
    evaluate_answers(
        lambda batch: [Completion(said[row["example_id"]], 9, False) for row in batch],
        rows,
        folder,
        generation=Generation(batch_size=3),
        judge=benchmark.judge,
        metrics=benchmark.metrics,
        name=name,
        settings={"model": "m"} if settings is None else settings,
        progress=False,
    )
    return json.loads((folder / "result.json").read_text())
