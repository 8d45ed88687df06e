"""Options of multiple choice: they stand in the question, or the row is refused."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.files import png

from noisygrpo.data import DataSpec, load
from noisygrpo.errors import UserError

LISTED = "Which is hot?\nA. ice\nB. fire"


@pytest.fixture
def read(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))

    def read_rows(*rows, **spec):
        path = tmp_path / "rows.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return load(DataSpec(str(path), **{"prompt": "plain", **spec}))

    return read_rows


def asked(**more):
    return {"question": "Which is hot?", "image": "a.png", "answer": "B", **more}


@pytest.mark.parametrize(
    "options",
    [
        {"A": "ice", "B": "fire"},
        {"B": "fire", "A": "ice"},
        {"a": "ice", "b": "fire", "c": None, "d": ""},
        '{"A": "ice", "B": "fire"}',
        "{'A': 'ice', 'B': 'fire'}",
        "['ice' 'fire']",  # as NumPy prints it
        ["A. ice", "B. fire"],
        ["(A) ice", "(B) fire"],
        ["A: ice", "B: fire"],
        ["ice", "fire", None],
        ["ice", "fire", ""],
        "A. ice\nB. fire",
        "A. ice B. fire",
        "(A) ice, (B) fire",
        [{"label": "A", "text": "ice"}, {"label": "B", "text": "fire"}],
        [{"id": "B", "content": "fire"}, {"id": "A", "content": "ice"}],
    ],
    ids=str,
)
def test_options_in_one_column(read, options):
    for name in ("options", "choices"):
        assert read(asked(**{name: options})).data["question"][:] == [LISTED]


@pytest.mark.parametrize(
    "names",
    [
        *("A B", "choice_a choice_b", "option_A option_B", "optionA optionB", "opt_a opt_b"),
        *("option1 option2", "choice_0 choice_1"),
    ],
)
def test_options_in_a_column_each(read, names):
    first, second = names.split()
    loaded = read(asked(**{second: "fire", first: "ice"}))
    assert loaded.data["question"][:] == [LISTED]
    assert any(f"options <- {first} to {second}" in line for line in loaded.report)


@pytest.mark.parametrize(
    ("first", "answer", "letter"),
    [
        *((1, 1, "A"), (1, 2, "B"), (1, "2", "B"), (1, "option1", "A"), (1, "Option2", "B")),
        *((0, 1, "B"), (0, "0", "A"), (1, "A", "A"), (1, "fire", "fire"), (1, 2.0, "B")),
    ],
)
def test_answers_count_as_numbered_columns_do(read, first, answer, letter):
    options = {f"option{first}": "ice", f"option{first + 1}": "fire"}
    data = read(asked(**options) | {"answer": answer}).data
    assert (data[0]["question"], data[0]["answer"]) == (LISTED, letter)


@pytest.mark.parametrize(
    ("texts", "answer", "said"),
    [
        (("ice", "fire"), 3, "is 3, but the row has 2 options in option1 to option2, and a number"),
        (("ice", "fire"), "0", "column 'answer' is '0', but the row has 2 options in option1 to"),
        (("2", "1"), "2", "one of the options ['2', '1'] and also the number of another"),
    ],
)
def test_numbers_that_name_no_column_or_two_options_are_refused(read, texts, answer, said):
    with pytest.raises(UserError) as caught:
        read(asked(option1=texts[0], option2=texts[1]) | {"answer": answer})
    assert said in str(caught.value)


def test_a_single_numbered_column_is_no_choice(read):
    assert read(asked(option1="ice")).data[0]["question"] == "Which is hot?"
    assert read(asked(option2="ice", option3="fire")).data[0]["question"] == "Which is hot?"


def test_options_of_a_struct_in_parquet(tmp_path, read):
    read(asked())
    table = {name: [value] for name, value in asked(options={"A": "ice", "B": "fire"}).items()}
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    loaded = load(DataSpec(str(tmp_path / "rows.parquet")))
    assert loaded.data["question"][:] == [LISTED]


def test_names_with_initials_are_no_letters(read):
    loaded = read(asked(options=["A. Lincoln", "G. Bush"]))
    assert loaded.data[0]["question"] == "Which is hot?\nA. A. Lincoln\nB. G. Bush"


@pytest.mark.parametrize("nothing", [[], "", "[]", None, [None], [""], {"A": None}])
def test_options_are_seen_behind_rows_without_any(read, nothing):
    loaded = read(asked(options=nothing), asked(options=["ice", "fire"]))
    assert loaded.data["question"][:] == ["Which is hot?", LISTED]


@pytest.mark.parametrize(
    "options",
    [
        "ice, fire",
        ["ice"],
        ["ice", None, "fire"],
        [["ice"], ["fire"]],
        [{"image": "a.png"}, {"image": "a.png"}],
        [str(n) for n in range(12)],
        {"A": "ice", "C": "fire"},
        {"1": "ice", "2": "fire"},
    ],
    ids=str,
)
def test_options_that_cannot_be_read_are_refused(read, options):
    good = asked(options=["ice", "fire"])
    for rows in ((asked(options=options), good), (good, asked(options=options))):
        line = rows.index(asked(options=options)) + 1
        with pytest.raises(UserError, match=rf"line {line}: column 'options' is .*expected a list"):
            read(*rows)
    left_alone = read(asked(options=options), columns={"options": None})
    assert left_alone.data["question"][:] == ["Which is hot?"]
    listed = read(asked(question=LISTED, options=options), good)
    assert listed.data["question"][:] == [LISTED, LISTED]


@pytest.mark.parametrize("options", [{"seed": 3}, 3, True])
def test_a_column_of_another_meaning_is_left_alone(read, options):
    loaded = read(asked(options=options))
    assert loaded.data["question"][:] == ["Which is hot?"]
    assert loaded.data["options"][:] == [options]


@pytest.mark.parametrize(
    ("options", "answer", "said"),
    [
        ([1, 2, 3], 2, "is 2, which is one of the options .* and also the place of another"),
        (["ice", "fire"], "D", "is 'D', but the row has 2 options, A to B"),
        ({"A": "ice", "B": "fire"}, "1", "is the text '1', which is none of the options"),
    ],
)
def test_an_answer_that_is_no_option_is_refused(read, options, answer, said):
    with pytest.raises(UserError, match=f"line 1: column 'answer' {said}"):
        read(asked(options=options, answer=answer))


def test_answers_that_say_which_option(read):
    for options, answer, letter in (
        ([0, 1], 1, "B"),
        (["1", "2", "3"], 2, "C"),
        (["1", "2"], "2", "2"),
        (["D", "E"], "D", "D"),
        ([10, 20], 1, "B"),
    ):
        assert read(asked(options=options, answer=answer)).data["answer"][:] == [letter]
