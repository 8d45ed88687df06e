"""Every benchmark of NoisyRollout's archive is read as it is unzipped."""

import json
import shutil

import pytest
from tests.evaluation.eval_data_folder import write_eval_data

from noisygrpo.errors import UserError
from noisygrpo.evaluation.benchmarks import LoadOptions, get_benchmark, load_table
from noisygrpo.evaluation.benchmarks.base import located
from noisygrpo.evaluation.benchmarks.released import THINK_BOXED
from noisygrpo.evaluation.rows import BrokenRow, Rows


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_eval_data(tmp_path_factory.mktemp("eval_data"))


def load(name, data, **options):
    benchmark = get_benchmark(name)
    return load_table(benchmark, LoadOptions(data=located(benchmark, str(data)), **options))


def as_read(rows):
    """(id, answer, images that open) of each row."""
    opened = Rows(rows)
    return [
        (r["example_id"], r["answer"], len(opened.open(n)["images"])) for n, r in enumerate(rows)
    ]


EXPECTED = {
    "geo3k": [("geometry3k-2401", "80", 1), ("geometry3k-2402", "30", 1)],
    "mathvision": [("mathvision-4", "B", 1), ("mathvision-7", "12", 1)],
    "hallubench": [("VS-chart-0-0-0", "no", 0), ("VS-chart-0-1-0", "yes", 1)],
    "wemath": [(f"2steps_1-2steps_{key}", "B", 1) for key in (1, 2, "multi")],
    "mathverse": [("mathverse-1", "B", 1)],
    "mathvista": [("mathvista-1", "3", 1), ("mathvista-2", "Yes", 1)],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_benchmark_is_found_in_the_archive_and_in_its_own_folder(archive, name):
    assert as_read(load(name, archive)) == EXPECTED[name]
    place = located(get_benchmark(name), str(archive))
    assert place != str(archive)
    assert as_read(load(name, place)) == EXPECTED[name]


ASKED = {
    "geo3k": "In $\\odot X, A B=30$. Find $m\\widehat{A B}$",
    "mathvision": "How many circles?\nChoices: (A) 2 (B) 3",
    "hallubench": (
        "Is China the leading importer in 2018? You final answer can only be \\boxed{yes} or "
        "\\boxed{no}."
    ),
    "wemath": "OA = ( ) m\n\nOptions: A. 300;B. 400",
    "mathverse": "Reason, then: Find angle 2.",
    "mathvista": "Hint: answer with an integer.\nQuestion: How many?",
}


@pytest.mark.parametrize("name", ASKED)
def test_the_prompts_of_the_release(archive, name):
    """Its ``--version 7b`` has the instruction in a system turn, ``32b`` before the question."""
    small = load(name, archive, prompt="noisyrollout-7b")[0]["prompt"]
    assert small == [
        {"role": "system", "content": THINK_BOXED},
        {"role": "user", "content": ASKED[name]},
    ]
    large = load(name, archive, prompt="noisyrollout-32b", system="Box it.")[0]["prompt"]
    assert large == [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": f"Box it. {ASKED[name]}"},
    ]


def test_options_are_listed_once(archive):
    """VLMEvalKit's questions hold their options."""
    assert [row["question"] for row in load("mathvision", archive)] == [
        "How many circles?\nChoices: (A) 2 (B) 3",
        'What is\tthe "area"?',
    ]
    assert [row["meta"]["options"] for row in load("mathvision", archive)] == [["2", "3"], []]


def test_a_picture_that_is_not_there_is_a_wrong_answer_not_a_missing_row(archive, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    (copy / "geometry3k" / "test" / "2401" / "img_diagram.png").unlink()
    rows = load("geo3k", copy)
    assert len(rows) == 2
    with pytest.raises(BrokenRow, match="img_diagram"):
        Rows(rows).open(0)
    (copy / "geometry3k" / "test" / "2402" / "data.json").unlink()
    with pytest.raises(UserError, match=r"test/2402/data.json is missing"):
        load("geo3k", copy)


def test_a_table_with_its_pictures_in_base64(archive, tmp_path):
    """VLMEvalKit's own file has them in a column."""
    import base64

    picture = (archive / "mathvision" / "images" / "4.jpg").read_bytes()
    cells = ("1", "How many?", "3", base64.b64encode(picture).decode())
    text = "index\tquestion\tanswer\timage\n" + "\t".join(cells) + "\n"
    (tmp_path / "MathVision.tsv").write_text(text)
    assert as_read(load("mathvision", tmp_path / "MathVision.tsv")) == [("mathvision-1", "3", 1)]


@pytest.mark.parametrize(
    ("name", "file", "text", "message"),
    [
        ("geo3k", "geometry3k/test/2401/data.json", '{"id": 1, "choices": []', "2401/data.json"),
        ("geo3k", "geometry3k/test/2401/data.json", '{"answer": "E", "choices": ["1"]}', "2401"),
        ("mathvision", "mathvision/MathVision.tsv", "index\tquestion\n1\ta\n", "'answer'"),
        ("mathvision", "mathvision/MathVision.tsv", "index\tquestion\tanswer\tchoices\n1\ta\tb\t[",
         "line 2: choices"),
        ("mathvision", "mathvision/MathVision.tsv", "index\tquestion\tanswer\n1\ta\t\n",
         "line 2: the column 'answer' is empty"),
        ("mathvista", "mathvista/testmini.json", "{", "testmini.json is not JSON"),
        ("hallubench", "hallubench/HallusionBench.json", '[{"category": "VS"}]', "subcategory"),
        ("wemath", "wemath/testmini.json", '[{"ID": "1"}]', "'key'"),
    ],
)  # fmt: skip
def test_what_is_wrong_names_its_file(archive, tmp_path, name, file, text, message):
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    (copy / file).write_text(text)
    with pytest.raises(UserError, match=message):
        load(name, copy)


def test_mathvista_without_a_table_takes_the_rows_of_the_hub(archive, tmp_path, monkeypatch):
    """The archive has pictures alone; the release's loader asks the hub as well."""
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    (copy / "mathvista" / "testmini.json").unlink()
    with pytest.raises(UserError, match=r"AI4Math/MathVista.*--data takes a local copy"):
        load("mathvista", copy)


def test_mathvista_as_its_repository_has_it(archive, tmp_path):
    """There the prompts are in a file of their own."""
    folder = tmp_path / "mathvista"
    shutil.copytree(archive / "mathvista", folder)
    rows = json.loads((folder / "testmini.json").read_text())
    queries = {pid: row.pop("query") for pid, row in rows.items()}
    (folder / "testmini.json").write_text(json.dumps(rows))
    with pytest.raises(UserError, match=r"no 'query', nor is query\.json there"):
        load("mathvista", folder)
    (folder / "query.json").write_text(json.dumps({**queries, "6141": "another"}))
    (first, _) = load("mathvista", folder)
    assert first["prompt"][0]["content"] == ASKED["mathvista"]
    (folder / "query.json").write_text(json.dumps({"1": "only one"}))
    with pytest.raises(UserError, match=r"query\.json has nothing for 2"):
        load("mathvista", folder)


def test_rows_without_an_id_are_numbered(tmp_path):
    """The hub's copy of Geometry3K has three columns."""
    line = {"problem": "<image>Find x.", "answer": "48", "images": []}
    (tmp_path / "rows.jsonl").write_text(json.dumps(line) + "\n" + json.dumps(line) + "\n")
    rows = load("geometry3k", tmp_path / "rows.jsonl")
    assert [row["example_id"] for row in rows] == ["geometry3k-0", "geometry3k-1"]
