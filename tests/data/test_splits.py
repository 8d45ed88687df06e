"""What is measured is not trained on."""

import datasets
import pytest
from tests.data.files import rows_of, write_jsonl

from noisygrpo.data import DataSpec, load, load_examples
from noisygrpo.data.splits import load_measured, overlap_lines
from noisygrpo.errors import UserError


def many(count: int, start: int = 0) -> list[dict]:
    return [
        {"question": f"q{i}", "answer": i, "image": f"images/{i % 3}.png", "scene": f"s{i // 4}"}
        for i in range(start, start + count)
    ]


@pytest.mark.parametrize("splits", [["test"], ["nonsense"], ["test", "more"], ["holdout"]])
def test_one_file_has_no_test_split(folder, splits) -> None:
    spec = DataSpec(write_jsonl(folder, rows_of()))
    with pytest.raises(UserError, match=r"^evaluation\.splits: '\w+'.*data\.holdout: 0\.1"):
        load_measured(spec, splits)


def test_training_rows_may_be_measured_under_their_name(folder) -> None:
    spec = DataSpec(write_jsonl(folder, rows_of()))
    measured = load_measured(spec, ["train"])
    assert measured["train"].data["question"][:] == ["q0", "q1", "q2"]
    assert overlap_lines(load(spec), measured) == []


def test_a_split_of_a_file_is_refused_in_training_too(folder) -> None:
    source = write_jsonl(folder, rows_of())
    with pytest.raises(UserError, match=r"^data\.split: 'test', but .* has no splits"):
        load_examples(DataSpec(source, split="test"))


def test_another_file_is_measured_under_one_name(folder) -> None:
    spec = DataSpec(write_jsonl(folder, many(6)))
    other = write_jsonl(folder, many(2, start=6), "test.jsonl")
    measured = load_measured(spec, ["test"], other)
    assert measured["test"].data["answer"][:] == [6, 7]
    with pytest.raises(UserError, match=r"evaluation\.splits: \['a', 'b'\].* name one"):
        load_measured(spec, ["a", "b"], other)
    with pytest.raises(UserError, match=r"evaluation\.source: 'gone\.jsonl' does not exist"):
        load_measured(spec, ["test"], "gone.jsonl")
    with pytest.raises(UserError, match=r"evaluation\.splits: 'test' stands twice"):
        load_measured(spec, ["test", "test"], other)
    with pytest.raises(UserError, match=r"^evaluation\.splits: 'test', but"):
        load_measured(spec, ["test"], str(folder / "." / "train.jsonl"))  # the same file


def test_rows_in_both_are_named(folder) -> None:
    train = load(DataSpec(write_jsonl(folder, many(6))))
    spec = DataSpec(write_jsonl(folder, many(6)))
    both = load_measured(spec, ["test"], write_jsonl(folder, many(4, start=3), "test.jsonl"))
    assert overlap_lines(train, both) == [
        "3 of 4 rows of 'test' are also trained on: test.jsonl line 1 = train.jsonl line 4; "
        "test.jsonl line 2 = train.jsonl line 5; test.jsonl line 3 = train.jsonl line 6"
    ]
    copy = load_measured(spec, ["test"], write_jsonl(folder, many(2, start=1), "test.jsonl"))
    with pytest.raises(
        UserError, match=r"all 2 rows of 'test' are trained on: .*line 1 = .*line 2"
    ):
        overlap_lines(train, copy)


def test_a_copy_of_the_training_rows_does_not_hide_behind_the_name_train(folder) -> None:
    spec = DataSpec(write_jsonl(folder, many(6)))
    copy = load_measured(spec, ["train"], write_jsonl(folder, many(6), "copy.jsonl"))
    assert overlap_lines(load(spec), copy) == []  # as of the source itself
    with pytest.raises(
        UserError, match=r"all 6 rows of 'train' are trained on: copy\.jsonl line 1"
    ):
        overlap_lines(load(spec), copy, other_source=True)


def sides(spec: DataSpec) -> tuple[set[int], set[int]]:
    held = load_measured(spec, ["holdout"])["holdout"].data
    return set(load(spec).data["answer"][:]), set(held["answer"][:])


def test_holdout_divides_the_rows_and_stays_when_rows_are_added(folder) -> None:
    spec = DataSpec(write_jsonl(folder, many(400)), holdout=0.1)
    train, held = sides(spec)
    assert train | held == set(range(400)) and not train & held
    assert 20 <= len(held) <= 60  # three standard deviations of a binomial around 40
    more = DataSpec(write_jsonl(folder, many(500)[::-1], "more.jsonl"), holdout=0.1, seed=3)
    assert {n for n in sides(more)[1] if n < 400} == held
    larger = DataSpec(spec.source, holdout=0.3)
    assert held < sides(larger)[1]
    name = load_measured(spec, ["test"])  # of one file they may go by this name too
    assert set(name["test"].data["answer"][:]) == held
    for names in (["nonsense"], ["test", "more"]):
        with pytest.raises(UserError, match=r"evaluation\.splits: '\w+', but .* has no splits"):
            load_measured(spec, names)


