"""Files as other tools publish them, written by hand: from the raw file to the trainer's rows.

Layouts: ms-swift's *Custom Dataset*; LLaMA-Factory's ``data/README.md``; VLM-R1's *For your own
data*; LLaVA's ``Finetune_Custom_Data.md``; EasyR1's ``verl/utils/dataset.py``; verl's
``examples/data_preprocess/geo3k.py``; TRL's *Dataset formats*; the datasets library's
*ImageFolder*.
"""

import base64
import decimal
import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.data.files import STRUCT, png, write_jsonl

from noisygrpo.data import DataSpec, load
from noisygrpo.errors import UserError

TASK = "Find x."


def values(row: dict) -> list[int]:
    """Grey values of a row's images, which are files/bytes of one value each."""
    return [int(np.asarray(image)[0, 0, 0]) for image in row["images"]]


def read(source, **spec):
    return load(DataSpec(str(source), **{"prompt": "plain", **spec}))


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def text(value: str) -> dict:
    return {"type": "text", "text": value}


IMAGE = {"type": "image"}
BETWEEN = [text("Compare "), IMAGE, text(" with "), IMAGE, text(": which has more?")]


def ms_swift(folder: Path) -> Path:
    rows = [
        {
            "messages": [
                {"role": "system", "content": "You are helpful."},
                user("Compare <image> with <image>: which has more?"),
            ],
            "images": ["images/0.png", "images/1.png"],
            "solution": "the first",
        },
        {
            "messages": [
                user("<image>" + TASK),
                {"role": "assistant", "content": "x is 4"},
            ],
            "images": ["images/2.png"],
            "solution": "4",
        },
    ]
    return Path(write_jsonl(folder, rows))


def test_ms_swift(folder) -> None:
    loaded = read(ms_swift(folder))
    first, second = loaded.data
    assert first["prompt"] == [
        {"role": "system", "content": [text("You are helpful.")]},
        {"role": "user", "content": BETWEEN},
    ]
    assert second["prompt"] == [user(TASK)]
    assert [values(first), values(second)] == [[0, 1], [2]]
    assert loaded.data["answer"][:] == loaded.data["solution"][:] == ["the first", "4"]
    assert first["question"] == "Compare <image> with <image>: which has more?"
    assert loaded.report[0] == (
        "layout messages (detected; data.format sets it): answer <- solution"
    )
    assert "2 of 2 rows have images, 1 of them several (up to 2)" in loaded.report
    assert any(line.startswith("in 1 rows a picture stands within") for line in loaded.report)


def test_ms_swift_reply_query_and_sharegpt(folder) -> None:
    rows = [{"messages": [user("1 + 1?"), {"role": "assistant", "content": "2"}]}]
    data = read(write_jsonl(folder, rows), format="ms-swift").data
    assert (data[0]["prompt"], data[0]["answer"]) == ([user("1 + 1?")], "2")
    rows = [
        {
            "system": "Be brief.",
            "query": "<image>And now?",
            "response": "5",
            "history": [["Before?", "3"]],
            "images": ["images/1.png"],
        }
    ]
    row = read(write_jsonl(folder, rows)).data[0]
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user", "assistant", "user"]
    assert row["prompt"][3]["content"] == [IMAGE, text("And now?")]
    assert (row["answer"], values(row)) == ("5", [1])
    rows = [{"system": "S", "conversation": [{"human": "a?", "assistant": "b"}]}]
    row = read(write_jsonl(folder, rows)).data[0]
    assert row["prompt"] == [{"role": "system", "content": "S"}, user("a?")]
    assert row["answer"] == "b"


