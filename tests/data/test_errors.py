"""What users get wrong: one message, with file and row, before anything is trained."""

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.data.files import STRUCT, png, rows_of, write_jsonl, write_parquet

from noisygrpo.data import (
    FEATURES,
    DataSpec,
    check_example,
    load_examples,
    make_example,
    validate_examples,
)
from noisygrpo.errors import UserError

GOOD = {"question": "q", "answer": "a", "image": "images/0.png"}


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, r"train\.jsonl: the data set has no rows"),
        ([GOOD], {"columns": {"question": "query"}}, r"no column 'query'.*'question'"),
        ([GOOD], {"columns": {"image": "picture"}}, r"no image column 'picture'"),
        ([{"question": "q", "answer": "a"}], {}, r"no image column 'images' or 'image'"),
        ([GOOD], {"columns": {"questions": "q"}}, r"'questions' is not a field"),
        ([GOOD, "", {"question": "q", "image": None}], {}, r"line 3: column 'answer' is missing"),
        ([{**GOOD, "answer": " "}], {}, r"line 1: the answer is empty"),
        ([{**GOOD, "question": "<image>"}], {}, r"line 1: the question is empty"),
        ([{**GOOD, "answer": []}], {}, r"line 1: the answer is empty"),
        ([GOOD, {**GOOD, "image": "images/9.png"}], {}, r"line 2: image file 'images/9.png' not"),
        ([{**GOOD, "image": "../x.png"}], {}, r"line 1: image path '../x.png' leads outside"),
        ([{**GOOD, "image": 3}], {}, r"line 1: image is 3"),
        ([{**GOOD, "image": {"bytes": "abc"}}], {}, r"line 1: image bytes are 'abc', not base64"),
        ([{**GOOD, "image": "https://x.org/a.png"}], {}, r"line 1: image 'https.* web address"),
        ([{**GOOD, "image": "data:image/png,abc"}], {}, r"line 1: image 'data.* no data URI in b"),
        ([{**GOOD, "image": "data:image/png;base64,a!"}], {}, r"the comma is not base64"),
        ([{**GOOD, "image": ["images/0.png", 3]}], {}, r"line 1: image is 3, expected a path"),
        ([{**GOOD, "image": {"file": "x"}}], {}, r"line 1: image is \{'file': 'x'\}, expected one"),
        ([{**GOOD, "image": "A" * 50_000}], {}, r"line 1: image is base64 of no picture: it beg"),
        ([{**GOOD, "image": "x" * 50_000 + "!"}], {}, r"line 1: image is 'x+… \(50,00\d char"),
        ([{**GOOD, "image": "~root/a.png"}], {}, r"line 1: image path '~root/a.png' leads outside"),
        ([GOOD], {"image_root": "no/such"}, r"data\.image_root: 'no/such' is not a folder"),
        ([GOOD], {"format": "swift"}, r"data\.format: 'swift' is not one of messages, conver"),
        ([GOOD], {"format": "llava"}, r"data\.format: 'llava' has the column 'conversations'"),
        ([GOOD], {"max_prompt_tokens": 0}, r"data\.max_prompt_tokens: 0 is not a positive"),
        ([GOOD, '{"question": "\\ud83d"}'], {}, r"line 2: '.*' is half of a character"),
        ([{**GOOD, "cluster": None}], {}, r"line 1: .* data\.columns\.cluster: null leaves it"),
        ([GOOD, "{"], {}, r"line 2: not valid JSON"),
        ([GOOD, "[" * 9000], {}, r"line 2: not valid JSON: nested too deeply"),
        ([GOOD, "[1]"], {}, r"line 2: \[1\] is not an object"),
        ([{**GOOD, "question": "a <|image_pad|>"}], {}, r"line 1: the user turn contains <\|im"),
        ([{**GOOD, "id": "a"}] * 2, {"columns": {"id": "id"}}, r"line 2: id 'a' is also.* line 1"),
        ([GOOD], {"prompt": "Answer!"}, r"data\.prompt: 'Answer!'"),
        ([GOOD], {"cluster_pattern": "("}, r"data\.cluster_pattern"),
        ([GOOD], {"limit": 0}, r"data\.limit: 0"),
        ([GOOD], {"adapter": "nlvrs"}, r"data\.adapter: 'nlvrs'"),
        ([GOOD], {"adapter": "nlvr"}, r"no column 'identifier'"),
        ([GOOD], {"adapter": "nlvr", "columns": {"id": "x"}}, r"data\.columns: the adapter"),
        ([GOOD], {"options": {"x": 1}}, r"data\.options"),
    ],
)
def test_row_level_errors(folder, rows, options, message) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_examples(DataSpec(write_jsonl(folder, rows), **options))
    assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)


