"""Each adapter on rows of its data set's schema, written here."""

import json
from io import BytesIO
from pathlib import Path

import datasets
import pytest
from PIL import Image

from noisygrpo.data import ADAPTERS, DataSpec, check_example, load_examples
from noisygrpo.errors import UserError
from noisygrpo.rewards import is_correct


def picture(value: int = 0) -> Image.Image:
    return Image.new("RGB", (12, 10), (value, 0, 0))


def png(value: int = 0) -> bytes:
    buffer = BytesIO()
    picture(value).save(buffer, "PNG")
    return buffer.getvalue()


def save_images(folder: Path, *names: str) -> None:
    for value, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(value).save(folder / name)


def load(source: Path, adapter: str, **spec) -> datasets.Dataset:
    data = load_examples(DataSpec(str(source), adapter=adapter, **spec))
    for row in data:
        check_example(row)
    return data


def test_nlvr(tmp_path) -> None:
    rows = {
        "identifier": ["test-7-0-0", "test-7-0-1", "test-7-2-0", "test-8-0-0"],
        "statement": ["There is a box."] * 4,
        "label": ["true", "true", "False", "false"],
        "image": [{"bytes": png(i), "path": None} for i in range(4)],
        "boxes": ["[]", None, "[]", "[]"],
    }
    datasets.Dataset.from_dict(rows).to_parquet(str(tmp_path / "nlvr.parquet"))
    data = load(tmp_path / "nlvr.parquet", "nlvr")
    assert data["cluster"][:] == ["test-7", "test-7", "test-7", "test-8"]
    assert data["example_id"][:] == rows["identifier"]
    assert data["answer"][:] == ["true", "true", "false", "false"]
    assert data[0]["question"].endswith("true or false? There is a box.")
    data = load(tmp_path / "nlvr.parquet", "nlvr", options={"question": "{} True?"})
    assert data[0]["question"] == "There is a box. True?"
    one_image = load(tmp_path / "nlvr.parquet", "nlvr", cluster_pattern=r"^\w+-\d+-\d+")
    assert one_image["cluster"][:] == ["test-7-0", "test-7-0", "test-7-2", "test-8-0"]
    with pytest.raises(UserError, match="does not contain"):
        load(tmp_path / "nlvr.parquet", "nlvr", options={"question": "True?"})
    with pytest.raises(UserError, match=r"data\.options\.query: .*\['question'\]"):
        load(tmp_path / "nlvr.parquet", "nlvr", options={"query": "True?"})


def test_mm_rlhf(tmp_path) -> None:
    save_images(tmp_path / "mm", "long/a.jpg", "mcq/b.jpg", "short/c.jpg", "safety/d.jpg")
    rows = [
        {"image": "long/a.jpg", "problem": "What is shown?", "solution": "A red square."},
        {
            "image": "mcq/b.jpg",
            "problem": "Which?\nChoices:\n(A) cat\n(B) dog",
            "solution": "The answer is B.",
        },
        {
            "image": "short/c.jpg",
            "problem": "Is it red? Answer the question with Yes or No.",
            "solution": "Yes, it is.",
        },
        {"image": "safety/d.jpg", "problem": "Is it safe?", "solution": "No"},
    ]
    path = tmp_path / "annotations" / "train.json"
    path.parent.mkdir()
    path.write_text(json.dumps(rows))
    data = load(path, "mm_rlhf", image_root=str(tmp_path / "mm"), prompt="caption_think_answer")
    assert data["kind"][:] == ["text", "multiple_choice", "yes_no", "yes_no"]
    assert "describe" in data[0]["prompt"][0]["content"]
    answers = ["a red square", "dog", "yes", "no"]
    for row, answer in zip(data, answers, strict=True):
        assert is_correct(answer, row["answer"], row["kind"], row["question"]).correct
    with pytest.raises(UserError, match=r"train\.json item 0: image file 'long/a\.jpg' not found"):
        load(path, "mm_rlhf")


def test_geometry3k_in_a_folder_of_parquet(tmp_path) -> None:
    features = datasets.Features(
        {
            "images": datasets.List(datasets.Image()),
            "problem": datasets.Value("string"),
            "answer": datasets.Value("string"),
        }
    )
    rows = {
        "images": [[picture(3)], [picture(4)]],
        "problem": ["<image>Find x.", "<image> Find the area."],
        "answer": ["2 \\sqrt { 221 }", "48"],
    }
    (tmp_path / "geo" / "data").mkdir(parents=True)
    made = datasets.Dataset.from_dict(rows, features=features)
    made.to_parquet(str(tmp_path / "geo" / "data" / "train-00000-of-00001.parquet"))
    data = load(tmp_path / "geo", "geometry3k", system="think_boxed", prompt="plain")
    assert data[0]["prompt"][0]["role"] == "system"
    assert data[0]["prompt"][1]["content"] == "Find x."
    assert data[1]["images"][0].getpixel((0, 0)) == (4, 0, 0)
    assert is_correct("2\\sqrt{221}", data[0]["answer"], "math", time_limit=600).correct