def test_llama_factory(folder) -> None:
    rows = [
        {
            "messages": [
                {"content": "<image>Who are they?", "role": "user"},
                {"content": "Two players.", "role": "assistant"},
                {"content": "What are they doing?", "role": "user"},
                {"content": "Celebrating.", "role": "assistant"},
            ],
            "images": ["images/0.png"],
        }
    ]
    row = read(write(folder / "mllm_demo.json", json.dumps(rows)), format="llama-factory").data[0]
    assert row["prompt"] == [
        user("Who are they?"),
        {"role": "assistant", "content": "Two players."},
        user("What are they doing?"),
    ]
    assert (row["answer"], row["question"]) == ("Celebrating.", "What are they doing?")
    alpaca = [
        {
            "instruction": "<image>Describe the picture.",
            "input": "In one word.",
            "output": "grey",
            "images": ["images/1.png"],
        }
    ]
    loaded = read(write(folder / "alpaca.json", json.dumps(alpaca)))
    row = loaded.data[0]
    assert loaded.report[0].startswith("layout alpaca")
    assert row["prompt"] == [user("Describe the picture.\nIn one word.")]
    assert (row["answer"], values(row)) == ("grey", [1])


def test_llava_and_sharegpt(folder) -> None:
    rows = [
        {
            "id": "000000033471",
            "image": "1.png",
            "conversations": [
                {"from": "human", "value": "<image>\nWhat colour is the bus?"},
                {"from": "gpt", "value": "White and red."},
                {"from": "human", "value": "What is at its back?"},
                {"from": "gpt", "value": "An advertisement."},
            ],
        },
        {
            "id": "text",
            "conversations": [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}],
        },
    ]
    path = write(folder / "llava.json", json.dumps(rows))
    loaded = read(path, image_root=str(folder / "images"), columns={"id": "id"})
    first, second = loaded.data
    assert first["prompt"][0] == user("What colour is the bus?")
    assert first["prompt"][2] == user("What is at its back?")
    assert (first["answer"], first["example_id"], values(first)) == (
        "An advertisement.",
        "000000033471",
        [1],
    )
    assert (second["prompt"], values(second)) == ([user("2 + 2?")], [])
    assert "1 of 2 rows have images" in loaded.report


def test_vlm_r1(folder) -> None:
    rows = [
        {
            "id": 1,
            "image": "images/0.png",
            "conversations": [
                {"from": "human", "value": "<image>How many purple balls are there?"},
                {"from": "gpt", "value": "0"},
            ],
        },
        {
            "id": 2,
            "image": ["images/0.png", "images/1.png"],
            "conversations": [
                {"from": "human", "value": "<image><image>How many in total?"},
                {"from": "gpt", "value": "3"},
            ],
        },
    ]
    data = read(write_jsonl(folder, rows), format="vlm-r1").data
    assert [row["prompt"][0]["content"] for row in data] == [
        "How many purple balls are there?",
        "How many in total?",
    ]
    assert [values(row) for row in data] == [[0], [0, 1]]
    assert (data["answer"][:], data["id"][:]) == (["0", "3"], [1, 2])
    boxes = [{"image": "images/0.png", "problem": "Where is it?", "solution": [1, 2, 30, 40]}]
    assert read(write_jsonl(folder, boxes), format="vlm-r1").data[0]["answer"] == [1, 2, 30, 40]


def test_trl_turns_with_image_parts(folder) -> None:
    rows = [
        {
            "prompt": [
                {"role": "system", "content": "Think."},
                {"role": "user", "content": [text("Left "), IMAGE, text(" or right "), IMAGE]},
            ],
            "images": ["images/0.png", "images/2.png"],
            "solution": "left",
        },
        {
            "prompt": [{"role": "user", "content": [IMAGE, text(TASK)]}],
            "images": ["images/1.png"],
            "solution": "4",
        },
    ]
    loaded = load(DataSpec(write_jsonl(folder, rows)))  # no template: the turns stay as they are
    first, second = loaded.data
    assert first["prompt"][1]["content"] == [text("Left "), IMAGE, text(" or right "), IMAGE]
    assert second["prompt"] == [user(TASK)]
    assert [values(row) for row in loaded.data] == [[0, 2], [1]]
    assert loaded.report[0].endswith("answer <- solution")
    assert not any("data.prompt" in line for line in loaded.report)


