"""README's Python block pastes and runs."""

import json
import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_python_block_runs(tmp_path, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert "max_steps=2" in block  # so that it ends
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block, str(README), "exec"), names)
    lines = (tmp_path / "runs/mine/rollouts.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert {record["step"] for record in records} == {1, 2}
    assert {record["noise_level"] for record in records} == {0.0, 0.3, 0.6, 0.9}
    assert all(set(record["rewards"]) == {"accuracy"} for record in records)
