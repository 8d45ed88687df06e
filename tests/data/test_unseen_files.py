"""Files of other tools that came as a surprise: rows whose right reading was written down first."""

import json
import math

import pytest
from tests.data.files import png

from noisygrpo.data import DataSpec, load
from noisygrpo.errors import UserError

NAN = math.nan
ASK = [{"role": "user", "content": "q"}]


@pytest.fixture
def read(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(png(ord(name)))

    def read_rows(*rows, **spec):
        path = tmp_path / "rows.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return load(DataSpec(str(path), **{"prompt": "plain", **spec}))

    return read_rows


def columns(**more):
    return {"question": "Which is hot?", "image": "a.png", "answer": "fire", **more}


LISTED = "Which is hot?\nA. ice\nB. fire"


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        ({"choices": ["ice", "fire"], "answer": 1}, "B"),
        ({"choices": ["ice", "fire"], "answer": 0}, "A"),
        ({"choices": ["ice", "fire"]}, "fire"),
        ({"options": "['ice', 'fire']", "answer": "B"}, "B"),
        ({"options": '["ice", "fire"]', "answer": 1.0}, "B"),
        ({"choices": {"text": ["ice", "fire"], "label": ["A", "B"]}, "answer": "B"}, "B"),
        ({"A": "ice", "B": "fire", "answer": "B"}, "B"),
        ({"A": "ice", "B": "fire", "C": None, "D": NAN, "answer": "B"}, "B"),
        ({"question": LISTED, "choices": ["ice", "fire"], "answer": 1}, "B"),
    ],
)
def test_options_are_lines_of_the_question(read, more, answer):
    loaded = read(columns(**more))
    assert loaded.data[0]["question"] == LISTED
    assert loaded.data["answer"][:] == [answer]
    assert any("options <- " in line for line in loaded.report)


def test_rows_without_options_are_left_alone(read):
    loaded = read(columns(choices=["ice", "fire"]), columns(choices=[], answer=3))
    assert loaded.data["question"][:] == [LISTED, "Which is hot?"]
    assert loaded.data["answer"][:] == ["fire", 3]
    assert read(columns(choices=["ice", "fire"]), columns={"options": None}).data["question"][
        :
    ] == ["Which is hot?"]
    named = read(columns(which=["ice", "fire"]), columns={"options": "which"})
    assert named.data["question"][:] == [LISTED]
    plain = read(columns(options={"seed": 3}))
    assert plain.data[0]["question"] == "Which is hot?"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"answer": 2}, "column 'answer' is 2, but the row has 2 options, 0 to 1"),
        ({"answer": "1"}, "is the text '1', which is none of the options"),
    ],
)
def test_an_index_that_is_unclear_is_refused(read, more, said):
    with pytest.raises(UserError, match=rf"line 1: .*{said}"):
        read(columns(choices=["ice", "fire"], **more))


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"prompt": ASK, "completion": {"role": "assistant", "content": "3"}}, "3"),
        ({"prompt": ASK, "completion": '[{"role": "assistant", "content": "3"}]'}, "3"),
        ({"prompt": ASK, "completion": 0}, 0),
        ({"prompt": "q", "completion": "3", "label": True, "image": "a.png"}, "3"),
        ({"query": "q", "response": 3}, 3),
        ({"query": "q", "response": [10, 20]}, [10, 20]),
        ({"instruction": "q", "input": "", "output": False}, False),
        ({"problem": "q", "solution": "It is four.", "ground_truth": "4", "image": ""}, "4"),
        ({"prompt": ASK, "solution": "long", "reward_model": {"ground_truth": "4"}}, "4"),
        ({"prompt": ASK, "reward_model": '{"ground_truth": "4"}'}, "4"),
    ],
)
def test_answers_and_their_types(read, row, answer):
    loaded = read(row)
    assert loaded.data["answer"][:] == [answer] and loaded.data["question"][:] == ["q"]
    assert type(loaded.data["answer"][0]) is type(answer)


