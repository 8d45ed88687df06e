"""A recipe with several sources, from its check to the evaluation of what it trained."""

import json

import yaml

from noisygrpo.runs.identity import changed_since
from noisygrpo.runs.train import RECIPE_FILE


def test_a_list_is_checked_trained_on_and_measured(
    recipe_file, data_file, run_cli, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    entries = [
        {"json_path": data_file.name, "sampling_strategy": "first:4"},
        {"json_path": "test.jsonl", "sampling_strategy": "end:50%"},
    ]
    (tmp_path / "list.yaml").write_text(yaml.safe_dump({"datasets": entries}))
    measured = [{"source": "test.jsonl", "rows": "first:1"}]
    recipe = recipe_file(
        data={"source": "list.yaml"},
        evaluation={"source": measured, "rows": None},
        training={"save_strategy": "steps", "save_steps": 1},
    )
    status, said, error = run_cli("check", recipe, "--no-rollout")
    assert status == 0, error
    assert "rows.jsonl: 4 examples (first:4)" in said
    assert "test.jsonl: 1 examples (end:50%)" in said
    assert "list.yaml, split train, 5 rows" in said
    status, _, error = run_cli("train", recipe, "--output-dir", "runs/a")
    assert status == 0, error
    rollouts = (tmp_path / "runs/a/rollouts.jsonl").read_text().splitlines()
    names = {json.loads(line)["example_id"].rsplit("-", 1)[0] for line in rollouts}
    assert names <= {"rows", "test"}
    # Another choice of rows is another run.
    entries[0]["sampling_strategy"] = "first:5"
    (tmp_path / "list.yaml").write_text(yaml.safe_dump({"datasets": entries}))
    words = ("train", recipe, "--output-dir", "runs/a", "--training.max_steps", 2, "--resume")
    status, _, error = run_cli(*words)
    assert status == 2 and "rows:" in error, error
    assert changed_since(tmp_path / "runs/a/checkpoint-1", {"rows": ""}) != {}
    status, said, error = run_cli("evaluate", "--model", "runs/a/checkpoint", "--output-dir", "e")
    assert status == 0, error
    assert f"runs/a/{RECIPE_FILE}" in said
    assert json.loads((tmp_path / "e/test/result.json").read_text())["n"] == 1
