"""Every mistake in a recipe or its data ends in one clear message before a model is loaded."""

import json

import pytest

import noisygrpo.check.rollout
import noisygrpo.runs.train


@pytest.fixture(autouse=True)
def no_model(monkeypatch):
    """Fails the test if a mistake gets as far as loading weights."""

    def refuse(spec):
        raise AssertionError(f"the model {spec.path} was loaded before the mistake was found")

    monkeypatch.setattr(noisygrpo.runs.train, "load_model", refuse)
    monkeypatch.setattr(noisygrpo.check.rollout, "load_model", refuse)


def message(run_cli, *words: str) -> str:
    """The one line that the command ends in."""
    status, _, error = run_cli(*words)
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2
    assert len(lines) == 1 and error.splitlines()[-1] == lines[0]
    assert "Traceback" not in error
    return lines[0]


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["--method", "noisy_grpo"], ["method", "'noisy_grpo'", "did you mean 'noisygrpo'?"]),
        (["--training.learning_rat", "1"], ["training.learning_rat", "'learning_rate'"]),
        (["--trainig.seed", "1"], ["trainig", "did you mean 'training'?"]),
        (["--data.colums.image", "x"], ["data.colums", "did you mean 'columns'?"]),
        (["--model.lorra", "null"], ["model.lorra", "did you mean 'lora'?"]),
        (["--training.learning_rate", "fast"], ["training.learning_rate", "'fast'", "a number"]),
        (["--training.num_generations", "2.5"], ["num_generations", "2.5", "whole number"]),
        (["--training.bf16", "maybe"], ["training.bf16", "'maybe'", "true or false"]),
        (["--training.noise_levels", "[0, 0.3, 0.6, 1.5]"], ["noise_levels", "1.5", "[0, 1]"]),
        (["--training.noise_levels", "[0, 0.3, 0.6]"], ["noise_levels", "3", "4"]),
        (["--training.num_generations", "3"], ["num_generations", "3", "8"]),
        (["--training.noise_kind", "gauss"], ["noise_kind", "'gauss'", "gaussian"]),
        (["--training.constant_groups", "one"], ["constant_groups", "'one'", "prior_if_correct"]),
        (["--rewards", "[acuracy]"], ["rewards", "acuracy", "accuracy"]),
        (["--rewards", "accuracy"], ["rewards", "'accuracy'", "list"]),
        (["--data.columns.image", "picture"], ["picture"]),
        (["--data.source", "nowhere.jsonl"], ["data.source", "nowhere.jsonl"]),
        (["--data.limit", "0"], ["data.limit", "0"]),
        (["--evaluation.splits", "[]"], ["evaluation.splits"]),
        (["--evaluation.rows", "-1"], ["evaluation.rows", "-1"]),
    ],
)
def test_a_wrong_field(recipe_file, run_cli, tmp_path, command, overrides, words):
    where = ["--output-dir", str(tmp_path / "out")] if command == "train" else []
    said = message(run_cli, command, recipe_file(), *where, *overrides)
    for word in words:
        assert word in said
    assert not (tmp_path / "out").exists()


def rows(data_file, *changed):
    """The data file with some rows replaced."""
    lines = [json.loads(line) for line in data_file.read_text().splitlines()]
    for index, change in changed:
        lines[index] = {key: v for key, v in {**lines[index], **change}.items() if v is not None}
    data_file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_missing_image_names_file_and_row(recipe_file, run_cli, data_file):
    rows(data_file, (3, {"image": "gone.png"}))
    said = message(run_cli, "check", recipe_file())
    assert "rows.jsonl line 4" in said and "gone.png" in said


def test_a_broken_image_names_file_and_row(recipe_file, run_cli, data_file, tmp_path):
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    said = message(run_cli, "check", recipe_file())
    assert "rows.jsonl line 3" in said and "broken image" in said


def test_a_missing_column_names_it(recipe_file, run_cli, data_file):
    text = data_file.read_text().replace('"answer"', '"verdict"')
    data_file.write_text(text)
    said = message(run_cli, "check", recipe_file())
    assert "answer" in said and "verdict" in said


def test_an_empty_dataset(recipe_file, run_cli, data_file):
    data_file.write_text("")
    assert "no rows" in message(run_cli, "check", recipe_file())


def test_fewer_rows_than_prompts_of_a_step(recipe_file, run_cli):
    said = message(run_cli, "check", recipe_file(), "--data.limit", "1")
    assert "1 rows" in said and "2 prompts" in said


def test_evaluation_data_is_looked_at_before_training(recipe_file, run_cli, tmp_path):
    words = ("--output-dir", str(tmp_path / "out"), "--evaluation.source", "nowhere.parquet")
    assert "nowhere.parquet" in message(run_cli, "train", recipe_file(), *words)


def test_an_unknown_recipe_names_the_nearest(run_cli):
    assert "did you mean 'playground'?" in message(run_cli, "train", "playgruond")


def test_a_recipe_file_that_is_not_there(run_cli):
    assert "my.yaml: there is no such file" in message(run_cli, "train", "my.yaml")


def test_yaml_that_cannot_be_read(run_cli, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("method: [grpo\n")
    assert "not valid YAML" in message(run_cli, "train", str(path))


def test_a_key_given_twice_names_the_line(run_cli, tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("method: grpo\nmethod: rloo\n")
    said = message(run_cli, "train", str(path))
    assert "line 2" in said and "'method'" in said


def test_an_override_without_a_value(run_cli):
    assert "--training.seed: a value is missing" in message(
        run_cli, "train", "playground", "--training.seed"
    )


def test_a_model_folder_that_is_not_there(recipe_file, run_cli):
    said = message(run_cli, "check", recipe_file(), "--model", "./no/such/folder")
    assert "model.path" in said and "./no/such/folder" in said


def test_an_unknown_lora_argument(recipe_file, run_cli):
    pytest.importorskip("peft", reason="LoRA needs the extra 'peft'")
    said = message(run_cli, "check", recipe_file(), "--model.lora.rank", "8")
    assert "model.lora.rank" in said
