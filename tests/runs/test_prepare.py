"""From a recipe to checked parts."""

from noisygrpo.recipes.recipe import load_recipe
from noisygrpo.runs.prepare import load_splits


def test_evaluation_rows_do_not_depend_on_the_seed():
    words = [("evaluation.rows", "3"), ("evaluation.splits", "[test]")]
    first = load_splits(load_recipe("playground", words))["test"]
    other = load_splits(load_recipe("playground", [*words, ("data.seed", "5")]))["test"]
    assert len(first) == 3
    assert list(first["example_id"]) == list(other["example_id"])
