"""``data.adapter: my.py:function``."""

import base64
from pathlib import Path

import numpy as np
import pytest
from tests.data.files import png, rows_of, write_jsonl

from noisygrpo.data import DataSpec, load, user_adapter
from noisygrpo.errors import UserError

CODE = """
import base64

def doubled(row, factor=2):
    if row["answer"] == 1:
        return None
    return {
        "question": row["question"].upper(),
        "answer": row["answer"] * factor,
        "id": f"mine-{row['answer']}",
        "level": [row["answer"], "x"],
    }

def two(row):
    turns = [{"role": "system", "content": "S"}, {"role": "user", "content": "<image> a"}]
    return [
        {"prompt": turns, "answer": "1", "image": row["image"]},
        {"question": "left <image> right <image>", "answer": "2", "images": [row["image"]] * 2},
        {"question": "blind", "answer": "3", "images": None},
    ]

def fails(row):
    return {"question": row["no such column"]}

def lacks(row):
    return {"text": "q"}

def number(row):
    return {"question": 3, "answer": 1}

def wrong(row):
    return "text"

def missing(row):
    return {"question": "q", "answer": float("nan")}

def outside(row):
    return {"question": "q", "answer": 1, "image": "/etc/hostname"}

def leaves(row):
    raise SystemExit(0)

def hangs(row):
    while True:
        pass

def edits(row):
    row["image"] = "gone.png"
    return {"question": row.pop("question"), "answer": row.pop("answer")}

value = 3
"""


@pytest.fixture
def code(folder) -> str:
    (folder / "my.py").write_text(CODE)
    return str(folder / "my.py")


def read(folder: Path, adapter: str, **spec):
    return load(DataSpec(write_jsonl(folder, rows_of()), adapter=adapter, **spec))


def test_a_function_of_the_row(folder, code) -> None:
    loaded = read(folder, f"{code}:doubled", options={"factor": 3})
    assert loaded.data["answer"][:] == [0, 6]
    assert loaded.data["question"][:] == ["Q0", "Q2"]
    assert loaded.data["example_id"][:] == ["mine-0", "mine-2"]
    assert loaded.data["level"][:] == [[0, "x"], [2, "x"]]
    assert [int(np.asarray(row["images"][0])[0, 0, 0]) for row in loaded.data] == [0, 2]
    assert loaded.report[0] == f"read by {code}:doubled"
    assert loaded.where(1) == "train.jsonl line 3"


def test_several_examples_and_images_of_its_own(folder, code) -> None:
    data = read(folder, f"{code}:two", prompt="plain").data
    assert len(data) == 9
    assert data["example_id"][:4] == ["train-0", "train-0-1", "train-0-2", "train-1"]
    assert data[0]["prompt"][1] == {"role": "user", "content": "a"}
    assert [len(row["images"]) for row in data] == [1, 2, 0] * 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fails", r"train\.jsonl line 1: .*my\.py:fails raises KeyError: 'no such column'"),
        ("lacks", r"line 1: .* returned the keys \['text'\]; question and answer are needed"),
        ("number", r"line 1: .* returned question 3, which is not text"),
        ("wrong", r"line 1: .* returned 'text'; expected a mapping"),
        ("leaves", r"line 1: .*my\.py:leaves asks the process to exit: exit\(0\) \(my\.py:\d+\)"),
        ("hangs", r"line 1: .*my\.py:hangs is not done after a row's 0\.2 s \(my\.py:\d+\)"),
        ("missing", r"line 1: column 'answer' is nan"),
        ("outside", r"line 1: image path '/etc/hostname' leads outside"),
        ("nothing", r"data\.adapter: no function 'nothing' in .*\['doubled', 'edits', 'fails'"),
        ("value", r"data\.adapter: no function 'value'"),
    ],
)
def test_mistakes_in_it(folder, code, name, message, monkeypatch) -> None:
    monkeypatch.setattr(user_adapter, "ROW_LIMIT", 0.2 if name == "hangs" else 60.0)
    with pytest.raises(UserError, match=message):
        read(folder, f"{code}:{name}")


def test_what_it_changes_in_the_row_is_its_own(folder, code) -> None:
    data = read(folder, f"{code}:edits").data
    assert data["answer"][:] == [0, 1, 2] and all(row["images"] for row in data)


def test_mistakes_around_it(folder, code) -> None:
    with pytest.raises(
        UserError, match=r"data\.adapter: file 'gone\.py' of 'gone\.py:f' not found"
    ):
        read(folder, "gone.py:f")
    with pytest.raises(UserError, match=r"does not take \(row, \*\*data\.options\).*'colour'"):
        read(folder, f"{code}:doubled", options={"colour": 1})
    with pytest.raises(UserError, match=r"data\.columns: the adapter"):
        read(folder, f"{code}:doubled", columns={"id": "id"})
    Path(code).write_text("import nothing_of_this_name")
    with pytest.raises(UserError, match=r"my\.py raises ModuleNotFoundError"):
        read(folder, f"{code}:doubled")


def test_pictures_and_numbers_of_other_libraries(folder) -> None:
    (folder / "my.py").write_text(
        "import numpy\nfrom PIL import Image\ndef f(row):\n"
        "    return ({'question': 'q', 'answer': numpy.int64(3), 'box': numpy.ones(2),\n"
        "             'image': Image.new('L', (9, 9), 7)},)\n"
    )
    row = read(folder, f"{folder / 'my.py'}:f").data[0]
    assert (row["answer"], row["box"]) == (3, [1.0, 1.0])
    assert row["images"][0].getpixel((0, 0)) == (7, 7, 7)


def test_bytes_of_its_own(folder) -> None:
    picture = base64.b64encode(png(8)).decode()
    (folder / "my.py").write_text(
        f"import base64\ndef f(row):\n    return {{'question': 'q', 'answer': 1, "
        f"'image': base64.b64decode('{picture}')}}\n"
    )
    data = read(folder, f"{folder / 'my.py'}:f").data
    assert int(np.asarray(data[0]["images"][0])[0, 0, 0]) == 8
