"""Name and knobs: from a recipe's layers, the command line and Python to one form, and back."""

import pytest
import yaml

from noisygrpo.errors import UserError
from noisygrpo.own.choice import is_own, joined, read_choice, spread
from noisygrpo.recipes.recipe import dump_recipe, load_recipe, parse_recipe
from noisygrpo.recipes.settings import check_settings

NAMES = {"noise_kind": "gaussian", "view_plan": "grid", "advantage": "bayesian"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a file of functions; returns a function that loads a recipe."""
    (tmp_path / "mine.py").write_text("def f(rewards, alpha=0.1):\n    return rewards\n")
    (tmp_path / "evil.py").write_text("raise AssertionError('was run')\n")
    monkeypatch.chdir(tmp_path)

    def loaded(training, *words):
        document = {"model": "m", "method": "noisygrpo", "data": "rows.jsonl", "rewards": []}
        layers = [training] if isinstance(training, dict) else training
        for number, layer in enumerate(layers):
            base = {"base": f"{number - 1}.yaml"} if number else document
            (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump({**base, "training": layer}))
        words = [(f"training.{name}", value) for name, value in words]
        return load_recipe(f"{len(layers) - 1}.yaml", words)

    return loaded


BY_ALPHA = {"advantage": "mine.py:f", "knobs": {"advantage": {"alpha": 0.2}}}


@pytest.mark.parametrize(
    ("layers", "words", "expected"),
    [
        # published: a knob that has a field is that field
        ({"advantage": {"name": "bayesian", "alpha": 0.1}}, [],
         {"advantage": "bayesian", "bayes_alpha": 0.1}),
        ({"advantage": {"alpha": 0.1, "r": 0.3, "constant_groups": "zero"}}, [],
         {"bayes_alpha": 0.1, "bayes_r": 0.3, "constant_groups": "zero"}),
        ({}, [("advantage.alpha", "0.1")], {"bayes_alpha": 0.1}),
        ({"bayes_alpha": 0.5}, [("advantage.alpha", "0.1")], {"bayes_alpha": 0.1}),
        ({"advantage": {"alpha": 0.1}}, [("bayes_alpha", "0.5")], {"bayes_alpha": 0.5}),
        ({"advantage": {"name": "bayesian", "eps": 0.1}}, [],
         {"advantage": "bayesian", "knobs": {"advantage": {"eps": 0.1}}}),
        ({"view_plan": {"name": "split", "levels": [0.5], "clean": 2}}, [],
         {"view_plan": "split", "noise_levels": [0.5], "clean_rollouts": 2}),
        # a user's own
        ({"advantage": "mine.py:f"}, [], {"advantage": "mine.py:f"}),
        ({"advantage": "mine.py:f"}, [("advantage.alpha", "0.2")], BY_ALPHA),
        ({"advantage": {"name": "mine.py:f", "alpha": 0.1}}, [("advantage.alpha", "0.2")],
         BY_ALPHA),
        ({}, [("advantage", "mine.py:f"), ("advantage.alpha", "0.2")], BY_ALPHA),
        ({}, [("advantage", "{name: mine.py:f, alpha: 0.2}")], BY_ALPHA),
        ({}, [("advantage", "{name: mine.py:f, alpha: 0.3}"), ("advantage.alpha", "0.2")],
         BY_ALPHA),
        # the same function keeps its knobs, another takes none over
        ([{"advantage": {"name": "mine.py:f", "alpha": 0.2}}, {"advantage": "mine.py:f"}], [],
         BY_ALPHA),
        ({"advantage": {"name": "mine.py:f", "alpha": 0.2}}, [("advantage", "rloo")],
         {"advantage": "rloo"}),
        ({"advantage": {"name": "mine.py:f", "alpha": 0.2}}, [("advantage.name", "mine.py:g")],
         {"advantage": "mine.py:g"}),
        ({"advantage": "bayesian", "bayes_alpha": 0.5}, [("advantage", "mine.py:f")],
         {"advantage": "mine.py:f"}),
        ({"noise_levels": [0.0, 0.3]}, [("view_plan", "mine.py:f")], {"view_plan": "mine.py:f"}),
        ({"noise_levels": [0.0, 0.3]}, [("view_plan", "grid")],
         {"view_plan": "grid", "noise_levels": [0.0, 0.3]}),
        ([{"noise_kind": {"name": "mixup", "folder": "a"}}, {"seed": 1}, {"noise_kind": "jpeg"}],
         [], {"seed": 1, "noise_kind": "jpeg"}),
        ([{"noise_kind": {"name": "mine.py:f", "a": 1}}, {"noise_kind": {"b": 2}}], [],
         {"noise_kind": "mine.py:f", "knobs": {"noise_kind": {"a": 1, "b": 2}}}),
    ],
)  # fmt: skip
def test_layers_and_overrides(here, layers, words, expected):
    recipe = here(layers, *words)
    assert recipe.training == expected
    again = parse_recipe(yaml.safe_load(dump_recipe(recipe)), recipe.name)
    assert again == recipe


def test_the_recipe_that_is_written_has_knobs_beside_their_name(here):
    training = {"advantage": {"name": "mine.py:f", "alpha": 0.2}, "seed": 3}
    assert yaml.safe_load(dump_recipe(here(training)))["training"] == training
    assert joined({"knobs": {"advantage": {"eps": 1}}}) == {"advantage": {"eps": 1}}


def test_another_method_takes_nothing_over(here):
    training = {"advantage": {"name": "mine.py:f", "alpha": 0.2}, "seed": 3}
    assert here(training).training["knobs"]
    assert load_recipe("0.yaml", [("method", "grpo")]).training == {"seed": 3}


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"advantage": {"name": 3}}, "training.advantage: {'name': 3} has no function's name"),
        ({"advantage": {"name": "bayesian", "alpha": 0.1}, "bayes_alpha": 0.2},
         "training.advantage: its alpha 0.1 is the field bayes_alpha, which is 0.2"),
        ({"advantage": ["mine.py:f"]}, "training.advantage: ['mine.py:f'] is not a mapping or"),
        ({"knobs": {"advantages": {}}}, "knobs: 'advantages' is not one of noise_kind"),
        ({"advantage": "gone.py:f"}, "advantage: file 'gone.py' of 'gone.py:f' not found"),
        ({"advantage": "bayesan"}, "or path.py:function; did you mean 'bayesian'"),
        ({"view_plan": "clean", "advantage": "grpo", "noise_kind": {"folder": "x"}},
         "noise_kind: its knobs {'folder': 'x'} have no effect where every rollout sees"),
        ({"view_plan": "clean", "advantage": "grpo", "noise_kind": "evil.py:f"},
         "training.noise_kind: 'evil.py:f' has no effect with view_plan 'clean'"),
    ],
)  # fmt: skip
def test_what_is_refused_before_a_file_is_run(here, training, message):
    with pytest.raises(UserError) as caught:
        recipe = here(training)
        check_settings(recipe.method, recipe.training, [{"name": "accuracy"}])
    assert message in str(caught.value)


def test_a_recipe_is_checked_without_running_the_file(here):
    recipe = here({"advantage": "evil.py:f", "noise_kind": "evil.py:g", "view_plan": "evil.py:h"})
    check_settings(recipe.method, recipe.training, [{"name": "accuracy"}])


def test_what_is_ones_own():
    assert not is_own("advantage", "bayesian") and not is_own("advantage", None)
    assert is_own("advantage", "mine.py:f") and is_own("noise_kind", "bayesian")


def test_the_command_lines_form():
    assert read_choice("noise_kind", "mine.py:f") == ("mine.py:f", {})
    assert read_choice("noise_kind", "{name: f.py:g, a: 1}") == ("f.py:g", {"a": 1})
    for text in ("{a: 1}", "{name: 3}", "{"):
        with pytest.raises(UserError, match="noise_kind"):
            read_choice("noise_kind", text)


def test_spread_leaves_what_it_was_given():
    given = {"advantage": {"name": "f.py:g", "a": 1}, "knobs": {"noise_kind": {"b": 2}}}
    found = spread(given, NAMES)
    assert found["knobs"] == {"noise_kind": {"b": 2}, "advantage": {"a": 1}}
    assert given["knobs"] == {"noise_kind": {"b": 2}} and given["advantage"]["a"] == 1
