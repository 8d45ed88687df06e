"""`noisygrpo compare` as a user runs it."""

import json

import pytest
from PIL import Image as Picture
from tests.commands.nlvr_file import SHORT, write_nlvr
from tests.evaluation.written import write_evaluation


def test_evaluate_on_a_benchmark_and_compare(run_cli, model_folder, tmp_path):
    words = ("evaluate", "--model", model_folder, "--benchmark", "playground-test", "--rows", "3")
    short = ("--max-new-tokens", "3")
    for name, noise in (("clean", "0"), ("noisy", "0.9")):
        folder = ("--output-dir", str(tmp_path / name), "--noise-level", noise)
        status, text, _ = run_cli(*words, *short, *folder)
        assert status == 0 and "n = 3" in text
    runs = (f"clean={tmp_path / 'clean'}", f"noisy={tmp_path / 'noisy'}")
    status, text, _ = run_cli("compare", *runs, "--plot", str(tmp_path / "plot.png"))
    assert status == 0 and "noisy - clean" in text
    assert (tmp_path / "plot.png").is_file()


@pytest.fixture
def nlvr(tmp_path):
    return write_nlvr(tmp_path / "nlvr.parquet")


def read(path):
    return json.loads(path.read_text())


def test_compare_two_evaluations(run_cli, model_folder, nlvr, tmp_path):
    words = ("evaluate", "--model", model_folder, "--benchmark", "nlvr", "--data", nlvr, *SHORT)
    for name, level in {"clean": 0, "noisy": 0.9}.items():
        out = ("--output-dir", tmp_path / name, "--noise-level", level)
        assert run_cli(*words, *out)[0] == 0
    runs = (tmp_path / "clean", tmp_path / "noisy")
    files = ("--plot", tmp_path / "a" / "plot.png", "--json", tmp_path / "b" / "numbers.json")
    status, printed, error = run_cli("compare", *runs, *files, "--confidence", 0.9)
    assert status == 0, error
    assert "noisy - clean" in printed and "points [90 %]" in printed
    numbers = read(tmp_path / "b" / "numbers.json")
    (item,) = numbers["differences"]
    assert (item["clusters"], item["n"], item["confidence"]) == (3, 6, 0.9)
    assert item["low"] <= item["difference"] <= item["high"]
    with Picture.open(tmp_path / "a" / "plot.png") as plot:
        assert plot.format == "PNG"


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("--plot", "p.pdf", "ends in '.pdf', allowed is .png"),
        ("--plot", "a", "is a folder, allowed is a file"),
        ("--json", "a", "is a folder, allowed is a file"),
        ("--json", "a/samples.jsonl/x.json", "which is a file"),
        ("--plot", "a/samples.jsonl/x.png", "which is a file"),
    ],
)
def test_a_file_that_cannot_be_written_is_said_before(run_cli, tmp_path, option, name, said):
    runs = [write_evaluation(tmp_path / run, [1, 0, 1]) for run in "ab"]
    status, printed, error = run_cli("compare", *runs, option, tmp_path / name)
    assert status == 2 and said in error and option in error and not printed


def test_what_differs_is_printed_and_in_the_json(run_cli, tmp_path):
    views = ({}, {"view": {"level": 0.4, "kind": "blur"}})
    runs = [
        write_evaluation(tmp_path / run, [1, 0, 1], settings=view)
        for run, view in zip("ab", views, strict=True)
    ]
    status, printed, _ = run_cli("compare", *runs, "--json", tmp_path / "numbers.json")
    assert status == 0 and 'view.kind: none (a), "blur" (b)' in printed
    assert read(tmp_path / "numbers.json")["notes"][0] in printed
