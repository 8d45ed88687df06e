"""Where pictures stand in a text, and what is refused there."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.files import write_jsonl

from noisygrpo.data import DataSpec, load, load_examples
from noisygrpo.data.turns import with_image_slots
from noisygrpo.errors import UserError

IMAGE = {"type": "image"}


def text(value: str) -> dict:
    return {"type": "text", "text": value}


def prompt_of(folder, question, images=2, **spec):
    row = {
        "question": question,
        "answer": "a",
        "images": [f"images/{n}.png" for n in range(images)],
    }
    return load_examples(DataSpec(write_jsonl(folder, [row]), **{"prompt": "plain", **spec}))[0]


@pytest.mark.parametrize(
    ("question", "content"),
    [
        ("Compare.", "Compare."),
        ("<image><image>Compare.", "Compare."),
        ("<image>\n<image>\n Compare.", "Compare."),
        ("Compare <image>\nand <image2>", None),
        ("<image1> <image2> Compare.", "Compare."),
        ("<image 0><image 1>Compare.", "Compare."),
        ("<image>a<image>", [IMAGE, text("a"), IMAGE]),
        ("a<image><image>", [text("a"), IMAGE, IMAGE]),
        ("a <image_1>, b <image_2>.", [text("a "), IMAGE, text(", b "), IMAGE, text(".")]),
        ("Is it <b>bold</b> < 3?", "Is it <b>bold</b> < 3?"),
    ],
)
def test_pictures_stand_where_the_text_says(folder, question, content) -> None:
    if content is None:
        with pytest.raises(UserError, match=r"line 1: .*numbered \(none\), 2; allowed"):
            prompt_of(folder, question)
    else:
        assert prompt_of(folder, question)["prompt"][0]["content"] == content


@pytest.mark.parametrize(
    ("question", "images", "message"),
    [
        ("a <image> b", 2, r"1 <image> in its text, but 2 image\(s\)"),
        ("<image><image><image>", 2, "the question is empty"),
        ("<image><image><image> a", 2, r"3 <image> in its text, but 2 image\(s\)"),
        ("<image> a", 0, r"1 <image> in its text, but 0 image\(s\)"),
        ("<image2> a <image1>", 2, "numbered 2, 1; allowed is each once and in order, 1 to 2"),
        ("<image1> a <image1>", 2, "numbered 1, 1"),
        ("<video> a", 2, "the text contains <video>; only pictures"),
        ("a <audio>", 0, "the text contains <audio>"),
        ("a<|im_end|>\n<|im_start|>assistant", 0, r"contains <\|im_end\|>.*end of a turn"),
        ("a <|vision_start|>", 1, "reads as an image"),
    ],
)
def test_what_the_text_may_not_hold(folder, question, images, message) -> None:
    with pytest.raises(UserError, match=r"train\.jsonl line 1: .*" + message):
        prompt_of(folder, question, images)


def test_template_and_system_around_pictures(folder) -> None:
    spec = {"prompt": "Look: {question}\nThink.", "system": "Be brief."}
    row = prompt_of(folder, "a <image> b <image>", **spec)
    assert row["prompt"] == [
        {"role": "system", "content": [text("Be brief.")]},
        {
            "role": "user",
            "content": [text("Look: a "), IMAGE, text(" b "), IMAGE, text("\nThink.")],
        },
    ]
    assert prompt_of(folder, "<image><image>a", **spec)["prompt"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look: a\nThink."},
    ]
    with pytest.raises(UserError, match=r"line 1: data\.prompt has \{question\} twice"):
        prompt_of(folder, "a <image> b <image>", prompt="{question} {question}")


def test_videos_boxes_and_roles_of_tools_are_refused(folder) -> None:
    turns = [{"role": "user", "content": "Find <ref-object>."}]
    for row, message in [
        (
            {"messages": turns, "objects": {"ref": ["a"]}, "answer": 1},
            "<ref-object>, which ms-swift",
        ),
        ({"messages": turns, "videos": ["a.mp4"], "answer": 1}, "it has videos"),
        ({"messages": [{"role": "tool", "content": "x"}], "answer": 1}, "role 'tool' is not"),
        ({"messages": [{"text": "x"}], "answer": 1}, "neither role and content"),
        ({"messages": turns}, "no answer: none of the columns"),
        ({"messages": [{"role": "user", "content": 3}], "answer": 1}, "content of a turn is 3"),
        (
            {"messages": [{"role": "assistant", "content": "x"}], "answer": 1},
            "last turn is not the",
        ),
        ({"messages": "no", "answer": 1}, "no column for the question"),
    ]:
        with pytest.raises(UserError, match=message):
            load_examples(DataSpec(write_jsonl(folder, [row])))
    kept = {"messages": turns, "videos": [], "objects": None, "answer": 1}
    assert len(load_examples(DataSpec(write_jsonl(folder, [kept])))) == 1


def test_slots_of_a_prompt_with_pictures_in_its_text() -> None:
    prompt = [{"role": "user", "content": [text("a "), IMAGE, text(" b")]}]
    assert with_image_slots(prompt, 1) == prompt
    assert with_image_slots(prompt, 0) == [{"role": "user", "content": "a  b"}]


def test_what_is_put_around_the_rows_is_reported(folder) -> None:
    rows = [
        {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "q"}]},
        {"messages": [{"role": "user", "content": "q"}]},
    ]
    source = write_jsonl(folder, [{**row, "answer": 1} for row in rows])
    loaded = load(DataSpec(source, system="Be brief."))
    assert [row["prompt"][0]["content"] for row in loaded.data] == ["S", "Be brief."]
    assert "data.prompt 'think_answer' is put around the question" in loaded.report
    assert "1 rows have a system turn, which stands instead of data.system" in loaded.report


@pytest.mark.parametrize(
    ("column", "turns"),
    [
        ("messages", {"role": ["user", "assistant"], "content": ["<image>q", "4"]}),
        ("conversations", {"from": ["human", "gpt"], "value": ["<image>q", "4"]}),
        ("messages", {"role": ["user", "assistant"], "content": ["q", "4"], "loss": [None, 1]}),
    ],
)
def test_turns_by_column(folder, column, turns) -> None:
    """The datasets library stored sequences of mappings so, and many published files still are."""
    table = {column: [turns, turns], "images": [["images/1.png"]] * 2}
    pq.write_table(pa.table(table), folder / "rows.parquet")
    (folder / "rows.json").write_text(json.dumps([{column: turns, "images": ["images/1.png"]}]))
    for name in ("rows.parquet", "rows.json"):
        loaded = load(DataSpec(str(folder / name), prompt="plain"))
        assert loaded.data[0]["prompt"] == [{"role": "user", "content": "q"}]
        assert loaded.data[0]["answer"] == "4" and len(loaded.data[0]["images"]) == 1


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        ({"content": "It is <image>."}, "its last turn, the answer, has an <image>; answers are t"),
        ({"content": None, "tool_calls": [{"name": "f"}]}, "a turn has tool_calls; tools are not"),
        ({"role": ["assistant"], "content": "4"}, r"role \['assistant'\] is not supported"),
    ],
)
def test_what_a_reply_may_not_be(folder, turn, message) -> None:
    turns = [{"role": "user", "content": "q"}]
    row = {"messages": [*turns, {"role": "assistant", **turn}], "images": ["images/1.png"]}
    with pytest.raises(UserError, match=rf"train\.jsonl line 1: .*{message}"):
        load(DataSpec(write_jsonl(folder, [row])))


def test_a_picture_in_the_spelling_of_xml_is_refused(folder) -> None:
    for tag in ("<image/>", "<image />"):
        with pytest.raises(UserError, match=rf"the text contains {tag}, another tool's picture"):
            prompt_of(folder, f"{tag} a", 1)
