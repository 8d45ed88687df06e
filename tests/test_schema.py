"""Values of a recipe against the types of their fields."""

import typing

import pytest

from noisygrpo.errors import UserError
from noisygrpo.schema import Raw, checked, describe, fits, read_value, read_yaml


def test_yaml_numbers_and_duplicate_keys():
    assert read_yaml("1e-6", "x") == 1e-6
    assert read_yaml("-2E3", "x") == -2000.0
    assert read_yaml("e5", "x") == "e5"
    with pytest.raises(UserError, match=r"f\.yaml, line 3: the key 'a' stands twice"):
        read_yaml("b: 1\na: 1\na: 2\n", "f.yaml")


@pytest.mark.parametrize(
    ("value", "hint", "fit"),
    [
        (1, float, True),
        (True, int, False),
        (True, float, False),
        (1.0, int, False),
        (None, int | None, True),
        ("a", int | str, True),
        ([1, 2.5], list[float], True),
        (["a"], list[float] | None, False),
        ({"a": "b"}, dict[str, str], True),
        ({"a": 1}, dict[str, str], False),
    ],
)
def test_types(value, hint, fit):
    assert fits(value, hint) is fit


def test_values_are_read_as_their_field_wants():
    assert read_value(Raw("3"), str, "f") == "3"
    assert read_value(Raw("3"), int, "f") == 3
    widened = read_value(3, float | None, "f")
    assert widened == 3.0 and type(widened) is float
    assert describe(float | None) == "a number or null"
    with pytest.raises(UserError, match=r"s\.x: 'no' is not a whole number"):
        checked({"x": "no"}, {"x": int}, "s")


def test_an_unquoted_no_is_the_word_where_the_field_has_it():
    choice = typing.Literal["no", "steps"]
    assert read_value(False, choice, "f") == "no" and read_value(Raw("no"), choice, "f") == "no"
    for value, hint in [(True, choice), (False, typing.Literal["off"]), (False, int)]:
        with pytest.raises(UserError, match=f"f: {value} is not"):
            read_value(value, hint, "f")
    assert read_value(False, bool | str, "f") is False
