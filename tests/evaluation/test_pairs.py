import json

import pytest

from noisygrpo.errors import UserError
from noisygrpo.evaluation.evaluate import evaluate_answers
from noisygrpo.evaluation.generate import Completion, Generation
from noisygrpo.evaluation.judge_api import summarize_verdicts
from noisygrpo.evaluation.metrics import all_correct_share
from noisygrpo.evaluation.pairs import (
    cluster_of,
    count_together,
    pair_of,
    pairs_summary,
    require_one_cluster,
    together,
)
from noisygrpo.evaluation.samples import read_samples
from noisygrpo.report.result import result_text
from tiny import tiny_rows

THREE = Generation(batch_size=3)
PAIRS = ("a", "a", "b", "b", "", "c", "d", "d")
RIGHT = (0, 1, 2, 4, 5)
"""Of eight rows: pair a whole, b half, the row alone right, c (one row) right, d wrong."""


def answer(rows):
    said = [
        row["answer"] if int(row["example_id"].removeprefix("row-")) in RIGHT else "-1"
        for row in rows
    ]
    return [Completion(f"<answer>{text}</answer>", 1, False) for text in said]


def paired_rows(pairs=PAIRS):
    return [{**row, "pair": pair} for row, pair in zip(tiny_rows(len(pairs)), pairs, strict=True)]


def sample(pair, correct, cluster="c"):
    own = {"pair": pair, "correct_alone": correct} if pair else {}
    return {"correct": correct, "cluster": cluster, **own}


def test_progress_ends_with_the_accuracy_that_is_reported(tmp_path, capsys):
    result = evaluate_answers(answer, paired_rows(), tmp_path, generation=THREE)
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("evaluation: 8/8") and last.endswith(f"accuracy {result.accuracy:.3f}")


def test_a_pair_is_right_only_if_both_rows_are(tmp_path):
    result = evaluate_answers(answer, paired_rows(), tmp_path, generation=THREE, progress=False)
    samples = read_samples(tmp_path / "samples.jsonl")
    assert [s["correct"] for s in samples] == [
        True, True, False, False, True, True, False, False,
    ]  # fmt: skip
    assert [s.get("correct_alone") for s in samples] == [
        True, True, True, False, None, True, False, False,
    ]  # fmt: skip
    assert [s["cluster"] for s in samples] == ["a", "a", "b", "b", "row-4", "c", "d", "d"]
    assert (result.accuracy, result.n, result.clusters) == (0.5, 8, 5)
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["accuracy"] == 0.5
    assert found["pairs"] == {
        "pairs": 4, "rows": 7, "single": 1, "right": 0.5, "right_alone": 4 / 7,
    }  # fmt: skip
    text = result_text(found)
    assert "4 pairs, right only as a whole: 50.0 %; their rows alone: 57.1 %" in text
    assert "1 of them have one evaluated row, which counts alone" in text


def test_evaluating_again_and_going_on_changes_nothing(tmp_path):
    rows, folder = paired_rows(), tmp_path / "run"
    evaluate_answers(answer, rows, folder, generation=THREE, progress=False)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    evaluate_answers(answer, rows, folder, generation=THREE, progress=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    lines = whole["samples.jsonl"].splitlines(keepends=True)
    (folder / "samples.jsonl").write_bytes(b"".join(lines[:3]))
    (folder / "result.json").unlink()
    evaluate_answers(answer, rows, folder, generation=THREE, progress=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_rows_without_pairs_leave_what_they_left(tmp_path):
    for name, rows in (("without", tiny_rows(4)), ("empty", paired_rows(["", "", "", ""]))):
        evaluate_answers(answer, rows, tmp_path / name, generation=THREE, progress=False)
    for name in ("settings.json", "samples.jsonl", "result.json"):
        found = [(tmp_path / folder / name).read_text() for folder in ("without", "empty")]
        assert found[0] == found[1]
    assert "pair" not in found[0]


def test_other_pairs_are_other_rows(tmp_path):
    evaluate_answers(answer, paired_rows(), tmp_path, generation=THREE, progress=False)
    with pytest.raises(UserError, match="other rows"):
        other = paired_rows(("x", *PAIRS[1:]))
        evaluate_answers(answer, other, tmp_path, generation=THREE, progress=False)


@pytest.mark.parametrize("value", [3, ["a"], {"of": 1}, True, 0])
def test_a_pair_that_is_no_text_is_one_message(value):
    with pytest.raises(UserError, match=r"^evaluation: row 7: pair is .*; allowed is text"):
        pair_of({"example_id": "7", "pair": value})


def test_names_of_pairs():
    assert pair_of({}) == pair_of({"pair": None}) == pair_of({"pair": "  "}) == ""
    assert pair_of({"pair": " a "}) == "a"


def test_the_cluster_is_the_pair_unless_the_data_names_one():
    assert cluster_of({"example_id": "1", "pair": "p"}) == "p"
    assert cluster_of({"example_id": "1", "cluster": "1", "pair": "p"}) == "p"
    assert cluster_of({"example_id": "1", "cluster": "scene", "pair": "p"}) == "scene"
    assert cluster_of({"example_id": "1", "cluster": "1", "pair": ""}) == "1"
    rows = [{"example_id": str(n), "cluster": f"scene{n}", "pair": "p"} for n in range(2)]
    with pytest.raises(UserError, match="pair 'p' lies in the clusters 'scene0' and 'scene1'"):
        require_one_cluster(rows)
    require_one_cluster([{**row, "cluster": "one"} for row in rows])


def test_groups_of_any_size_and_order_count_together():
    samples = [sample(p, c) for p, c in [("p", True), ("", False), ("q", True), ("p", True)]]
    samples += [sample("p", False), sample("q", True), sample("", True)]
    expected = [False, False, True, False, False, True, True]
    assert [s["correct"] for s in count_together(samples)] == expected
    assert count_together(count_together(samples)) == count_together(samples)
    assert pairs_summary([sample("", True)]) is None


def test_a_second_judge_is_counted_by_pairs_and_compared_by_rows():
    samples = count_together(
        [
            {**sample("p", own), "example_id": str(n), "failure": None}
            for n, own in enumerate([True, False])
        ]
    )
    said = {"0": {"correct": True}, "1": {"correct": False}}
    found = summarize_verdicts(samples, said, "judge")
    assert (found["accuracy"], found["agreement_with_rules"]) == (0.0, 1.0)
    assert together([True, True], samples) == [True, True]


def test_a_benchmark_that_reports_pairs_beside_rows_uses_the_same_sums():
    samples = count_together([sample("p", True), sample("p", False), sample("", True)])
    assert (
        all_correct_share(samples, lambda s: s["correct_alone"] if "pair" in s else None) == 2 / 3
    )


def test_a_number_is_a_cluster():
    assert cluster_of({"example_id": "7", "cluster": 0}) == "0"
    assert cluster_of({"example_id": "7", "cluster": None}) == "7"