@pytest.mark.parametrize("completion", [NAN, "  ", [{"role": "assistant", "content": ""}]])
def test_a_completion_that_is_no_answer_is_refused(read, completion):
    with pytest.raises(UserError, match=r"line 1: .*(is no answer|answer is empty)"):
        read({"prompt": ASK, "completion": completion})


def test_a_completion_ends_with_the_assistants_turn(read):
    turns = [{"role": "assistant", "content": "3"}, {"role": "user", "content": "thanks"}]
    with pytest.raises(UserError, match=r"line 1: .*its last turn is not the assistant's"):
        read({"prompt": ASK, "completion": turns})


@pytest.mark.parametrize("answer", [[None], [""]])
def test_a_list_of_nothing_is_no_answer(read, answer):
    with pytest.raises(UserError, match="line 1: the answer is empty"):
        read(columns(answer=answer))


def test_nan_is_a_missing_value(read):
    loaded = read(columns(reasoning=NAN, kind=NAN, pair=NAN), columns(pair=NAN, system=NAN))
    assert loaded.data["reasoning"][:] == ["", ""] and loaded.data["kind"][:] == ["", ""]
    assert len(set(loaded.data["cluster"][:])) == 2
    for name in ("question", "cluster"):
        with pytest.raises(UserError, match=f"line 1: column '{name}' is missing or null"):
            read(columns(**{name: NAN}))
    for more in ({"history": NAN}, {"history": None}, {"history": []}, {"history": "[]"}):
        assert len(read({"query": "q", "response": "3", **more}).data) == 1
    for history in (5, [[None, "hello"]], [["hello"]]):
        with pytest.raises(UserError, match="line 1: column 'history'"):
            read({"query": "q", "response": "3", "history": history})


def test_an_input_of_zero_is_an_input(read):
    assert read({"instruction": "Double it.", "input": 0, "output": "0"}).data[0]["question"] == (
        "Double it.\n0"
    )


def shown(loaded):
    """The pictures of the first row by their grey values, as letters."""
    return "".join(chr(image.convert("L").getpixel((0, 0))) for image in loaded.data[0]["images"])


@pytest.mark.parametrize(
    ("turn", "pictures"),
    [
        ({"content": "q", "images": ["a.png", "b.png"]}, "ab"),
        ({"content": "q", "image": "b.png"}, "b"),
        ({"content": "<image>q", "images": ["b.png"]}, "b"),
        ({"content": [{"text": "q", "image": "a.png"}]}, "a"),
        (
            {"content": [{"type": "image", "image": "b.png"}, {"type": "input_text", "text": "q"}]},
            "b",
        ),
        ({"content": [{"type": "text", "content": "q"}]}, ""),
        ({"content": [{"type": "text", "text": {"value": "q", "annotations": []}}]}, ""),
    ],
)
def test_pictures_and_text_of_a_turn(read, turn, pictures):
    loaded = read({"messages": [{"role": "user", **turn}, {"role": "assistant", "content": "3"}]})
    assert loaded.data[0]["question"].replace("<image>", "") == "q"
    assert shown(loaded) == pictures


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<img>a.png</img>How many?", "<img>a.png</img>, another tool's picture"),
        ("<|image_1|>How many?", "another tool's picture"),
        ("<ImageHere>How many?", "<ImageHere>, another tool's picture"),
        ([{"type": "image", "file": "b.png"}, "How many?"], "has its picture in 'file'"),
        ([{"type": "text", "text": None}], "of a turn has no text"),
    ],
)
def test_what_would_be_lost_is_refused(read, content, said):
    row = {"messages": [{"role": "user", "content": content}], "answer": "3"}
    with pytest.raises(UserError, match="line 1: ") as caught:
        read({**row, "images": ["a.png"]})
    assert said in str(caught.value)


def test_a_turns_pictures_fit_its_text(read):
    turn = {"role": "user", "content": "<image> or <image>?", "images": ["a.png"]}
    with pytest.raises(UserError, match="a turn has 1 in 'images' and 2 images in its text"):
        read({"messages": [turn], "answer": "3"})


