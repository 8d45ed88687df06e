"""Several sources in one data section, with how many rows of each."""

import json
from collections import Counter

import pytest
import yaml
from tests.data.files import png, write_jsonl, write_parquet

from noisygrpo.data import DataSpec, load
from noisygrpo.data.parts import Part, chosen_rows, parts_of, prefixes
from noisygrpo.data.splits import load_measured, overlap_lines
from noisygrpo.errors import UserError
from noisygrpo.recipes.recipe import load_recipe


def rows(name, count, **more):
    return [
        {"problem": f"{name}{i}?", "solution": f"{name}{i}", "image": f"images/{i % 3}.png", **more}
        for i in range(count)
    ]


@pytest.fixture
def lists(folder):
    """NoisyGRPO's layout: a folder of lists, and json files beside it."""
    (folder / "data_config").mkdir()
    (folder / "a.json").write_text(json.dumps(rows("a", 10)))
    write_jsonl(folder, rows("b", 7), "b.jsonl")

    def write(*entries, name="both.yaml"):
        path = folder / "data_config" / name
        path.write_text(yaml.safe_dump({"datasets": list(entries)}))
        return str(path)

    return write


def asked(loaded):
    return loaded.data["question"][:]


def test_the_strategies_of_the_release(lists, folder, monkeypatch):
    monkeypatch.chdir(folder)  # paths as the release means them
    source = lists(
        {"json_path": "a.json", "sampling_strategy": "first:2"},
        {"json_path": "b.jsonl", "sampling_strategy": "end:30%"},
    )
    loaded = load(DataSpec(source))
    assert asked(loaded) == ["a0?", "a1?", "b4?", "b5?", "b6?"]  # 30 % of 7 is 2.1, rounded up
    assert loaded.data["example_id"][:] == ["a-0", "a-1", "b-4", "b-5", "b-6"]
    assert loaded.where(1) == "a.json item 1" and loaded.where(4) == "b.jsonl line 7"
    assert loaded.report[0] == "a.json: 2 examples (first:2)"
    assert any(line.startswith("b.jsonl: layout columns") for line in loaded.report)
    assert "5 of 5 rows have images" in loaded.report
    assert loaded.data[3]["images"][0].size == (8, 6)


