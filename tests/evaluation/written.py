"""Finished evaluations on disk."""

import json


def write_evaluation(folder, correct, name="test", clusters=None, settings=None, fields=None):
    """``settings``: further ones; ``fields``: further ones of every sample."""
    folder.mkdir(parents=True)
    lines = [
        json.dumps(
            {
                "example_id": f"row-{i}",
                "cluster": f"row-{i}" if clusters is None else clusters[i],
                "answer": "a",
                "correct": bool(right),
                "failure": None,
                **(fields or {}),
            }
        )
        for i, right in enumerate(correct)
    ]
    (folder / "samples.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "settings.json").write_text(json.dumps({"name": name, **(settings or {})}))
    (folder / "result.json").write_text(json.dumps({"n": len(lines)}))
    return folder