def test_holdout_by_cluster_and_by_id(folder) -> None:
    source = write_jsonl(folder, many(200))
    train, held = sides(DataSpec(source, holdout=0.2, columns={"cluster": "scene"}))
    assert {n // 4 for n in train} & {n // 4 for n in held} == set()
    assert 4 <= len(held) / 4 <= 18
    rows = [{**row, "question": "same", "id": f"r{n}"} for n, row in enumerate(many(60))]
    spec = DataSpec(write_jsonl(folder, rows), holdout=0.3, columns={"id": "id"})
    assert len(sides(spec)[1]) in range(6, 31)
    pattern = DataSpec(spec.source, holdout=0.3, columns={"id": "id"}, cluster_pattern=r"^r(\d)")
    train, held = sides(pattern)
    assert {str(n)[0] for n in train} & {str(n)[0] for n in held} == set()


def test_equal_rows_are_on_one_side(folder) -> None:
    spec = DataSpec(write_jsonl(folder, many(50) * 2), holdout=0.3)
    measured = load_measured(spec, ["holdout"])
    assert overlap_lines(load(spec), measured) == []


def test_limits_count_their_own_side(folder) -> None:
    spec = DataSpec(write_jsonl(folder, many(100)), holdout=0.5, limit=7)
    assert len(load(spec).data) == 7
    assert len(load_measured(spec, ["holdout"], rows=9)["holdout"].data) == 9
    first = load_measured(DataSpec(spec.source, holdout=0.5, seed=5), ["holdout"], rows=9)
    assert (
        first["holdout"].data["answer"][:]
        == (load_measured(spec, ["holdout"], rows=9)["holdout"].data["answer"][:])
    )


def test_holdout_that_leaves_nothing(folder) -> None:
    rows = [row for row in many(40) if row["scene"] == "s0"]
    spec = DataSpec(write_jsonl(folder, rows), holdout=0.001)
    with pytest.raises(UserError, match=r"data\.holdout: 0\.001 leaves nothing to measure of 4"):
        load_measured(spec, ["holdout"])
    for share in (0.0, 1.0, -1, 2):
        with pytest.raises(UserError, match=r"data\.holdout: .* between 0 and 1"):
            DataSpec(spec.source, holdout=share)
    with pytest.raises(UserError, match=r"data: the playground takes no holdout"):
        load(DataSpec("playground", holdout=0.1))


def saved_splits(folder) -> str:
    made = datasets.Dataset.from_list([{"question": f"q{i}", "answer": i} for i in range(40)])
    other = datasets.Dataset.from_list([{"question": f"t{i}", "answer": i} for i in range(5)])
    datasets.DatasetDict({"train": made, "test": other}).save_to_disk(str(folder / "saved"))
    return str(folder / "saved")


def test_splits_of_a_source_that_has_some(folder) -> None:
    spec = DataSpec(saved_splits(folder), columns={"image": None}, holdout=0.25)
    measured = load_measured(spec, ["test", "holdout", "train"])
    assert [len(measured["test"].data), measured["test"].data["question"][0]] == [5, "t0"]
    train = load(spec).data["answer"][:]
    assert measured["train"].data["answer"][:] == train  # without what is held out
    assert not set(train) & set(measured["holdout"].data["answer"][:])
    message = r"^evaluation\.splits: 'dev' is not a split of .*; it has \['test', 'train'\]"
    with pytest.raises(UserError, match=message):
        load_measured(spec, ["dev"])
    with pytest.raises(UserError, match=r"^data\.split: 'dev' is not a split of"):
        load(DataSpec(spec.source, split="dev"))
    trained = DataSpec(spec.source, split="test", columns={"image": None})
    with pytest.raises(UserError, match=r"evaluation\.splits: 'test' is data\.split, so it is tr"):
        load_measured(trained, ["test"])


def test_unknown_splits_of_a_folder_and_of_the_playground(tmp_path) -> None:
    made = datasets.Dataset.from_list([{"question": "q", "answer": 1}])
    (tmp_path / "f").mkdir()
    made.to_parquet(str(tmp_path / "f" / "train-00000-of-00001.parquet"))
    spec = DataSpec(str(tmp_path / "f"), columns={"image": None})
    with pytest.raises(UserError, match=r"^evaluation\.splits: 'dev' .*it has \['train'\]"):
        load_measured(spec, ["dev"])
    with pytest.raises(UserError, match=r"^evaluation\.splits: 'nonsense' is not a split of the p"):
        load_measured(DataSpec("playground"), ["nonsense"])
