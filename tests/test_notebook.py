"""The notebook's cells run from top to bottom, with fewer steps."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "three_papers.ipynb"


@pytest.fixture
def cells():
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in document["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_runs(cells, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    names: dict[str, object] = {}
    for number, cell in enumerate(cells):
        source = "".join(cell["source"])
        for long, short in (
            ("STEPS = 10", "STEPS = 2"),
            ("per_device_train_batch_size=64", "per_device_train_batch_size=16"),
        ):
            source = source.replace(long, short)
        exec(compile(source, f"cell {number}", "exec"), names)
    plt.close("all")
    assert "calibrated, s = 0.8" in capsys.readouterr().out
    rollouts = names["rollouts"]
    assert isinstance(rollouts, list) and {one["step"] for one in rollouts} == {1, 2}


def test_its_outputs_are_those_of_a_run(cells):
    """The cells before the training were run, in order, and none ended in an error; those of the
    training and after it are kept without their outputs.
    """
    assert [cell["execution_count"] for cell in cells] == [*range(1, 6), *[None] * 4]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert all(output["output_type"] != "error" for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
