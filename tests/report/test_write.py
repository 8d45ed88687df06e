"""The report of folders: what goes in, and what is said of what does not."""

import gzip
import json
import re
from base64 import b64decode
from pathlib import Path

import pytest

from made_run import record, write_data, write_evaluation, write_run
from noisygrpo.errors import UserError
from noisygrpo.report.page_file import page_text
from noisygrpo.report.parts import Parts
from noisygrpo.report.sources import Where
from noisygrpo.report.write import Wanted, write_page

PART = re.compile(r'data-part="([^"]+)" data-kind="(.)">(.*?)</script>', re.DOTALL)


def parts_of(path):
    """Part name to its value."""
    found = {}
    for name, kind, text in PART.findall(path.read_text(encoding="utf-8")):
        found[name] = json.loads(gzip.decompress(b64decode(text)) if kind == "z" else text)
    return found


@pytest.fixture
def home(tmp_path, monkeypatch):
    write_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_page_of_a_run_has_all_of_it(home):
    write_run(home / "one")
    path, notes = write_page(Wanted(["one"]))
    assert (path.name, path.parent.name, notes) == ("report.html", "one", [])
    parts = parts_of(path)
    run = parts["index"]["runs"][0]
    assert run["rollouts"]["count"] == 48 == len(parts["columns/0"]["level"])
    assert len(run["rollouts"]["views"]) == 12 and len(run["rollouts"]["clean"]) == 3
    assert set(parts["views/0/0"]) == {"1", "2", "3"}  # the first saw the clean picture
    assert parts["answers/0"] == ["true", "true", "true"]
    (task,) = parts["index"]["evaluations"]
    assert [one["moment"] for one in task["sets"]] == ["before", "step 2", "after"]
    assert [one["step"] for one in task["sets"]] == [0, 2, 4]
    assert parts["verdicts/0/2"]["score"] == [1.0, 0.0, 1.0]
    assert len(parts["sample/0/0"]) == 3


def test_what_has_no_room_is_left_out_and_named(home):
    rows = [record(step, 0, i, 0.3 * bool(i), completion=f"{step}-{i} " + noise(step, i))
            for step in range(1, 1101) for i in range(4)]  # fmt: skip
    write_run(home / "long", rows)
    path, notes = write_page(Wanted(["long"], most_megabytes=2.5))
    assert path.stat().st_size < 2.5e6
    assert any("texts of" in note and "of 4,400 rollouts" in note for note in notes)
    index = parts_of(path)["index"]
    kept = index["runs"][0]["rollouts"]["kept"]
    assert 0 < len(kept) < 5 and index["notes"] == notes
    assert any("views of" in note for note in notes)


def noise(step, index):
    """Text that does not compress."""
    from random import Random

    return f"{Random(4 * step + index).getrandbits(4 * 1600):x}"


def test_pictures_of_other_rows_are_not_shown(home):
    write_run(home / "one")
    lines = (home / "rows.jsonl").read_text().replace("shape 1?", "circle?")
    (home / "rows.jsonl").write_text(lines)
    path, notes = write_page(Wanted(["one"]))
    assert notes == ["one: 1 of 3 prompts have no picture: the data has no such row any more"]
    assert parts_of(path)["index"]["runs"][0]["rollouts"]["clean"] == [0, 2]
    (home / "rows.jsonl").unlink()
    notes = write_page(Wanted(["one"]))[1]
    assert any(note.startswith("one: no pictures: ") and "rows.jsonl" in note for note in notes)
    assert write_page(Wanted(["one"], pictures=False))[1] == []


