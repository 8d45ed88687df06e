"""Fields that are gone: old recipes load, what is no longer offered is refused."""

import pytest

from noisygrpo.errors import UserError
from noisygrpo.recipes.recipe import load_recipe, parse_recipe

PARTS = {"method": "grpo", "data": "rows.jsonl", "rewards": ["accuracy"]}


def test_what_is_always_so_now_is_left_out_with_a_line(capsys):
    recipe = parse_recipe({**PARTS, "training": {"ban_image_tokens": True, "seed": 1}})
    assert recipe.training == {"seed": 1}
    said = capsys.readouterr().err
    assert "training.ban_image_tokens is no setting any more" in said and said.count("\n") == 1


def test_from_the_command_line_too(capsys):
    recipe = load_recipe("playground", [("training.ban_image_tokens", "true")])
    assert "ban_image_tokens" not in recipe.training
    assert "ban_image_tokens" in capsys.readouterr().err


def test_what_is_offered_no_longer_is_refused():
    with pytest.raises(UserError, match=r"training\.ban_image_tokens: False is not offered: .*ima"):
        parse_recipe({**PARTS, "training": {"ban_image_tokens": False}})
    with pytest.raises(UserError, match=r"ban_image_tokens: 'never' is not offered"):
        load_recipe("playground", [("training.ban_image_tokens", "never")])


def test_the_users_mapping_is_left_alone():
    training = {"ban_image_tokens": True}
    parse_recipe({**PARTS, "training": training})
    assert training == {"ban_image_tokens": True}
