"""`noisygrpo levels` and `noise_levels: measured`, on a tiny random model that cannot look."""

import json

import yaml

from noisygrpo.runs import levels

WORDS = ("--rows", 4, "--levels", 0.5, 1)


def read(path):
    return json.loads(path.read_text())


def test_levels_are_measured_once(run_cli, recipe_file, tmp_path):
    out = tmp_path / "levels"
    words = ("levels", recipe_file(), *WORDS, "--output-dir", out)
    status, printed, error = run_cli(*words)
    assert status == 0, error
    assert "do not depend on the picture" in printed
    found = read(out / "levels.json")
    assert [point["level"] for point in found["points"]] == [0, 0.5, 1]
    assert found["rows"] == 4 and found["noise_kind"] == "gaussian" and found["temperature"] == 1
    assert {*found["blind"]} == {"grey", "no-picture"}
    assert (out / "levels.png").is_file() and "accuracy, %" in (out / "report.txt").read_text()
    (out / "level-1" / "samples.jsonl").unlink()
    (out / "level-1" / "result.json").unlink()
    status, _, error = run_cli(*words)
    assert status == 0 and "level-1: 4/4" in error and "level-0.5: " not in error
    assert read(out / "levels.json") == found
    status, _, error = run_cli(*words, "--training.temperature", 0.5)
    assert status == 2 and "temperature" in error


def test_wrong_options(run_cli, recipe_file):
    recipe = recipe_file()
    for words, said in (
        (("--rows", 1), "--rows: 1"),
        (("--levels", 0.5, 1.5), "--levels: [1.5] is outside [0, 1]"),
        (("--levels", 0, 1), "needed are two above 0"),
        (("--by", "luck"), "--by: 'luck'"),
        (("--training.noise_kind", "fog"), "noise_kind"),
    ):
        status, _, error = run_cli("levels", recipe, *words)
        assert status == 2 and said in error and error.count("\n") == 1, (words, error)


def test_measured_levels_are_trained_on_and_resumed(run_cli, recipe_file, tmp_path, monkeypatch):
    """The measurement of a model that does not look is refused; one that does is written down."""
    recipe, out = recipe_file(), tmp_path / "runs" / "one"
    words = ("train", recipe, "--output-dir", out, "--no-evaluation")
    words += ("--training.noise_levels", "measured", "--training.max_steps", 2)
    words += ("--training.save_strategy", "steps", "--training.save_steps", 1)
    small = levels.LevelsPlan(levels=(0.5, 1.0), rows=4)
    monkeypatch.setattr(levels, "LevelsPlan", lambda: small)
    status, _, error = run_cli(*words)
    assert status == 2 and "noise_levels: 'measured' found no level" in error
    assert not out.exists()

    describe = levels.describe_curve

    def looking(scores, by, own=None):
        found = describe(scores, by, own)
        shares = ((1.0, 0.0), (0.75, 0.2), (0.5, 0.4), (0.25, 0.5))
        return {**found, "grid": [{"left": left, "level": level} for left, level in shares]}

    monkeypatch.setattr(levels, "describe_curve", looking)
    status, printed, error = run_cli(*words)
    assert status == 0, error
    assert "noise_levels: [0.0, 0.2, 0.4, 0.5]" in printed
    written = yaml.safe_load((out / "recipe.yaml").read_text())
    assert written["training"]["noise_levels"] == [0.0, 0.2, 0.4, 0.5]
    assert read(out / "levels.json")["grid"][1]["level"] == 0.2
    lines = (out / "rollouts.jsonl").read_text().splitlines()
    assert {json.loads(line)["noise_level"] for line in lines} == {0.0, 0.2, 0.4, 0.5}

    def nothing(*args):
        raise AssertionError("measured again")

    monkeypatch.setattr(levels, "measure_levels", nothing)
    status, _, error = run_cli(*words, "--resume")
    assert status == 0, error


def test_measured_needs_one_process_and_a_recipe(run_cli, recipe_file, monkeypatch):
    from noisygrpo.errors import UserError
    from noisygrpo.training.config import NoisyGRPOConfig

    monkeypatch.setenv("WORLD_SIZE", "2")
    words = ("train", recipe_file(), "--training.noise_levels", "measured", "--no-evaluation")
    status, _, error = run_cli(*words)
    assert status == 2 and "run `noisygrpo levels`" in error
    monkeypatch.undo()
    try:
        NoisyGRPOConfig(output_dir="x", method="noisygrpo", noise_levels="measured")
    except UserError as error:
        assert "is for `noisygrpo train`" in str(error)
    else:
        raise AssertionError("accepted")
