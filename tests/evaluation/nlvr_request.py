"""A small NLVR file, and an evaluation of a tiny model on it."""

from datasets import Dataset

from noisygrpo.evaluation.run import EvaluationRequest
from tiny import tiny_image


def write_rows(path):
    """Six statements in three clusters; returns the file's name."""
    rows = [
        {
            "identifier": f"test-{i // 2}-0-{i % 2}",
            "statement": f"There are {i} circles",
            "label": "true" if i // 2 % 2 else "false",
            "image": tiny_image(i, 112, 56),
        }
        for i in range(6)
    ]
    Dataset.from_list(rows).to_parquet(str(path))
    return str(path)


def request(tmp_path, data, **options):
    fields = {
        "model": "tiny",
        "benchmark": "nlvr",
        "data": data,
        "batch_size": 4,
        "max_new_tokens": 3,
    }
    return EvaluationRequest(**{**fields, "out_dir": str(tmp_path / "out"), **options})
