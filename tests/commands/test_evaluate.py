"""`noisygrpo evaluate` as a user runs it, on a tiny random model."""

import json
import subprocess
import sys

import pytest
from PIL import Image as Picture
from tests.commands.nlvr_file import SHORT, write_nlvr

from killed import hold, kill_once
from noisygrpo.cli import main
from noisygrpo.evaluation.samples import SampleStore, read_samples
from tiny import tiny_image, tiny_qwen25vl


def test_evaluate_needs_a_model(run_cli):
    status, _, error = run_cli("evaluate")
    assert status == 2 and "--model" in error


def test_a_benchmark_has_no_recipe_to_override(run_cli):
    words = ("evaluate", "--model", "playground", "--benchmark", "nlvr", "--training.seed", "1")
    status, _, error = run_cli(*words)
    assert status == 2 and "--training.seed" in error


def test_an_unknown_benchmark_lists_them(run_cli):
    words = ("evaluate", "--model", "playground", "--benchmark", "nlvr3")
    status, _, error = run_cli(*words)
    assert status == 2 and "nlvr" in error and "mathvision" in error


@pytest.fixture
def nlvr(tmp_path):
    return write_nlvr(tmp_path / "nlvr.parquet")


def read(path):
    return json.loads(path.read_text())


def test_every_option_reaches_the_record(run_cli, model_folder, nlvr, tmp_path):
    out = tmp_path / "out"
    words = ("evaluate", "--model", model_folder, "--benchmark", "nlvr", "--data", nlvr, *SHORT)
    decoding = ("--temperature", 0.7, "--top-p", 0.9, "--seed", 3, "--model.dtype", "float32")
    sight = ("--max-pixels", 1568, "--min-pixels", 784)
    sight = (*sight, "--noise-level", 0.4, "--noise-kind", "blur")
    text = ("--system", "Be brief.", "--prompt", "Is it so? {question}", "--rows", 5)
    where = ("--output-dir", out, "--lmms-eval", tmp_path / "logs")
    status, printed, error = run_cli(*words, *decoding, *sight, *text, *where)
    assert status == 0, error
    settings = read(out / "settings.json")
    assert settings["generation"] == {
        "batch_size": 4, "max_new_tokens": 3, "temperature": 0.7, "top_p": 0.9, "seed": 3,
        "text_bias_scale": 0.0,
    }  # fmt: skip
    assert settings["view"] == {
        "kind": "blur", "level": 0.4, "text_only": False, "seed": 3, "limits": [784, 1568],
    }  # fmt: skip
    assert (settings["max_pixels"], settings["min_pixels"]) == (1568, 784)
    assert settings["dtype"] == "float32"
    assert len(settings["weights"]) == 32
    prompt = read_samples(out / "samples.jsonl")[0]["prompt"]
    assert prompt[0] == {"role": "system", "content": "Be brief."}
    assert prompt[1]["content"].startswith("Is it so? ")
    assert prompt[1]["content"].endswith("There are 0 circles")
    assert "% right (n = 5 in 3 clusters)" in printed
    assert "permutation_agreement" in printed
    assert (out / "report.txt").read_text() in printed
    assert "5/5" in error and "took" in error
    assert len(list((tmp_path / "logs").rglob("*_samples_nlvr.jsonl"))) == 1


def test_a_broken_image_is_shown_and_counts_as_wrong(run_cli, model_folder, tmp_path):
    data, out = write_nlvr(tmp_path / "nlvr.parquet", broken=(1, 4)), tmp_path / "out"
    words = ("evaluate", "--model", model_folder, "--benchmark", "nlvr", "--data", data, *SHORT)
    status, printed, _ = run_cli(*words, "--output-dir", out)
    assert status == 0
    assert "2 failed, counted as wrong:" in printed
    assert "test-0-0-1: image 0 cannot be read" in printed
    result = read(out / "result.json")
    assert (result["n"], result["failures"]) == (6, 2)
    assert [entry["example_id"] for entry in result["failed"]] == ["test-0-0-1", "test-2-0-0"]


