"""Files that are found and not named run no code, and print nothing that steers a terminal."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

import noisygrpo.runs.train
from noisygrpo.models.sealed import seal

ESC = "\x1b]0;owned\x07"
TRAP = """
from pathlib import Path
Path({marker!r}).touch()
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
class Config(Qwen2_5_VLConfig):
    model_type = "trap"
class Model(Qwen2_5_VLForConditionalGeneration):
    config_class = Config
"""


@pytest.fixture
def run_with_code(tmp_path, model_folder, monkeypatch):
    """A run's folder whose model, and whose recipe, want code to run; and the code's mark."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    marker = tmp_path / "the code ran"
    checkpoint = tmp_path / "run" / "checkpoint"
    shutil.copytree(model_folder, checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    names = {"AutoConfig": "Config", "AutoModelForImageTextToText": "Model"}
    config["auto_map"] = {name: f"trap.{value}" for name, value in names.items()}
    config["model_type"] = "trap"
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "trap.py").write_text(TRAP.format(marker=str(marker)))
    (tmp_path / "reward.py").write_text(TRAP.format(marker=str(marker)))
    recipe = {
        "model": {"path": str(checkpoint), "trust_remote_code": True},
        "method": "grpo",
        "data": {"source": "playground", "limit": 2},
        "rewards": [f"{tmp_path / 'reward.py'}:Model"],
        "evaluation": {"splits": ["test"], "rows": 2, "max_new_tokens": 3},
    }
    (tmp_path / "run" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return checkpoint, marker


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "--model"),
        ("evaluate", "--benchmark", "playground-test", "--rows", "2", "--model"),
        ("generate", "--question", "What?", "--model"),
    ],
)
def test_code_of_a_model_runs_only_where_the_user_says_so(run_cli, run_with_code, words):
    checkpoint, marker = run_with_code
    status, _, error = run_cli(*words, checkpoint)
    assert status == 2
    assert "cannot be loaded" in error.splitlines()[-1] and "Traceback" not in error
    assert not marker.exists()


def test_the_trap_works(run_cli, run_with_code):
    """Else the test above could not fail."""
    checkpoint, marker = run_with_code
    words = ("evaluate", "--model", checkpoint, "--model.trust_remote_code", "true")
    run_cli(*words, "--recipe", "playground", "--rows", 1)
    assert marker.exists()


def test_the_file_that_was_read_is_named(run_cli, model_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model_folder, tmp_path / "run" / "checkpoint")
    evaluation = {"splits": ["more"], "rows": 2, "max_new_tokens": 3}
    recipe = {"data": "playground", "rewards": ["gone.py:reward"], "evaluation": evaluation}
    (tmp_path / "run" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    status, text, error = run_cli("evaluate", "--model", "run/checkpoint")
    assert status == 0, error
    said = "the rows and how they are asked are those of run/recipe.yaml, found beside the model"
    assert said in text.splitlines()
    assert "\nmore " in text


def test_a_hub_id_is_no_folder_to_look_into(run_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "recipe.yaml").write_text("data: /etc\n")
    status, text, error = run_cli("evaluate", "--model", "owner/name")
    assert status == 2 and "owner/name" in error
    assert "found beside" not in text + error


def test_resume_takes_nothing_from_the_recipe_in_the_folder(recipe_file, run_cli, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (tmp_path / "written").mkdir()
    (tmp_path / "written" / "trainer_state.json").write_text('{"global_step": 1}')
    for name in ("rng_state.pth", "optimizer.pt", "scheduler.pt"):
        (tmp_path / "written" / name).touch()
    seal(tmp_path / "written", out / "checkpoint-1")
    planted = {"model": {"trust_remote_code": True}, "rewards": ["evil.py:f"]}
    (out / "recipe.yaml").write_text(yaml.safe_dump(planted))
    seen = []

    def load(spec, **how):
        seen.append(spec)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noisygrpo.runs.train, "load_model", load)
        status, _, _ = run_cli("train", recipe_file(), "--output-dir", out, "--resume")
    assert status == 130
    assert [spec.trust_remote_code for spec in seen] == [False]


def rows_with_escapes(folder: Path) -> Path:
    """Two rows whose every text, and one of whose images, is hostile."""
    row = {"question": f"What{ESC}?", "answer": f"4{ESC}", "id": f"a{ESC}", "kind": f"k{ESC}"}
    from tiny import tiny_image

    tiny_image(0).save(folder / "0.png")
    lines = [{**row, "image": "0.png"}, {**row, "id": f"b{ESC}", "image": "0.png"}]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("check", "RECIPE", "--no-rollout", "--rows", "2"),
        ("check", "RECIPE", "--data.split", f"x{ESC}", "--training.max_steps", f"3{ESC}"),
        ("evaluate", "--model", "MODEL", "--recipe", "RECIPE"),
        ("evaluate", "--model", f"./no{ESC}"),
        ("compare", f"a{ESC}", f"b{ESC}"),
        ("generate", "--model", f"./no{ESC}", "--question", "What?"),
        ("recipes", f"a{ESC}"),
    ],
)
def test_what_a_row_or_a_word_says_is_printed_without_control_characters(
    run_cli, recipe_file, model_folder, tmp_path, monkeypatch, words
):
    monkeypatch.chdir(tmp_path)
    recipe = recipe_file(data={"source": str(rows_with_escapes(tmp_path)), "limit": 2})
    names = {"RECIPE": recipe, "MODEL": model_folder}
    _, text, error = run_cli(*(names.get(word, word) for word in words))
    assert text + error
    assert not {*(text + error)} & {"\x1b", "\x07", "\r"}


def test_what_a_model_says_is_printed_without_control_characters(
    run_cli, model_folder, monkeypatch
):
    from noisygrpo.evaluation import generate

    said = generate.Completion(f"four{ESC}\nand a line", 3, False)
    monkeypatch.setattr(generate, "generate_batch", lambda *args, **kwargs: [said])
    _, text, _ = run_cli("generate", "--model", model_folder, "--question", "What?")
    assert text == "four\N{REPLACEMENT CHARACTER}]0;owned\N{REPLACEMENT CHARACTER}\nand a line\n"
