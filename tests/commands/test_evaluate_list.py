"""Several benchmarks in one call of `noisygrpo evaluate`, and several processes."""

import json
import os
import sys
import traceback

import pytest
from tests.commands.nlvr_file import write_nlvr
from tests.evaluation.eval_data_folder import write_eval_data

from noisygrpo.evaluation.samples import read_samples
from two_processes import fork_two

SIX = "geo3k,hallubench,mathvista,wemath,mathverse,mathvision"
NAMES = ["geometry3k", "hallusionbench", "mathvista", "wemath", "mathverse", "mathvision"]
FILES = ("samples.jsonl", "result.json", "settings.json", "report.txt")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_eval_data(tmp_path_factory.mktemp("eval_data"))


def test_six_benchmarks_and_one_table(run_cli, model_folder, archive, tmp_path, monkeypatch):
    from noisygrpo.models import loading

    loads, load = [], loading.load_model
    monkeypatch.setattr(loading, "load_model", lambda spec: loads.append(spec) or load(spec))
    out = tmp_path / "out"
    words = ("evaluate", "--model", model_folder, "--benchmark", SIX, "--data", archive)
    words = (*words, "--prompt", "noisyrollout-7b", "--max-new-tokens", 3, "--output-dir", out)
    words = (*words, "--repetition-penalty", 1.05)
    status, printed, error = run_cli(*words)
    assert status == 0, error
    assert len(loads) == 1
    table = json.loads((out / "table.json").read_text())
    assert list(table) == NAMES
    assert [entry["n"] for entry in table.values()] == [2, 2, 2, 3, 1, 2]
    for name in NAMES:
        result = json.loads((out / name / "result.json").read_text())
        assert result["accuracy"] == table[name]["accuracy"]
        assert result["settings"]["generation"]["repetition_penalty"] == 1.05
        assert result["settings"]["prompt"] == "noisyrollout-7b"
    lines = (out / "report.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines[3:]] == NAMES
    assert "score_strict" in lines[6] and "image_aAcc" in lines[4]
    assert (out / "report.txt").read_text() in printed
    assert (out / "table.md").read_text().count("\n| ") == 8
    page = (out / "table.html").read_text()
    assert page.count("<tr>") == 7 and "<td>mathvision</td>" in page
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "wemath" / "result.json").unlink()
    monkeypatch.setattr(loading, "load_model", lambda spec: pytest.fail("all is answered"))
    assert run_cli(*words)[0] == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("geo3k,mmmu",), "benchmark: 'mmmu' is unknown"),
        (("geo3k,Geometry3K",), "geometry3k is named twice"),
        ((",",), "no name is given"),
        (("geo3k,wemath", "--split", "test"), "--split: only with one benchmark"),
        (("geo3k,wemath", "--image-root", "."), "--image-root: only with one benchmark"),
        (("geo3k,nlvr",), "nlvr: geometry3k/test/2401/data.json: expected a list of objects"),
        (("geo3k", "--max-model-len", "64"), "max_model_len: an argument of vLLM's; only with"),
        (("geo3k", "--vllm.max_num_seqs", "4"), "max_num_seqs: an argument of vLLM's"),
        (
            ("geo3k", "--vllm.max_model_len", "4", "--max-model-len", "8"),
            "--max-model-len says it already",
        ),
        (("geo3k", "--repetition-penalty", "0"), "repetition_penalty: 0.0"),
        (("geo3k", "--prompt", "noisyrollout-3b"), "noisyrollout-3b"),
        (("geo3k", "--engine", "vllm", "--text-bias-scale", "0.8"), "Use --engine hf"),
    ],
)
def test_mistakes_are_one_line_before_the_model(run_cli, archive, words, message):
    common = ("evaluate", "--model", "playground", "--data", archive, "--benchmark")
    status, _, error = run_cli(*common, *words)
    assert status == 2
    assert message in error and error.count("\n") == 1


def test_vllms_arguments_need_a_benchmark(run_cli):
    words = ("evaluate", "--model", "playground", "--vllm.max_num_seqs", "4")
    status, _, error = run_cli(*words, "--tensor-parallel-size", 2)
    assert status == 2
    assert "--tensor-parallel-size, --vllm.max_num_seqs: only with --benchmark" in error


def test_two_processes_write_the_files_of_one(run_cli, model_folder, tmp_path):
    """Also after a kill: what is there of either share is kept."""
    data = write_nlvr(tmp_path / "nlvr.parquet", rows=14)
    words = ["evaluate", "--model", model_folder, "--benchmark", "nlvr", "--data", str(data)]
    words += ["--batch-size", "2", "--max-new-tokens", "5", "--output-dir"]
    one, two, killed = (tmp_path / name for name in ("one", "two", "killed"))
    assert run_cli(*words, one)[0] == 0
    lines = (one / "samples.jsonl").read_text().splitlines(keepends=True)
    killed.mkdir()
    (killed / "settings.json").write_bytes((one / "settings.json").read_bytes())
    # The second process had answered a batch and a half, the first one nothing yet.
    order = [line for n in (0, 1, 2) for line in lines if f'"test-{n // 2}-0-{n % 2}"' in line]
    (killed / "samples.part-1.jsonl").write_text("".join(order) + lines[5][:40])
    benchmarks = ["evaluate", "--model", model_folder, "--benchmark", "nlvr,playground-test"]
    benchmarks += ["--rows", "5", "--batch-size", "2", "--max-new-tokens", "3"]
    benchmarks += ["--data", str(tmp_path), "--output-dir"]
    curve = [*words[:-1], "--rows", "3", "--robustness", "blur", "--levels", "1", "--output-dir"]
    splits = ["evaluate", "--model", model_folder, "--rows", "3", "--split", "test"]
    splits += ["--max-new-tokens", "3", "--output-dir"]
    further = {"benchmarks": benchmarks, "curve": curve, "splits": splits}
    for name, command in further.items():
        assert run_cli(*command, tmp_path / f"{name}-one")[0] == 0
    more = [[*command, str(tmp_path / f"{name}-two")] for name, command in further.items()]
    on_two_processes([*words, str(two)], [*words, str(killed)], *more)
    for name in further:
        assert files_in(tmp_path / f"{name}-one") == files_in(tmp_path / f"{name}-two"), name
    for folder in (two, killed):
        assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
        for name in FILES:
            assert (folder / name).read_bytes() == (one / name).read_bytes(), (folder, name)
    assert len(read_samples(one / "samples.jsonl")) == 14


def files_in(folder):
    """Every file with its bytes; of a plot, that it is there."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    plots = {path: b"" for path in paths if path.suffix == ".png"}
    return {str(p.relative_to(folder)): plots.get(p, p.read_bytes()) for p in paths}


def on_two_processes(*commands):
    """Run commands on two forks of this process, placed as a launcher places them."""
    fork_two(be, commands)


def be(rank, port, commands):
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", **{key: str(v) for key, v in place.items()}}
    from noisygrpo.cli import main

    status = 1
    try:
        status = max(main(command) for command in commands)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(status)  # what pytest has registered for its own end is not this process's