def test_other_weights_at_the_same_path_are_noticed(run_cli, model_folder, nlvr, tmp_path):
    model, out = tmp_path / "model", tmp_path / "out"
    subprocess.run(["cp", "-r", model_folder, model], check=True)
    words = ("evaluate", "--model", model, "--benchmark", "nlvr", "--data", nlvr, *SHORT)
    words = (*words, "--output-dir", out)
    assert run_cli(*words)[0] == 0
    first = read(out / "settings.json")["weights"]
    subprocess.run(["touch", model / "model.safetensors"], check=True)
    assert run_cli(*words)[0] == 0  # the same weights, whenever they were written
    tiny_qwen25vl(seed=1)[0].save_pretrained(model)
    status, _, error = run_cli(*words)
    assert status == 2
    assert "of other weights" in error and "--overwrite" in error and error.count("\n") == 1
    status, _, error = run_cli(*words, "--overwrite")
    assert status == 0, error
    assert read(out / "settings.json")["weights"] != first


def test_robustness_is_a_table_and_a_plot(run_cli, model_folder, nlvr, tmp_path):
    out = tmp_path / "out"
    words = ("evaluate", "--model", model_folder, "--benchmark", "nlvr", "--data", nlvr, *SHORT)
    words = (*words, "--rows", 4, "--output-dir", out, "--robustness")
    status, printed, error = run_cli(*words, "gaussian", "blur", "--levels", 0, 0.5, 1)
    assert status == 0, error
    assert (out / "report.txt").read_text() in printed
    assert [line.split()[0] for line in printed.split("\n") if "±" in line][1:] == [
        "gaussian", "blur", "text",
    ]  # fmt: skip
    assert "the image is worth" in printed
    with Picture.open(out / "robustness.png") as plot:
        assert plot.format == "PNG"
    views = {path.parent.name for path in out.rglob("result.json")}
    assert views == {"clean", "gaussian-0.5", "gaussian-1", "blur-0.5", "blur-1", "text-only"}
    assert "consistency" in read(out / "clean" / "result.json")["metrics"]


def test_vllm_that_is_missing_is_one_line_and_blocks_nothing(
    run_cli, model_folder, nlvr, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "vllm", None)
    words = ("evaluate", "--model", model_folder, "--benchmark", "nlvr", "--data", nlvr, *SHORT)
    words = (*words, "--rows", 2, "--output-dir", tmp_path / "out")
    status, _, error = run_cli(*words, "--engine", "vllm")
    assert status == 2
    assert "pip install 'vllm>=0.22,<0.32'" in error and "Traceback" not in error
    assert run_cli(*words)[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--benchmark", "mmmu"), "benchmark: 'mmmu' is unknown; there are playground-test"),
        (("--benchmark", "nlvr"), "nlvr: --data is needed"),
        (("--benchmark", "nlvr", "--data", "gone.parquet"), "'gone.parquet' does not exist"),
        (("--benchmark", "mmstar", "--data", "NLVR"), "mmstar: nlvr.parquet has no column 'index'"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--noise-level", "2"), "noise level: 2.0"),
        (
            ("--benchmark", "nlvr", "--data", "NLVR", "--noise-at", "file"),
            "noise_at: 'file' has no",
        ),
        (("--noise-at", "file"), "noise_at: 'file' has no effect without noise_level"),
        (("--noise-at", "gpu", "--noise-level", ".5"), "noise_at: 'gpu', allowed are model, file"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--robustness", "fog"), "'fog' is not one of"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--levels", "1"), "only with --robustness"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--engine", "tgi"), "allowed are hf, vllm"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--judge-url", "http://a"), "judge model"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--judge-model", "a"), "judge url"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--model.lora.r", "8"), "model.lora.r is not"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--recipe", "a.yaml"), "takes none"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--temperature", "-1"), "temperature: -1.0"),
        (("--benchmark", "nlvr", "--data", "NLVR", "--max-new-tokens", "0"), "max_new_tokens: 0"),
        (("--prompt", "official", "--engine", "vllm"), "--prompt, --engine: only with --benchmark"),
    ],
)
def test_mistakes_are_one_line(run_cli, model_folder, nlvr, words, message):
    words = [str(nlvr) if word == "NLVR" else word for word in words]
    status, _, error = run_cli("evaluate", "--model", model_folder, *words)
    assert status == 2
    assert message in error
    assert error.startswith("error: ") and error.count("\n") == 1