def test_a_recipe_that_was_found_reads_nothing_elsewhere(home, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_data(elsewhere)
    write_run(home / "one")
    recipe = (home / "one" / "recipe.yaml").read_text()
    (home / "one" / "recipe.yaml").write_text(
        recipe.replace("rows.jsonl", f"{elsewhere}/rows.jsonl")
    )
    notes = write_page(Wanted(["one"]))[1]
    assert any("no pictures" in note and "data.source" in note for note in notes)


def test_evaluations_alone_and_a_robustness_curve(home):
    write_evaluation(home / "plain", "test", (True, False))
    parts = parts_of(write_page(Wanted(["plain"]))[0])
    assert parts["index"]["evaluations"][0]["sets"][0]["accuracy"] == 0.5
    curve = {"curves": {"gaussian": [{"level": 0.0, "accuracy": 1.0, "stderr": 0.0, "n": 2}]}}
    for name in ("clean", "gaussian-0.2"):
        write_evaluation(home / "curve" / name, "playground", (True, name == "clean"))
    (home / "curve" / "robustness.json").write_text(json.dumps(curve))
    index = parts_of(write_page(Wanted(["curve"]))[0])["index"]
    assert index["runs"][0]["curve"] == curve
    assert [one["moment"] for one in index["evaluations"][0]["sets"]] == ["clean", "gaussian-0.2"]


def test_runs_are_compared_as_the_command_does(home):
    write_run(home / "a", after=(False, False, True))
    write_run(home / "b", after=(True, True, True))
    path, _ = write_page(Wanted(["a", "b"]))
    assert path.resolve() == home / "report.html"
    (difference,) = parts_of(path)["index"]["comparison"]["differences"]
    assert difference["difference"] == pytest.approx(2 / 3) and difference["method"] == "b"


def test_a_seed_makes_the_same_page_twice(home):
    write_run(home / "one")
    first = parts_of(write_page(Wanted(["one"]))[0])
    second = parts_of(write_page(Wanted(["one"]))[0])
    assert first.pop("index")["runs"] == second.pop("index")["runs"]
    assert first == second


@pytest.mark.parametrize(
    ("wanted", "said"),
    [({"most_megabytes": 1.0}, "--max-mb"), ({"runs": ["gone"]}, "gone"),
     ({"output": "one"}, "is a folder"), ({"output": "/proc/none/page.html"}, "cannot be written"),
     ({"where": Where(Path("gone.yaml"))}, r"gone\.yaml")],
)  # fmt: skip
def test_what_cannot_be_is_refused(home, wanted, said):
    write_run(home / "one")
    changed = {"runs": ["one"], **wanted}
    if "output" in changed:
        changed["output"] = home / changed["output"]
    with pytest.raises(UserError, match=said):
        write_page(Wanted(**changed))


def test_the_page_without_data_is_small():
    assert len(page_text("", Parts())) < 900_000


def test_the_command(home, run_cli):
    write_run(home / "one")
    status, out, _ = run_cli("report", "one", "--output", "page.html", "--no-pictures")
    assert status == 0 and (home / "page.html").is_file() and "MB: page.html" in out
    status, out, _ = run_cli("report", "mine=one", "--all-views")
    assert status == 0 and (home / "one" / "report" / "index.html").is_file()
    status, _, error = run_cli("report", "gone")
    assert status == 2 and "gone" in error


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        ("rollouts.jsonl", "", 0),
        ("rollouts.jsonl", "\x00\n[]\n", 0),
        ("metrics.jsonl", '[1]\n{"step": "a"}\n{"step": 1, "kl": "x", "loss": [1]}\nnull\n', 48),
        ("summary.json", '{"test": {"before": {}}, "more": 3}', 48),
        ("evaluation/after/test/samples.jsonl", '{"a": 1}\n', 48),
        ("evaluation/after/test/samples.jsonl", '{"example_id": "test-0", "correct": null}\n', 48),
    ],
)
def test_a_run_that_was_cut_short_or_damaged_is_shown_as_far_as_it_goes(home, name, text, left):
    folder = write_run(home / "one")
    (folder / name).write_text(text)
    index = parts_of(write_page(Wanted(["one"]))[0])["index"]
    assert index["runs"][0]["rollouts"]["count"] == left
    assert "x" not in index["runs"][0]["metrics"]["columns"].get("kl", [])
    assert all("after" in entry for entry in index["runs"][0]["summary"].values())


def change_samples(folder, change):
    """Let ``change`` alter the samples of an evaluation, a list."""
    path = folder / "samples.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_samples_have_no_picture_of_another_row(home):
    """The data was put into another order since: the same ids, other questions."""
    write_run(home / "one")
    lines = [json.loads(line) for line in (home / "test.jsonl").read_text().splitlines()]
    for name in ("question", "image"):
        lines[0][name], lines[1][name] = lines[1][name], lines[0][name]
    (home / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path, notes = write_page(Wanted(["one"]))
    assert notes == ["test: 2 of 3 samples have no picture: the data has no such row any more"]
    assert parts_of(path)["index"]["evaluations"][0]["clean"] == [2]


def test_one_id_of_different_rows_is_two_rows(home):
    for name in ("a", "b"):
        write_evaluation(home / name, "test", (True, False))
    change_samples(home / "b", lambda lines: lines[1].update(question="Another?", answer="7"))
    path, notes = write_page(Wanted(["a", "b"], pictures=False))
    parts = parts_of(path)
    assert parts["task/0"]["ids"] == ["test-0", "test-1", "test-1 (2)"]
    assert parts["task/0"]["answer"] == ["true", "true", "7"]
    assert parts["verdicts/0/0"]["score"] == [1, 0, None]
    assert parts["verdicts/0/1"]["score"] == [1, None, 0]
    assert any("1 ids mean different rows" in note for note in notes)


def test_evaluations_of_two_models_in_one_folder_have_names_of_their_own(home):
    for name in ("small", "large"):
        write_evaluation(home / "all" / name / "test", "test", (True, False))
    index = parts_of(write_page(Wanted(["all"], pictures=False))[0])["index"]
    assert [one["name"] for one in index["evaluations"][0]["sets"]] == ["all large", "all small"]


def test_damaged_samples_are_left_out_and_named(home):
    write_evaluation(home / "one", "test", (True, False, True))

    def damage(lines):
        lines[0]["tokens"] = float("nan")
        lines[1]["correct"] = float("nan")
        lines.append(lines[2])

    change_samples(home / "one", damage)
    path, notes = write_page(Wanted(["one"], pictures=False))
    assert [note.partition("samples.jsonl: ")[2] for note in notes[:2]] == [
        "line 2: correct is nan, allowed is true, false or a number from 0 to 1",
        "line 4: example_id 'test-2' is that of line 3 too",
    ]
    verdicts = parts_of(path)["verdicts/0/0"]
    assert verdicts["score"] == [1, 1] and verdicts["tokens"] == [None, 9]


def test_a_finished_evaluation_without_all_its_rows_is_named(home):
    write_evaluation(home / "one", "test", (True, False, True))
    change_samples(home / "one", lambda lines: lines.pop())
    (note,) = write_page(Wanted(["one"], pictures=False))[1]
    assert note.endswith("has 2 samples, n of result.json is 3")


def test_pairs_of_an_unfinished_evaluation_count_together(home):
    write_evaluation(home / "one", "test", (True, False, True))
    (home / "one" / "result.json").unlink()

    def pair(lines):
        for line in lines[:2]:
            line |= {"pair": "p", "correct_alone": line["correct"]}

    change_samples(home / "one", pair)
    parts = parts_of(write_page(Wanted(["one"], pictures=False))[0])
    assert parts["verdicts/0/0"]["score"] == [0, 0, 1]
    assert parts["index"]["evaluations"][0]["sets"][0]["accuracy"] == pytest.approx(1 / 3, abs=1e-4)