def test_a_column_that_is_called_like_a_picture(read):
    row = {"messages": ASK, "answer": "3", "img_path": "a.png"}
    with pytest.raises(UserError, match=r"no row has a picture, but the column \['img_path'\]"):
        read(row)
    assert shown(read(row, columns={"image": "img_path"})) == "a"
    assert shown(read(row, columns={"image": None})) == ""


def test_a_system_column_counts_in_every_layout(read):
    system = {"role": "system", "content": "Be brief."}
    for row in (columns(), {"messages": ASK, "answer": "3"}, {"query": "q", "response": "3"}):
        assert read({**row, "system": "Be brief."}).data[0]["prompt"][0] == system
    twice = {"messages": [system, *ASK], "answer": "3"}
    assert len(read({**twice, "system": "Be brief."}).data[0]["prompt"]) == 2
    with pytest.raises(UserError, match="a system turn in 'messages' and another in 'system'"):
        read({**twice, "system": "Be long."})
    with pytest.raises(UserError, match="line 1: column 'system' is 3, expected text"):
        read({**columns(), "system": 3})
    left_alone = read({**columns(), "system": 3}, columns={"system": None})
    assert len(left_alone.data[0]["prompt"]) == 1 and left_alone.data["system"][:] == [3]
    named = read({**columns(), "rule": "Be brief."}, columns={"system": "rule"})
    assert named.data[0]["prompt"][0] == system
    for row in (columns(), {"messages": ASK, "answer": "3"}):
        with pytest.raises(UserError, match="no column 'rule'"):
            read(row, columns={"system": "rule"})


def test_a_history_that_is_no_conversation_is_a_column(read):
    assert read(columns(history="Rome")).data["history"][:] == ["Rome"]
    with pytest.raises(UserError, match="line 1: column 'history' has turns"):
        read(columns(history=[["a", "b"]]))


def test_the_report_names_where_answers_are(read):
    for row, label in (
        ({"prompt": ASK, "reward_model": {"ground_truth": "4"}}, "reward_model.ground_truth"),
        ({"prompt": ASK, "completion": "4"}, "completion"),
        ({"messages": [*ASK, {"role": "assistant", "content": "4"}]}, "the last turn"),
    ):
        assert any(f"answer <- {label}" in line for line in read(row).report)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"image": "a.png", "question": "q", "answer": "3"}', "a single row is a list of one"),
        ('{"question": {"0": "q"}, "answer": {"0": "3"}}', "it holds columns, not rows"),
        ('{"question": ["q"], "answer": ["3"]}', "it holds columns, not rows"),
        ('{"images": ["a.png"], "problem": "q", "answer": "4"}', "a single row is a list of one"),
    ],
)
def test_an_object_in_place_of_rows(tmp_path, text, said):
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(UserError, match=said):
        load(DataSpec(str(tmp_path / "rows.json")))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("question\tanswer\timage\nq\t3\ta.png\n", "utf-8"),
        ('question;answer;image;"a, b"\nq;3;a.png;x\n', "utf-8"),
        ("question,answer,image\nq,3,a.png\n", "utf-16"),
    ],
)
def test_csv_as_spreadsheets_write_it(tmp_path, read, text, encoding):
    (tmp_path / "rows.csv").write_text(text, encoding=encoding)
    loaded = load(DataSpec(str(tmp_path / "rows.csv")))
    assert shown(loaded) == "a" and loaded.data[0]["answer"] == "3"
    (tmp_path / "rows.csv").write_text(text, encoding="utf-16-le")
    with pytest.raises(UserError, match=r"rows.csv: not a text file in UTF-8 \(is it UTF-16\?\)"):
        load(DataSpec(str(tmp_path / "rows.csv")))


def test_lists_of_pandas_and_brackets_without_end(tmp_path, read):
    (tmp_path / "rows.csv").write_text("question,answer,images\nq,3,\"['a.png', 'b.png']\"\n")
    assert shown(load(DataSpec(str(tmp_path / "rows.csv")))) == "ab"
    with pytest.raises(UserError, match="no column for the question"):
        read({"messages": "[" * 20_000, "answer": "3"})