def test_trl_parquet_with_null_keys_of_parts(tmp_path) -> None:
    """Arrow gives every part every key; TRL's own sets are stored so, with one ``image``."""
    content = [{"type": "image", "text": None}, {"type": "text", "text": TASK}]
    table = pa.table(
        {
            "prompt": [[{"role": "user", "content": content}]] * 2,
            "image": pa.array([{"bytes": png(7), "path": None}] * 2, STRUCT),
            "solution": ["1", "2"],
        }
    )
    pq.write_table(table, tmp_path / "trl.parquet")
    data = read(tmp_path / "trl.parquet", format="trl").data
    assert [row["prompt"] for row in data] == [[user(TASK)]] * 2
    assert [values(row) for row in data] == [[7], [7]]


def test_verl_parquet(tmp_path) -> None:
    rows = {
        "data_source": ["hiyouga/geometry3k"],
        "prompt": [[{"content": f"<image>{TASK} Put it in \\boxed{{}}.", "role": "user"}]],
        "images": pa.array([[{"bytes": png(3), "path": None}]], pa.list_(STRUCT)),
        "ability": ["math"],
        "reward_model": [{"ground_truth": "48", "style": "rule"}],
        "extra_info": [{"index": 0, "split": "train"}],
    }
    pq.write_table(pa.table(rows), tmp_path / "train.parquet")
    row = load(DataSpec(str(tmp_path / "train.parquet"))).data[0]
    assert row["prompt"] == [user(f"{TASK} Put it in \\boxed{{}}.")]
    assert (row["answer"], row["ability"], values(row)) == ("48", "math", [3])
    assert row["reward_model"] == {"ground_truth": "48", "style": "rule"}


@pytest.mark.parametrize("format", ["", "easyr1", "geometry3k"])
def test_easyr1_and_geometry3k_parquet(tmp_path, format) -> None:
    features = datasets.Features(
        {
            "images": datasets.List(datasets.Image()),
            "problem": datasets.Value("string"),
            "answer": datasets.Value("string"),
        }
    )
    rows = {
        "images": [[Image.new("L", (9, 9), 3)], [Image.new("L", (9, 9), 4)]],
        "problem": ["<image>Find x.", "In the figure <image>, find the area."],
        "answer": ["2 \\sqrt { 221 }", "48"],
    }
    path = tmp_path / "train-00000-of-00001.parquet"
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(path))
    data = read(path, format=format).data
    assert data[0]["prompt"] == [user(TASK)]
    assert data[1]["prompt"][0]["content"] == [
        text("In the figure "),
        IMAGE,
        text(", find the area."),
    ]
    assert data["answer"][:] == ["2 \\sqrt { 221 }", "48"]
    assert [values(row) for row in data] == [[3], [4]]
    assert data["problem"][1] == "In the figure <image>, find the area."


def test_csv_and_tsv(folder) -> None:
    path = write(
        folder / "rows.csv",
        "\ufeffimage,question,answer,level\n"
        'images/0.png,"How many, in\nall?",007,easy\n'
        ",What is 1.0?,1.0,\n"
        '"[""images/1.png"", ""images/2.png""]",Same?,no,hard\n',
    )
    loaded = read(path)
    assert loaded.data["question"][:] == ["How many, in\nall?", "What is 1.0?", "Same?"]
    assert loaded.data["answer"][:] == ["007", "1.0", "no"]
    assert [values(row) for row in loaded.data] == [[0], [], [1, 2]]
    assert loaded.data["level"][:] == ["easy", None, "hard"]
    assert [loaded.where(n) for n in range(3)] == [f"rows.csv line {n}" for n in (2, 4, 5)]
    picture = base64.b64encode(png(9)).decode()
    path = write(folder / "rows.tsv", f"index\timage\tquestion\tanswer\n1\t{picture}\tq, r?\tA\n")
    row = read(path).data[0]
    assert (row["question"], row["index"], values(row)) == ("q, r?", "1", [9])


