"""What can be compared sample by sample, and what is said of the rest."""

import json

import pytest
from tests.evaluation.written import write_evaluation

from noisygrpo.errors import UserError
from noisygrpo.evaluation.compare import compare_runs
from noisygrpo.evaluation.samples import refuse_leftovers
from noisygrpo.report.comparison import comparison_table

TURNS = [{"role": "user", "content": "How many?"}]
ASKED = {"question": "How many?", "prompt": TURNS}


def two(tmp_path, first, second):
    """Two evaluations of three rows; each side: further settings and fields of its samples."""
    return [
        write_evaluation(tmp_path / name, [1, 0, 1], settings=settings, fields=fields)
        for name, (settings, fields) in zip("ab", (first, second), strict=True)
    ]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (({"data": "1"}, ASKED), ({"data": "2"}, ASKED), "data in settings.json.*2 and 1"),
        (({}, ASKED), ({}, {**ASKED, "question": "Which?"}), r"questions of 3 rows.*'row-0'"),
        (({}, {"pair": "p"}), ({}, {}), "one side counts pairs, the other rows"),
        (({}, {"cluster": "c"}), ({}, {"cluster": "d"}), "clusters of 3 rows differ"),
        (({}, {"kind": "number"}), ({}, {"kind": "text"}), "kinds of 3 rows"),
        (({}, {"answer": ["a", "b"]}), ({}, {"answer": ["a"]}), "answers of 3 rows"),
        (({"data": "1"}, {"prompt": TURNS}), ({"data": "2"}, {"prompt": []}), "prompts differ"),
    ],
)
def test_other_rows_under_the_same_ids_are_refused(tmp_path, first, second, said):
    with pytest.raises(UserError, match=f"test: b .*not evaluated on the same samples.*{said}"):
        compare_runs(two(tmp_path, first, second))


def test_settings_that_differ_are_named_and_kept(tmp_path):
    clean = {"generation": {"temperature": 0.0, "max_new_tokens": 256, "seed": 0}, "prompt": ""}
    noisy = {
        "generation": {"temperature": 0.7, "max_new_tokens": 256, "seed": 3,
                       "repetition_penalty": 1.0},
        "view": {"kind": "blur", "level": 0.4, "text_only": False, "seed": 0},
        "weights": "other", "model": "other", "max_pixels": None,
    }  # fmt: skip
    found = compare_runs(two(tmp_path, (clean, {}), (noisy, {})))
    line = (
        "test: settings differ: generation.temperature: 0.0 (a), 0.7 (b); "
        'view.kind: none (a), "blur" (b); view.level: none (a), 0.4 (b)'
    )
    assert found.notes == (line,) and found.to_dict()["notes"] == [line]
    assert comparison_table(found).endswith(line)


def test_a_view_without_effect_is_none(tmp_path):
    view = {"view": {"kind": "gaussian", "level": 0.0, "text_only": False, "seed": 0}}
    assert compare_runs(two(tmp_path, ({}, {}), (view, {}))).notes == ()


def test_other_prompts_of_the_same_questions_are_compared_and_named(tmp_path):
    other = {**ASKED, "prompt": [{"role": "user", "content": "How many? Think."}]}
    first, second = ({"data": "1"}, ASKED), ({"data": "2"}, other)
    (note,) = compare_runs(two(tmp_path, first, second)).notes
    assert note.startswith("test: settings differ: prompt: the words of ")


def test_an_older_fingerprint_is_of_the_same_rows(tmp_path):
    assert compare_runs(two(tmp_path, ({"data": "1"}, ASKED), ({"data": "1-2"}, ASKED)))


def test_tasks_of_other_weights_in_one_folder_are_said(tmp_path):
    for run, weights in {"a": ("old", "new"), "b": ("w", "w")}.items():
        for task, of in zip(("one", "two"), weights, strict=True):
            write_evaluation(tmp_path / run / task, [1, 0, 1], settings={"weights": of})
    (note,) = compare_runs([tmp_path / "a", tmp_path / "b"]).notes
    assert "its tasks are of different weights: one: old; two: new" in note


def lines_of(folder):
    path = folder / "samples.jsonl"
    return path, [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("value", [float("nan"), None, "yes", [1], 1.5, -0.1])
def test_a_verdict_that_is_none_is_one_message(tmp_path, value):
    a, b = two(tmp_path, ({}, {}), ({}, {}))
    path, lines = lines_of(b)
    lines[1]["correct"] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match=r"samples.jsonl: line 2: correct is .*from 0 to 1"):
        compare_runs([a, b])


@pytest.mark.parametrize("name", ["correct", "example_id", "cluster", "answer"])
def test_a_field_that_is_missing_is_one_message(tmp_path, name):
    a, b = two(tmp_path, ({}, {}), ({}, {}))
    path, lines = lines_of(b)
    del lines[2][name]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match=f"samples.jsonl: line 3: {name} is missing"):
        compare_runs([a, b])


def test_an_id_twice_is_refused(tmp_path):
    a, b = two(tmp_path, ({}, {}), ({}, {}))
    path, lines = lines_of(b)
    path.write_text("".join(json.dumps(line) + "\n" for line in (*lines, lines[0])))
    with pytest.raises(UserError, match=r"b/samples.jsonl: line 4: example_id 'row-0'.*line 1"):
        compare_runs([a, b])


def test_an_id_that_is_a_list_is_refused(tmp_path):
    a, b = two(tmp_path, ({}, {}), ({}, {"example_id": ["x"]}))
    with pytest.raises(UserError, match=r"line 1: example_id is \['x'\], allowed is text"):
        compare_runs([a, b])


def test_a_last_row_without_a_newline_counts_and_a_missing_row_is_said(tmp_path):
    a, b = two(tmp_path, ({}, {}), ({}, {}))
    path, _ = lines_of(b)
    path.write_text(path.read_text().removesuffix("\n"))
    assert compare_runs([a, b]).differences[0].n == 3
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(UserError, match=r"has 2 samples, n of result.json is 3"):
        compare_runs([a, b])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("settings.json", b'{"name": "te', "settings.json: not JSON .*cut short"),
        ("settings.json", b"[1]", "settings.json: holds a list, allowed is a JSON object"),
        ("result.json", b'{"n": NaN}', "result.json: not JSON .*NaN is no number"),
        ("samples.jsonl", '{"example_id": "ü"}\n'.encode("utf-16"), "samples.jsonl: not UTF-8"),
        ("samples.jsonl", '{"example_id": "ü"}\n'.encode("latin-1"), "samples.jsonl: not UTF-8"),
    ],
)
def test_a_damaged_file_is_one_message(tmp_path, name, content, said):
    a, b = two(tmp_path, ({}, {}), ({}, {}))
    (b / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        compare_runs([a, b])


def test_overwriting_leaves_nothing_of_other_weights(tmp_path):
    for name, weights in {"test": "old", "more": "old", "absent": "new"}.items():
        write_evaluation(tmp_path / name, [1], settings={"weights": weights})
    with pytest.raises(UserError, match=r"--overwrite: .*other weights.* \(more\); remove them"):
        refuse_leftovers(tmp_path, ["test"], "new", lambda found: True)
    refuse_leftovers(tmp_path, ["test", "more"], "new", lambda found: True)
    refuse_leftovers(tmp_path, ["test"], "new", lambda found: "view" in found)