def test_a_wrong_image_folder_is_found_before_the_first_answer(run_cli, model_folder, tmp_path):
    line = {"image_path": "a.png", "question": "How long?", "ground_truth": "$145$"}
    (tmp_path / "geoqa.jsonl").write_text(json.dumps(line) + "\n")
    words = ("evaluate", "--model", model_folder, "--benchmark", "geoqa", *SHORT)
    words = (*words, "--data", tmp_path / "geoqa.jsonl", "--output-dir", tmp_path / "out")
    status, _, error = run_cli(*words)
    assert status == 2
    assert "none can be read" in error and "a.png" in error and "--image-root" in error
    (tmp_path / "pictures").mkdir()
    tiny_image(0).save(tmp_path / "pictures" / "a.png")
    assert run_cli(*words, "--image-root", tmp_path / "pictures")[0] == 0


def test_the_splits_of_a_recipe_take_the_options_of_decoding(run_cli, model_folder, tmp_path):
    out = tmp_path / "out"
    words = ("evaluate", "--model", model_folder, "--rows", 2, "--split", "test", "--output-dir")
    status, printed, error = run_cli(*words, out, *SHORT, "--text-only", "--seed", 5)
    assert status == 0, error
    settings = read(out / "test" / "settings.json")
    assert settings["view"]["text_only"] is True
    assert (settings["generation"]["seed"], settings["generation"]["max_new_tokens"]) == (5, 3)
    assert len(settings["weights"]) == 32
    assert (out / "report.txt").read_text() in printed
    assert (out / "test" / "report.txt").is_file()


def test_a_report_finds_the_rows_of_a_recipe_that_was_named(
    run_cli, model_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    tiny_image(0).save("a.png")
    rows = [{"question": f"{n}?", "image": "a.png", "answers": ["1", "one"]} for n in range(2)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    data = "base: playground\ndata: {source: rows.json}\n"
    (tmp_path / "mine.yaml").write_text(f"{data}evaluation: {{splits: [train], source: rows.json}}")
    words = ("evaluate", "--model", model_folder, "--recipe", "mine.yaml", "--output-dir", "out")
    assert run_cli(*words, *SHORT)[0] == 0
    assert read(tmp_path / "out" / "train" / "settings.json")["name"] == "train"
    status, printed, error = run_cli("report", "out", "--output", "page.html")
    assert status == 0, error
    assert "no picture" not in printed and "picture" not in error
    (tmp_path / "rows.json").rename(tmp_path / "moved.json")
    assert "'rows.json' does not exist" in "".join(
        run_cli("report", "out", "--output", "b.html")[1:]
    )


def test_benchmarks_are_listed(run_cli):
    status, printed, _ = run_cli("evaluate", "--list-benchmarks")
    assert status == 0
    assert "amber-generative-official" in printed and "Lin-Chen/MMStar" in printed


def answer_and_hold(words, batches):
    """Be the command, which comes to a halt when it is to write one batch more."""
    append, left = SampleStore.append, iter(range(batches))

    def held(store, samples):
        if next(left, None) is None:
            hold()
        append(store, samples)

    SampleStore.append = held
    main(words)


def test_a_killed_command_continues_to_the_same_result(run_cli, model_folder, tmp_path):
    data = write_nlvr(tmp_path / "nlvr.parquet", rows=24)
    words = ["evaluate", "--model", model_folder, "--benchmark", "nlvr", "--data", str(data)]
    words += ["--batch-size", "2", "--max-new-tokens", "10", "--output-dir"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    samples = killed / "samples.jsonl"
    kill_once(
        lambda: samples.exists() and samples.read_bytes().count(b"\n") == 6,
        *(answer_and_hold, [*words, str(killed)], 3),
    )
    assert not (killed / "result.json").exists()
    assert len(read_samples(samples)) == 6
    for folder in (killed, whole):
        assert run_cli(*words, folder)[0] == 0
    for name in ("samples.jsonl", "result.json", "settings.json", "report.txt"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
