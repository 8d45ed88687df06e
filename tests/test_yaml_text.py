"""Reading YAML in bounded time: what it stands for is counted before it is built."""

import time

import pytest

from noisygrpo.errors import UserError
from noisygrpo.yaml_text import DEEPEST, MOST_CHARACTERS, MOST_VALUES, dump_yaml, read_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
"""A trillion values in 600 characters."""

WRONG = {
    "aliases of aliases": (LAUGHS, "line 4: stands for more than 10,000 values"),
    "aliases in mappings": (
        "a0: &a0 {x: 1, y: 2, z: 3}\n"
        + "".join(f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}\n" for n in range(1, 30)),
        "stands for more than",
    ),
    "merge keys of merge keys": (
        "a0: &a0 {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9)),
        "stands for more than",
    ),
    "itself": ("training: &t [1, *t]\n", "line 1: the alias \\*t stands for what it is part of"),
    "itself, in a mapping": ("a: &a\n  b: {c: *a}\n", "line 2: the alias \\*a"),
    "deep lists": ("a: " + "[" * 2000 + "]" * 2000, "line 1: nested deeper than 50"),
    "deep mappings": ("{a: " * 500 + "1" + "}" * 500, "nested deeper than 50"),
    "deep lines": (
        "\n".join(" " * n + "a:" for n in range(80)),
        "line 51: nested deeper than 50",
    ),
    "deep aliases": (
        "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n"
        + "".join(f"a{n}: &a{n} [[[[[[[[[[*a{n - 1}]]]]]]]]]]\n" for n in range(1, 9)),
        "nested deeper than 50",
    ),
    "long": ("a: " + "x" * MOST_CHARACTERS, "200,003 characters; at most 200,000"),
    "no such alias": ("a: *b\n", "not valid YAML"),
    "object": ("a: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
    "date that is none": ("a: 2024-99-99\n", "not valid YAML"),
    "number of nothing": ("a: !!int\n", "not valid YAML"),
    "number of a word": ("a: !!int word\n", "not valid YAML"),
    "bytes that are none": ("a: !!binary x\n", "not valid YAML"),
    "long number": ("a: " + "9" * 5000, "not valid YAML"),
    "null character": ("a: \x00", "not valid YAML"),
    "tab": ("a:\n\t- b\n", "not valid YAML"),
    "key of a list": ("? [a, b]\n: c\n", "not text"),
    "key of a mapping": ("{{a: 1}: 2}\n", "not text"),
    "mapping tag on text": ("a: !!map x\n", "not valid YAML|needs a mapping"),
    "merge of a number": ("a: {<<: 5}\n", "not valid YAML"),
    "two documents": ("a: 1\n---\nb: 2\n", "not valid YAML"),
}


@pytest.mark.parametrize("case", WRONG)
def test_is_refused_in_one_line_and_at_once(case):
    text, words = WRONG[case]
    started = time.process_time()
    with pytest.raises(UserError, match=words) as error:
        read_yaml(text, "recipe.yaml")
    assert time.process_time() - started < 2
    message = str(error.value)
    assert message.startswith("recipe.yaml") and "\n" not in message and len(message) < 400


def test_aliases_as_people_use_them():
    text = "a: &levels [0, 0.3]\nb: *levels\nc: &c {x: 1}\nd: {<<: *c, y: 2}\n"
    assert read_yaml(text, "x")["b"] == [0, 0.3]
    assert read_yaml(text, "x")["d"] == {"x": 1, "y": 2}


def test_what_just_fits():
    deep = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert read_yaml(f"a: {deep}", "x")["a"] != []
    wide = "a: [" + "1," * (MOST_VALUES - 3) + "]"
    assert len(read_yaml(wide, "x")["a"]) == MOST_VALUES - 3


def test_time_grows_with_the_text_alone():
    def seconds(rows):
        text = "".join(f"a{n}: {{x: [1, 2, 3], y: text}}\n" for n in range(rows))
        started = time.process_time()
        read_yaml(text, "x")
        return time.process_time() - started

    seconds(100)
    assert seconds(800) < 8 * seconds(200)  # four times as long, and room for a busy machine


@pytest.mark.parametrize(
    "text", ["0E0", "1e-6", "12e3", ".5E+1", "1.5", "true", "null", "a: b", ""]
)
def test_text_that_looks_like_something_else_stays_text(text):
    assert read_yaml(dump_yaml({"path": text}), "again") == {"path": text}


@pytest.mark.parametrize(
    "text", ["\x85", "a\x85b", "\x85\n", "\r", "a\r\nb", "\u2028", "a\u2029", "é \x85"]
)
def test_line_breaks_of_every_kind_are_the_same_after_it_was_written(text):
    written = dump_yaml({"path": text, text: [text]})
    assert read_yaml(written, "again") == {"path": text, text: [text]}
    assert dump_yaml({"path": "é"}) == "path: é\n"
