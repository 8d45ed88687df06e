"""`noisygrpo recipes`."""

import yaml


def test_recipes_are_listed_and_printed(run_cli):
    _, listed, _ = run_cli("recipes")
    assert "playground" in listed and "qwen25vl-3b" in listed
    _, text, _ = run_cli("recipes", "qwen25vl-3b")
    assert yaml.safe_load(text)["method"] == "noisygrpo"