def test_broken_images_are_named_before_training(folder) -> None:
    (folder / "images" / "1.png").write_bytes(png(1)[:-20])
    (folder / "images" / "2.png").write_bytes(b"")
    with pytest.raises(UserError) as caught:
        load_examples(DataSpec(write_jsonl(folder, rows_of(12))))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("train.jsonl line 2: broken image (1.png): ")
    assert lines[1] == "train.jsonl line 3: broken image (2.png): the file is empty"
    assert lines[-1] == "... and 3 more rows"
    assert len(load_examples(DataSpec(write_jsonl(folder, rows_of(3))), check_images=False)) == 3


def test_broken_embedded_image_is_named_after_shuffling(tmp_path) -> None:
    images = [{"bytes": png(i), "path": None} for i in range(6)]
    images[4]["bytes"] = b"no image"
    source = write_parquet(tmp_path / "a.parquet", images, STRUCT)
    with pytest.raises(UserError, match=r"a\.parquet row 4: broken image"):
        load_examples(DataSpec(source, shuffle=True))


@pytest.mark.parametrize("source", ["missing.jsonl", "no/such/folder", "white space"])
def test_missing_sources(source) -> None:
    with pytest.raises(UserError, match=f"^data.source: '{source}' does not exist"):
        load_examples(DataSpec(source))


def test_files_that_are_not_what_they_say(tmp_path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    pq.write_table(pa.table({"question": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    with pytest.raises(UserError, match=r"^empty\.parquet: the data set has no rows"):
        load_examples(DataSpec(str(tmp_path / "empty.parquet")))
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(UserError, match="cannot load"):
        load_examples(DataSpec(str(tmp_path / "a.parquet")))
    with pytest.raises(UserError, match="not one of"):
        load_examples(DataSpec(str(tmp_path / "a.xlsx")))


def test_hub_id_without_network_is_one_message(monkeypatch) -> None:
    def unreachable(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'some/data' on the Hub\nlong traceback")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(
        UserError,
        match=r"^data\.source: cannot load some/data, split 'train' .* HF_HUB_OFFLINE is set.: C",
    ):
        load_examples(DataSpec("some/data"))


def test_validate_rows_made_elsewhere() -> None:
    image = {"bytes": png(), "path": None}
    rows = [make_example(f"q{i}", "a", [image], example_id=str(i)) for i in range(3)]
    validate_examples(datasets.Dataset.from_list(rows, features=FEATURES))
    rows[2]["example_id"] = "0"
    with pytest.raises(UserError, match=r"mine row 2: example_id '0' is also row 0's"):
        validate_examples(datasets.Dataset.from_list(rows, features=FEATURES), "mine")
    rows[2]["images"] = [{"bytes": b"x", "path": None}]
    rows[2]["example_id"] = "2"
    with pytest.raises(UserError, match="mine row 2: broken image"):
        validate_examples(datasets.Dataset.from_list(rows, features=FEATURES), "mine")
    with pytest.raises(UserError, match="missing columns"):
        validate_examples(datasets.Dataset.from_list([{"a": 1}]))


def test_check_example_names_what_is_wrong() -> None:
    good = make_example("q", "a", [Image.new("RGB", (2, 2))], example_id="1")
    check_example(good)
    for change, message in [
        ({"images": [Image.new("L", (2, 2))]}, "image 0 is L"),
        ({"images": ["a.png"]}, "image 0 is str"),
        ({"answer": float("nan")}, "column 'answer' is nan"),
        ({"prompt": []}, "non-empty list"),
        ({"prompt": [{"role": "assistant", "content": "x"}]}, "last turn"),
        ({"prompt": [{"role": "user", "content": [{"type": "video"}]}]}, "list of parts"),
        ({"prompt": [{"role": "bot", "content": "x"}]}, "role 'bot'"),
    ]:
        with pytest.raises(UserError, match=message):
            check_example({**good, **change})