def test_mmk12_both_layouts(tmp_path) -> None:
    image = {"bytes": png(), "path": None}
    free = {"images": [[image]], "problem": ["<image>Find y."], "answer": ["3"]}
    original = {
        "id": ["a", "b"],
        "image": [image, image],
        "question": ["Find y.", "Which?\nA. up\nB. down"],
        "answer": ["3", "B"],
        "subject": ["math", "physics"],
    }
    for name, rows in (("free", free), ("original", original)):
        datasets.Dataset.from_dict(rows).to_parquet(str(tmp_path / f"{name}.parquet"))
        data = load(tmp_path / f"{name}.parquet", "mmk12")
        assert (data[0]["question"], data[0]["answer"], data[0]["kind"]) == ("Find y.", "3", "math")
    assert data["kind"][:] == ["math", "multiple_choice"]


def test_geo170k(tmp_path) -> None:
    save_images(tmp_path, "Geo170K/images/test/0.png")
    row = {
        "image_path": "./Geo170K/images/test/0.png",
        "question": "What is the angle?",
        "ground_truth": "58",
    }
    (tmp_path / "test.jsonl").write_text(json.dumps(row) + "\n")
    data = load(tmp_path / "test.jsonl", "geo170k", prompt="think_number")
    assert (data[0]["answer"], data[0]["kind"], len(data[0]["images"])) == ("58", "math", 1)


def staged(conclusion: str, reasoning: str = "Step 1: Look.\nStep 2: Count.") -> str:
    return (
        f"<SUMMARY> I will count. </SUMMARY>\n\n<CAPTION> A cube. </CAPTION>\n\n"
        f"<REASONING> {reasoning} </REASONING>\n\n<CONCLUSION> {conclusion} </CONCLUSION>"
    )


def llava_row(image: str, *pairs: tuple[str, str], **more) -> dict:
    turns = []
    for question, reply in pairs:
        turns += [{"from": "human", "value": question}, {"from": "gpt", "value": reply}]
    return {"id": image, "image": image, "conversations": turns, **more}


OPTIONS = "<image>\nFind the angle.\nA. 30°\nB. 40°\nC. 50°"


@pytest.fixture
def llava(tmp_path) -> Path:
    geo, clevr = "geoqa+/images/1.png", "CLEVR_v1.0/images/train/2.png"
    save_images(tmp_path, geo, clevr, "coco/3.png")
    rows = [
        llava_row(geo, (OPTIONS, staged("B"))),
        llava_row(geo, ("<image>\nFind r.", staged("A = 5"))),
        llava_row(clevr, ("How many cubes?", staged("4")), ("And balls?", staged("2"))),
        llava_row(clevr, ("Is it red?", staged("Yes"))),
        llava_row(geo, ("Find q.", "no stages 7")),
        llava_row(geo, (OPTIONS, staged("D"))),
        llava_row("coco/3.png", ("How many?", staged("1"))),
        {"id": "x", "image": clevr, "conversations": []},
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_llava_cot_as_hint_grpo_uses_it(llava) -> None:
    data = load(llava, "llava_cot")
    assert data["question"][:] == ["Find the angle.", "Find r.", "How many cubes?", "And balls?"]
    assert data["answer"][:] == ["40°", "A = 5", "4", "2"]
    assert data["reasoning"][0] == "Step 1: Look.\nStep 2: Count."
    assert data["example_id"][:] == ["train-0", "train-1", "train-2", "train-2-1"]
    assert [row["images"][0].getpixel((0, 0))[0] for row in data] == [0, 0, 1, 1]
    assert is_correct("40", data["answer"][0], "math").correct


def test_llava_cot_options(llava) -> None:
    letters = load(llava, "llava_cot", options={"fill_in": False, "numeric_only": False})
    assert letters["answer"][:] == ["B", "A = 5", "4", "2", "Yes", "D"]
    assert letters["kind"][0] == "multiple_choice"
    assert "B. 40°" in letters["question"][0]
    every = load(llava, "llava_cot", options={"subsets": None, "keep_summary": True})
    assert len(every) == 5
    assert every["reasoning"][0].startswith("I will count.\nStep 1")
    with pytest.raises(UserError, match="kept none of 8 rows"):
        load(llava, "llava_cot", options={"subsets": ["chartqa"]})


def test_llava_cot_limit_counts_examples_and_checks_images(llava) -> None:
    assert load(llava, "llava_cot", limit=3)["answer"][:] == ["40°", "A = 5", "4"]
    (llava.parent / "CLEVR_v1.0/images/train/2.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"train\.jsonl line 3: broken image \(2\.png\)"):
        load(llava, "llava_cot")


def test_every_adapter_is_tested_here() -> None:
    text = Path(__file__).read_text()
    assert all(f'"{name}"' in text for name in ADAPTERS)
