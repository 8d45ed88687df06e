"""Several answers to one question: which column holds them, in whose form, and what they become."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.files import png

from noisygrpo.data import DataSpec, load
from noisygrpo.errors import UserError
from noisygrpo.rewards.functions import accuracy

BOTH = {"any_of": ["Paris", "paris, france"]}


@pytest.fixture
def read(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))

    def read_rows(*rows, name="rows.jsonl", **spec):
        path = tmp_path / name
        text = "\n".join(map(json.dumps, rows)) if name.endswith("jsonl") else "\n".join(rows)
        path.write_text(text, encoding="utf-8")
        return load(DataSpec(str(path), **{"prompt": "plain", **spec}))

    return read_rows


def row(**more):
    return {"question": "Which city?", "image": "a.png", **more}


@pytest.mark.parametrize(
    ("answers", "target"),
    [
        (["Paris", "paris, france"], BOTH),
        (["Paris"], "Paris"),
        (["Paris"] * 10, "Paris"),
        (["Paris", "", None, "paris, france"], BOTH),
        ([" Paris ", "Paris"], "Paris"),
        ("Paris", "Paris"),
        ('["Paris", "paris, france"]', BOTH),
        ("['Paris', 'paris, france']", BOTH),
        ("['Paris' 'paris, france']", BOTH),  # as NumPy prints it
        ("['Paris'\n 'paris, france']", BOTH),
        ("['x', \"'a' 'b'\"]", {"any_of": ["x", "'a' 'b'"]}),
        ("""['it\\'s' "it's" 'b']""", {"any_of": ["it's", "it's", "b"]}),
        ([{"answer": "Paris", "answer_id": 1}, {"answer": "paris, france", "answer_id": 2}], BOTH),
        ([{"text": "Paris"}, {"text": "paris, france"}], BOTH),
        ({"text": ["Paris", "paris, france"], "answer_start": [1, 2]}, BOTH),
        ({"answer": ["Paris", "paris, france"], "answer_id": [1, 2]}, BOTH),
        ([3, 4], {"any_of": [3, 4]}),
        (["yes"] * 2 + ["no"], {"any_of": ["yes", "yes", "no"]}),
    ],
    ids=str,
)
def test_forms_of_references(read, answers, target):
    data = read(row(answers=answers)).data
    assert data["answer"][0] == target
    assert data["answers"][0] is not None  # for reward functions, as it is


def test_in_parquet(tmp_path):
    table = pa.table(
        {
            "question": ["Which city?"] * 2,
            "image": [png(1)] * 2,
            "answers": [["Paris", "paris, france"], ["Rome"] * 10],
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    assert load(DataSpec(str(tmp_path / "rows.parquet"))).data["answer"][:] == [BOTH, "Rome"]


def test_they_are_told_from_one_answer_of_several_parts(read):
    named = read(row(colors=["red", "blue"]), columns={"answer": "colors"}).data
    assert named["answer"][0] == ["red", "blue"]
    several = read(row(gts=["red", "blue"]), columns={"answers": "gts"}).data
    assert several["answer"][0] == {"any_of": ["red", "blue"]}
    texts = ["<answer>red</answer>"]
    assert accuracy([""], texts, named["answer"][:]) == [0]
    assert accuracy([""], texts, several["answer"][:]) == [1]


def test_a_column_of_one_answer_comes_first(read):
    assert read(row(answer="Rome", answers=["Paris", "x"])).data["answer"][0] == "Rome"


def test_what_was_detected_is_said(read):
    assert "answers (one of them suffices)" in str(read(row(answers=["a", "b"])).report)


@pytest.mark.parametrize(
    "made",
    [
        {"prompt": [{"role": "user", "content": "Which?"}], "answers": ["Paris", "paris, france"]},
        {
            "prompt": [{"role": "user", "content": "Which?"}],
            "reward_model": {"ground_truth": {"target": ["Paris", "paris, france"]}},
        },
    ],
    ids=["trl", "verl"],
)
def test_beside_turns(read, made):
    assert read({"images": ["a.png"], **made}).data["answer"][0] == BOTH


def test_options_are_chosen_among_for_each(read):
    data = read(row(options=["ice", "fire", "sun"], answers=["fire", "sun"])).data
    assert data["question"][0].endswith("A. ice\nB. fire\nC. sun")
    assert data["answer"][0] == {"any_of": ["fire", "sun"]}


def test_in_a_text_file(read):
    lines = ["question,image,answers", "Who?,a.png,\"['Ann' 'Bob']\"", "Who is it?,a.png,Ann"]
    assert read(*lines, name="rows.csv").data["answer"][:] == [{"any_of": ["Ann", "Bob"]}, "Ann"]


@pytest.mark.parametrize("answers", [[], [None], [""], None, "", {"text": []}], ids=str)
def test_rows_without_an_answer_are_refused(read, answers):
    with pytest.raises(UserError, match=r"rows\.jsonl line 2.*'answers'"):
        read(row(answers=["Paris"]), row(answers=answers))


def test_both_columns_cannot_be_named(read):
    with pytest.raises(UserError, match=r"data\.columns: answer names a column of one answer"):
        read(row(a="x", b=["y"]), columns={"answer": "a", "answers": "b"})


def test_adapters_may_give_them(read, tmp_path):
    code = "def two(row):\n    return {'question': 'Q', 'answer': {'any_of': row['g']}}\n"
    (tmp_path / "mine.py").write_text(code)
    adapter = f"{tmp_path / 'mine.py'}:two"
    assert read({"g": ["a", "b"]}, adapter=adapter).data["answer"][0] == {"any_of": ["a", "b"]}
    with pytest.raises(UserError, match="the answer is empty"):
        read({"g": []}, adapter=adapter)
    with pytest.raises(UserError, match="expected a list of answers"):
        read({"g": "a"}, adapter=adapter)
