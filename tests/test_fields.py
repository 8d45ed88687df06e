"""`fields.json` says what the classes say."""

import pytest

from noisygrpo import fields
from noisygrpo.errors import UserError
from noisygrpo.schema import checked, describe
from noisygrpo.training import idle, packages, ranges, settings


def test_the_file_is_up_to_date():
    pytest.importorskip("peft", reason="the file describes LoRA's fields too")
    from fields import text

    written = (fields.resources.files("noisygrpo") / fields.PATH).read_text(encoding="utf-8")
    assert written == text(), "run `make fields`"


def test_every_field_that_the_tables_name_is_one():
    known = set(fields.defaults("training")) | {"method"}
    named = {*ranges.RANGES, *ranges.NAMES, *ranges.SHAPES, *fields.choices()}
    named |= {*settings.OF_A_METHOD, *settings.DEFAULTS}
    for rule in idle.RULES:
        named |= {*rule.names, *rule.switches}
    assert not named - known


def test_every_number_of_training_has_a_range():
    missing = {
        name
        for name, hint in fields.hints("training").items()
        if {"a number", "a whole number"} & set(describe(hint).split(" or "))
    } - {*ranges.RANGES, *ranges.SHAPES}
    assert not missing


def test_every_default_is_in_its_range():
    values = fields.defaults("training")
    ranges.check_ranges(values)
    for name, value in values.items():
        if value is not None:
            checked({name: value}, fields.hints("training"), "training")


def test_every_optimizer_and_tracker_is_known():
    optimizers = fields._document()["fields"]["training"]["optim"]["type"][0]["one of"]
    own = {"adamw_torch", "adamw_torch_fused", "adafactor", "sgd", "adagrad", "rmsprop"}
    assert own == {name for name in optimizers if not name.startswith(tuple(packages.OPTIMIZERS))}
    assert {*packages.TRACKERS, "all", "none"} == set(fields.choices()["report_to"])


def test_other_versions_ask_the_library(monkeypatch):
    from noisygrpo.recipes.recipe import parse_recipe

    recipe = {"method": "grpo", "data": "x.jsonl", "rewards": ["accuracy"]}
    known = {k: v for k, v in fields.hints("training").items() if k != "beta"}
    monkeypatch.setattr(fields, "hints", lambda section: known)
    with pytest.raises(UserError, match=r"training\.beta is not a known field"):
        parse_recipe({**recipe, "data": "x.jsonl", "training": {"beta": 0.1}})
    monkeypatch.setattr(fields, "versions", lambda: {"trl": "0.0"})
    monkeypatch.setattr(
        fields, "hints", lambda section: known if section == "training" else {"source": str}
    )
    assert parse_recipe({**recipe, "training": {"beta": 0.1}}).training == {"beta": 0.1}