def test_saved_data_set_and_image_folder(tmp_path) -> None:
    made = datasets.Dataset.from_dict(
        {"image": [Image.new("L", (4, 4), 9)], "problem": ["<image>\nq"], "solution": [2.5]},
        features=datasets.Features(
            {
                "image": datasets.Image(),
                "problem": datasets.Value("string"),
                "solution": datasets.Value("float64"),
            }
        ),
    )
    made.save_to_disk(str(tmp_path / "saved"))
    row = read(tmp_path / "saved").data[0]
    assert (row["prompt"], row["answer"], values(row)) == ([user("q")], 2.5, [9])
    folder = tmp_path / "pictures"
    (folder / "train").mkdir(parents=True)
    for value in (0, 1):
        (folder / "train" / f"{value}.png").write_bytes(png(value))
    write_jsonl(
        folder / "train",
        [{"file_name": f"{n}.png", "question": f"q{n}", "answer": f"a{n}"} for n in (0, 1)],
        "metadata.jsonl",
    )
    data = read(folder).data
    assert sorted((row["question"], row["answer"], *values(row)) for row in data) == [
        ("q0", "a0", 0),
        ("q1", "a1", 1),
    ]
    straight = read(folder / "train" / "metadata.jsonl").data
    assert [values(row) for row in straight] == [[0], [1]]


def test_image_folder_of_classes_says_what_is_missing(tmp_path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "0.png").write_bytes(png())
    with pytest.raises(UserError, match=r"no column for the question.*metadata\.jsonl"):
        read(tmp_path)
    adapter = write(
        tmp_path / "mine.py",
        "def animals(row):\n"
        "    return {'question': 'Which animal?', 'answer': row['label'], 'split': 1}\n",
    )
    data = read(tmp_path, adapter=f"{adapter}:animals").data
    assert sorted(data["answer"][:]) == ["cat", "dog"]  # names, not numbers of classes
    assert all(len(row["images"]) == 1 and row["split"] == 1 for row in data)


DATA_URI = "data:image/png;base64," + base64.b64encode(png(5)).decode()


@pytest.mark.parametrize(
    "cell",
    [
        "images/5.png",
        DATA_URI,
        DATA_URI.partition(",")[2],
        DATA_URI.partition(",")[2].rstrip("="),
        {"path": "images/5.png"},
        {"bytes": DATA_URI.partition(",")[2], "path": None},
        {"bytes": None, "path": "images/5.png"},
        {"image_url": DATA_URI},
        {"image_url": {"url": DATA_URI, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "images/5.png"}},
        {"url": "images/5.png"},
        {"type": "image", "image": "images/5.png"},
        ["images/5.png"],
        [{"image": "images/5.png"}, None],
    ],
)
def test_image_cells_of_json(folder, cell) -> None:
    (folder / "images" / "5.png").write_bytes(png(5))
    rows = [{"question": "q", "answer": "a", "image": cell}]
    assert values(read(write_jsonl(folder, rows)).data[0]) == [5]


@pytest.mark.parametrize(
    "kind",
    [
        pa.binary(),
        pa.large_binary(),
        pa.list_(pa.binary()),
        pa.large_list(pa.large_binary()),
        pa.list_(pa.binary(), 1),
        STRUCT,
        pa.list_(STRUCT),
        pa.large_list(pa.struct({"bytes": pa.large_binary(), "path": pa.large_string()})),
        pa.struct({"path": pa.string(), "bytes": pa.binary()}),
        pa.struct({"bytes": pa.binary()}),
        pa.string(),
        pa.large_string(),
        pa.list_(pa.large_string()),
        pa.struct({"image_url": pa.string()}),
    ],
    ids=str,
)
def test_image_cells_of_arrow(folder, kind) -> None:
    def cell(value: int, kind: pa.DataType):
        if pa.types.is_struct(kind):
            names = [field.name for field in kind]
            return {n: cell(value, kind.field(n).type) if n != "path" else None for n in names}
        if hasattr(kind, "value_type"):
            return [cell(value, kind.value_type)]
        return png(value) if "binary" in str(kind) else f"images/{value}.png"

    cells = [cell(0, kind), None, cell(2, kind)]
    table = pa.table(
        {"question": ["a", "b", "c"], "answer": ["x"] * 3, "image": pa.array(cells, kind)}
    )
    pq.write_table(table, folder / "rows.parquet", row_group_size=2)
    data = read(folder / "rows.parquet").data
    assert [values(row) for row in data] == [[0], [], [2]]


