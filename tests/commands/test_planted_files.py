"""Files with code in a folder that a user names for something else run nothing.

A model, an adapter, a checkpoint: whoever made it may have put in more than its weights.
"""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest

from noisygrpo.models.sealed import MANIFEST, seal

TRAP = "from pathlib import Path\nPath({marker!r}).touch()\n"


class Bomb:
    """Runs a command where it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return (os.system, (f"touch '{self.marker}'",))


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A file that is there once any of the planted code has run; modules can be imported here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    (tmp_path / "planted.py").write_text(TRAP.format(marker=str(tmp_path / "ran")))
    return tmp_path / "ran"


def change(path, **values):
    content = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**content, **values}))


def plant(folder, marker):
    """Everything that some library runs, from some file, where it is trusted."""
    for name in ("trap.py", "custom_generate/generate.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(TRAP.format(marker=str(marker)))
    for name, auto in (
        ("processor_config.json", "AutoProcessor"),
        ("preprocessor_config.json", "AutoImageProcessor"),
        ("tokenizer_config.json", "AutoTokenizer"),
    ):
        values = ["trap.T", "trap.T"] if auto == "AutoTokenizer" else "trap.T"
        change(folder / name, auto_map={auto: values})
    change(folder / "generation_config.json", custom_generate="trap.py")
    for name in ("training_args.bin", "pytorch_model.bin", "adapter_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Bomb(marker)))


def test_the_bombs_go_off(tmp_path, marker):
    """Else nothing here could fail."""
    pickle.loads(pickle.dumps(Bomb(marker)))
    assert marker.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("generate", "--question", "What?", "--max-new-tokens", 2, "--model"),
        ("evaluate", "--recipe", "playground", "--rows", 2, "--max-new-tokens", 2, "--model"),
    ],
)
def test_a_models_folder_runs_nothing(run_cli, model_folder, tmp_path, marker, words):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    plant(Path(folder), marker)
    status, _, error = run_cli(*words, folder)
    assert status == 0, error
    assert not marker.exists()


def test_an_adapters_folder_runs_nothing(run_cli, adapter, marker):
    folder, _ = adapter
    plant(folder, marker)
    words = ("generate", "--question", "What?", "--max-new-tokens", 2, "--model", folder)
    assert run_cli(*words)[0] == 0
    change(folder / "adapter_config.json", megatron_config={"a": 1}, megatron_core="planted")
    status, _, error = run_cli(*words)
    assert status == 2 and "holds an adapter for Megatron" in error and "Traceback" not in error
    assert not marker.exists()


@pytest.fixture
def started(recipe_file, run_cli, tmp_path, marker):
    """A run with one checkpoint of two, in which everything is planted and sealed again."""
    steps = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1}
    words = ("train", recipe_file(training=steps), "--output-dir", tmp_path / "run")
    words = (*words, "--no-evaluation")
    assert run_cli(*words)[0] == 0
    for name in ("checkpoint", "checkpoint-2"):
        shutil.rmtree(tmp_path / "run" / name)
    plant(tmp_path / "run" / "checkpoint-1", marker)
    planted = {"model": {"trust_remote_code": True}}
    (tmp_path / "run" / "recipe.yaml").write_text(json.dumps(planted))
    return (*words, "--resume"), tmp_path / "run" / "checkpoint-1"


def sealed_again(checkpoint):
    """As an attacker would, who can write a manifest as well."""
    (checkpoint / MANIFEST).unlink()
    aside = checkpoint.rename(checkpoint.with_name("aside"))
    seal(aside, checkpoint)


def test_states_that_are_bombs_are_refused_in_one_line(run_cli, started, marker):
    words, checkpoint = started
    for name in ("optimizer.pt", "rng_state.pth", "scheduler.pt"):
        held = (checkpoint / name).read_bytes()
        (checkpoint / name).write_bytes(pickle.dumps(Bomb(marker), protocol=2))
        sealed_again(checkpoint)
        status, _, error = run_cli(*words)
        assert status == 1 and "Traceback" not in error
        assert "holds more than numbers, and is not read" in error and not marker.exists()
        (checkpoint / name).write_bytes(held)
    sealed_again(checkpoint)
    status, _, error = run_cli(*words)  # everything else that is planted is still there
    assert status == 0, error
    assert not marker.exists()