def test_random_rows_are_a_function_of_the_seed():
    part = Part("some/a.json", "random:4", named="list[0]")
    draws = [chosen_rows(part, 100, seed) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert all(len(set(draw)) == 4 and draw == sorted(draw) for draw in draws)
    assert chosen_rows(Part("b.json", "random:4"), 100, 0) != draws[0]
    counts = Counter(n for seed in range(300) for n in chosen_rows(part, 10, seed))
    assert set(counts) == set(range(10)) and min(counts.values()) > 80  # 120 expected, s = 8.5


@pytest.mark.parametrize(
    ("rows_", "count", "expected"),
    [
        ("all", 3, [0, 1, 2]), ("first:3", 3, [0, 1, 2]), ("end:1", 3, [2]),
        ("first:50%", 5, [0, 1, 2]), ("end:0.1%", 5, [4]), ("random:100%", 4, [0, 1, 2, 3]),
        ("first:33.4%", 3, [0, 1]),
    ],
)  # fmt: skip
def test_which_rows(rows_, count, expected):
    assert chosen_rows(Part("a.json", rows_), count, 0) == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"json_path": "a.json", "sampling_strategy": "first"}, r"\[1\]: rows 'first', allowed"),
        ({"json_path": "a.json", "sampling_strategy": "last:3"}, r"both.yaml\[1\]: rows 'last:3'"),
        ({"json_path": "a.json", "sampling_strategy": "first:0"}, "rows 'first:0'"),
        ({"json_path": "a.json", "sampling_strategy": "first:-2"}, "rows 'first:-2'"),
        ({"json_path": "a.json", "sampling_strategy": "first:1.5"}, "rows 'first:1.5'"),
        ({"json_path": "a.json", "sampling_strategy": "first:101%"}, "rows 'first:101%'"),
        ({"json_path": "a.json", "sampling_strategy": 100}, "sampling_strategy: 100 is no text"),
        ({"json_path": "a.json", "sampling_strategy": "first:11"}, "a.json has 10 of them"),
        ({"json_path": "a.json", "rows": "all", "sampling_strategy": "all"}, "says again"),
        ({"json_pth": "a.json"}, r"json_pth is not a known key; did you mean 'json_path'\?"),
        ({"sampling_strategy": "all"}, "no json_path"),
        ({"json_path": "gone.json"}, r"both.yaml\[1\]: 'gone.json' is neither in"),
        ({"json_path": "other.yaml"}, "no other list"),
        ({"json_path": "playground"}, "not the playground"),
        (["a.json"], "is no source"),
        ({"json_path": "broken.json"}, "broken.json item 0: column 'problem'"),
        ({"json_path": "far.json"}, "far.json item 0: image path"),
    ],
)  # fmt: skip
def test_what_is_wrong_names_the_list_or_the_row(lists, folder, monkeypatch, entry, message):
    monkeypatch.chdir(folder)
    (folder / "broken.json").write_text(json.dumps(rows("c", 1, problem=None)))
    (folder / "far.json").write_text(json.dumps(rows("c", 1, image="/etc/passwd")))
    with pytest.raises(UserError, match=message):
        load(DataSpec(lists({"json_path": "b.jsonl"}, entry)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datasets: []", "the list of sources is empty"),
        ("datasets: a.json", "expected a list of sources"),
        ("a.json", "expected a list of sources"),
        ("datasets: [", "bad.yaml"),
        ("datasets: [\xe4]", "not a text file in UTF-8"),
    ],
)
def test_a_file_that_is_no_list(tmp_path, text, message):
    (tmp_path / "bad.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=message):
        parts_of(str(tmp_path / "bad.yaml"))
    with pytest.raises(UserError, match=r"data\.source: 'gone\.yaml' does not exist"):
        parts_of("gone.yaml")


def test_a_list_in_the_recipe_and_files_of_one_name(folder):
    """Ids and messages tell them apart; columns that one of them lacks are null."""
    sources = []
    for place, more in (("train", {"level": 3}), ("extra", {"level": "hard", "unit": "cm"})):
        (folder / place).mkdir()
        sources.append({"source": write_jsonl(folder / place, rows(place, 3, **more))})
    sources[1] |= {"rows": "first:2"}
    parquet = write_parquet(folder / "p.parquet", [png(9)] * 2)
    spec = DataSpec([*sources, {"source": parquet}], image_root=str(folder))
    loaded = load(spec)
    assert loaded.data["example_id"][:] == [
        "train-train-0", "train-train-1", "train-train-2", "extra-train-0", "extra-train-1",
        "p-0", "p-1",
    ]  # fmt: skip
    assert loaded.where(3) == "extra/train.jsonl line 1"
    assert loaded.data["level"][:] == [3, 3, 3, "hard", "hard", None, None]
    assert loaded.data["unit"][:] == [None] * 3 + ["cm"] * 2 + [None] * 2
    assert "column 'unit' is in 1 of 3 sources, else null" in loaded.report
    assert [len(row["images"]) for row in loaded.data] == [1] * 7
    broken = write_jsonl(folder / "extra", ["{"])
    with pytest.raises(UserError, match=r"^extra/train\.jsonl"):
        load(DataSpec([sources[0], {"source": broken}], image_root=str(folder)))


def test_ids_of_two_sources_are_not_the_same(folder):
    named = [{**row, "example_id": row["solution"]} for row in rows("a", 2)]
    first, second = write_jsonl(folder, named, "1.jsonl"), write_jsonl(folder, named[:1], "2.jsonl")
    with pytest.raises(UserError, match=r"2\.jsonl line 1: id 'a0' is also that of 1\.jsonl line"):
        load(DataSpec([{"source": first}, {"source": second}]))
    with pytest.raises(UserError, match=r"a-1' is also that of"):  # one file, rows that overlap
        a = write_jsonl(folder, rows("a", 3), "a.jsonl")
        load(DataSpec([{"source": a, "rows": "first:2"}, {"source": a, "rows": "end:2"}]))


def test_limit_and_shuffle_are_over_all_sources(lists):
    source = lists({"json_path": "../a.json"}, {"json_path": "../b.jsonl"})
    plain = load(DataSpec(source, limit=11))
    assert asked(plain)[-1] == "b0?" and len(plain.data) == 11
    mixed = load(DataSpec(source, limit=6, shuffle=True, seed=3))
    again = load(DataSpec(source, limit=6, shuffle=True, seed=3))
    assert asked(mixed) == asked(again) != asked(plain)[:6]
    assert {question[0] for question in asked(mixed)} == {"a", "b"}
    kinds = {name: mixed.where(i)[0] for i, name in enumerate(asked(mixed))}
    assert all(name[0] == place for name, place in kinds.items())
    assert mixed.data._fingerprint == again.data._fingerprint != plain.data._fingerprint


def test_holdout_and_measured_rows_of_a_list(lists, folder):
    source = lists({"json_path": "../a.json"}, {"json_path": "../b.jsonl"})
    spec = DataSpec(source, holdout=0.3)
    train, held = load(spec), load_measured(spec, ["holdout"])["holdout"]
    assert len(train.data) + len(held.data) == 17 and len(held.data) > 0
    assert not {*asked(train)} & {*asked(held)}
    alone = load(DataSpec(str(folder / "a.json"), holdout=0.3), held_out=True)
    assert {*asked(alone)} == {q for q in asked(held) if q[0] == "a"}  # on their side anyway
    with pytest.raises(UserError, match="has no splits, and its rows are trained"):
        load_measured(DataSpec(source), ["test"])
    inline = [{"source": str(folder / "b.jsonl"), "rows": "first:2"}]
    measured = load_measured(DataSpec(str(folder / "a.json")), ["test"], inline)
    assert asked(measured["test"]) == ["b0?", "b1?"]
    both = load_measured(spec, ["test"], str(folder / "b.jsonl"))
    assert "b.jsonl line" in overlap_lines(load(DataSpec(source, limit=12)), both)[0]


def test_one_side_of_a_small_source_may_be_empty(folder):
    big = write_jsonl(folder, rows("a", 30), "a.jsonl")
    one = write_jsonl(folder, rows("b", 1), "b.jsonl")
    spec = DataSpec([{"source": big}, {"source": one}], holdout=0.2)
    sides = [load(spec, held_out=side) for side in (False, True)]
    assert sum("b0?" in asked(side) for side in sides) == 1
    with pytest.raises(UserError, match=r"data\.holdout: 0\.9999 leaves nothing to train"):
        load(DataSpec([{"source": one}], holdout=0.9999))


def test_absolute_paths_of_another_machine(folder):
    """NoisyGRPO's annotations hold its authors' paths; their last folders are the user's too."""
    root = folder / "MM_RLHF"
    (root / "long").mkdir(parents=True)
    (root / "long" / "1.png").write_bytes(png(3))
    theirs = "/home/them/data/MM_RLHF/long/1.png"
    source = write_jsonl(folder, rows("a", 1, image=theirs), "x.jsonl")
    loaded = load(DataSpec(source, image_root=str(root)))
    assert loaded.data[0]["images"][0].size == (8, 6)
    assert any("1 image paths are absolute" in line for line in loaded.report)
    assert load(DataSpec(source, image_root=str(folder))).data.num_rows == 1
    (root / "1.png").write_bytes(png(3))
    lone = write_jsonl(folder, rows("a", 1, image="/home/them/1.png"), "y.jsonl")
    with pytest.raises(UserError, match="leads outside"):  # a name alone is no place
        load(DataSpec(lone, image_root=str(root)))
    with pytest.raises(UserError, match="leads outside"):  # only where the user named a folder
        load(DataSpec(source))
    own = write_jsonl(folder, rows("a", 1, image=str(root / "long" / "1.png")), "z.jsonl")
    loaded = load(DataSpec(own, image_root=str(root)))
    assert not any("are absolute" in line for line in loaded.report)


def test_prefixes_go_as_far_as_needed():
    names = ["/d/a/train.json", "/d/b/train.json", "/d/c.json", "/e/a/train.json"]
    assert prefixes([Part(name) for name in names]) == ["d/a/", "d/b/"[2:], "", "e/a/"]
    assert prefixes([Part("/d/a.json"), Part("/d/a.json")]) == ["", ""]
    assert prefixes([Part("/d/a.json"), Part("/e/a.jsonl")]) == ["d/", "e/"]
    assert prefixes([Part("/a.json"), Part("/e/a.json")]) == ["//", "e/"]
    with pytest.raises(UserError, match=r"a\.json and a\.csv are in one folder"):
        prefixes([Part("/d/a.json"), Part("/d/a.csv")])


def test_a_list_may_hold_names_alone(folder):
    (folder / "a.json").write_text(json.dumps(rows("a", 2)))
    names = [str(folder / "a.json"), str(write_jsonl(folder, rows("b", 1), "b.jsonl"))]
    assert asked(load(DataSpec(names))) == ["a0?", "a1?", "b0?"]
    document = {"base": "playground", "data": {"source": names}, "evaluation": None}
    (folder / "r.yaml").write_text(yaml.safe_dump(document))
    assert load_recipe(str(folder / "r.yaml")).data.source == names
