"""Judged samples, as the metrics of benchmarks take them."""


def sample(correct=True, extracted="", answer="", kind="", cluster="c", example_id="x", **meta):
    return {
        "correct": correct,
        "extracted": extracted,
        "answer": answer,
        "kind": kind,
        "cluster": cluster,
        "example_id": example_id,
        "failure": None,
        "output": meta.pop("output", ""),
        "meta": meta,
    }