def test_turns_and_images_as_json_text(folder) -> None:
    """csv has no lists, and many parquet files keep theirs as text."""
    turns = json.dumps([user("<image>" + TASK), {"role": "assistant", "content": "4"}])
    table = {"messages": [turns], "images": ['["images/2.png"]']}
    pq.write_table(pa.table(table), folder / "a.parquet")
    quoted = turns.replace('"', '""')
    path = write(folder / "a.csv", f'messages;images\n"{quoted}";images/2.png\n')
    for source in (path, folder / "a.parquet"):
        loaded = read(source)
        assert loaded.data[0]["prompt"] == [user(TASK)]
        assert (loaded.data[0]["answer"], values(loaded.data[0])) == ("4", [2])


def test_arrow_views_decimals_and_categories(folder) -> None:
    table = {
        "question": pa.array(["a", "b"], pa.string_view()),
        "answer": pa.array([decimal.Decimal("3.00"), decimal.Decimal("2.50")]),
        "image": pa.array([png(1), None], pa.binary_view()),
        "level": pa.array(["easy", "hard"]).dictionary_encode(),
        "note": pa.array(["x", None], pa.string_view()),
    }
    pq.write_table(pa.table(table), folder / "a.parquet")
    data = read(folder / "a.parquet").data
    assert data["answer"][:] == [3, 2.5]
    assert [values(row) for row in data] == [[1], []]
    assert (data["level"][:], data["note"][:]) == (["easy", "hard"], ["x", None])


def _paired(tmp_path, **columns):
    rows = [
        {"question": f"q{n}", "answer": "1", "pair": pair, "twin": "t"}
        for n, pair in enumerate(("a", "a", None, ""))
    ]
    columns |= {"image": None}
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(DataSpec(source=str(path), columns=columns)).data


def test_pairs_are_a_column_and_the_cluster_where_none_is_named(tmp_path):
    found = _paired(tmp_path)
    assert found["pair"] == ["a", "a", "", ""]
    assert found["cluster"] == ["a", "a", "rows-2", "rows-3"]
    named = _paired(tmp_path, pair="twin", id="question")
    assert (named["pair"], named["cluster"]) == (["t"] * 4, ["t"] * 4)
    alone = _paired(tmp_path, pair=None)
    assert "pair" not in alone.column_names
    assert alone["cluster"] == ["rows-0", "rows-1", "rows-2", "rows-3"]


def test_a_pair_that_is_no_text_names_its_row_and_the_way_out(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "q", "answer": "1", "pair": ["a", "b"]}) + "\n")
    with pytest.raises(UserError, match=r"line 1: .*'pair' is \['a', 'b'\].*pair: null leaves it"):
        load(DataSpec(source=str(path), columns={"image": None}))
    spec = DataSpec(source=str(path), columns={"image": None, "pair": None})
    assert "pair" not in load(spec).data.column_names


def test_a_pair_is_held_out_whole(tmp_path):
    rows = [
        {"question": f"q{n}", "answer": "1", "id": str(n), "pair": f"p{n // 2}"} for n in range(80)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"image": None, "id": "id"}
    data = load(DataSpec(source=str(path), columns=columns, holdout=0.3)).data
    kept = list(data["pair"])
    assert 10 < len(kept) < 80
    assert all(kept.count(pair) == 2 for pair in kept)
