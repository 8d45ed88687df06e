"""`make gpu-figures` on a CPU: parts, what is kept of them, and the table."""

import json
import os
import signal
from dataclasses import replace

import pytest
import torch

import gpu_figures
import gpu_measure
from alone import told
from gpu_figures import known, main, place, run_all, write
from gpu_measure import does_not_fit, in_use
from gpu_parts import LIMIT, TINY, Shapes, all_parts, chosen
from gpu_table import goals, markdown
from machine import UNKNOWN, nvidia, this_machine
from models.memory_table import MODELS, TOWER2
from noisygrpo.errors import UserError
from noisygrpo.runs.lock import only_one
from shapes import SIZES, operations


@pytest.fixture(scope="module")
def machine():
    return this_machine("cpu")


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def parts(*words):
    return chosen(all_parts(TINY), list(words))


def results_of(tmp_path):
    (found,) = tmp_path.glob("cpu-*")
    return found


# ---- the parts ----


def test_the_parts_are_those_that_are_asked_for():
    every = all_parts(Shapes())
    names = [part.name for part in every]
    assert len(set(names)) == len(names) == 56
    assert names[0] == "3b-full-update-trl"
    for what in ("update", "step"):
        found = [part for part in every if part.what == what]
        assert {(p.job.size, p.job.lora) for p in found} == {
            (size, lora) for size in ("3b", "7b") for lora in (False, True)
        }
        assert {p.job.kernel for p in found if p.job.kind == "grpo"} == {"sdpa", "flex"}
    for part in every:
        job = part.job
        assert (job.dtype, job.device, job.group) == ("bfloat16", "cuda", 8)
        assert job.image_size == (896, 896)  # 32 x 32 tokens of 28 x 28 pixels
    assert LIMIT == 8 * 60


def test_every_part_has_one_of_trls_to_be_compared_with():
    every = [part for part in all_parts(Shapes()) if part.what != "rollouts"]
    for part in every:
        same = [
            other
            for other in every
            if (other.job.size, other.job.lora, other.setting)
            == (part.job.size, part.job.lora, part.setting)
        ]
        (trl,) = [other for other in same if other.job.kind == "trl"]
        alike = {"kind": "trl", "kernel": "sdpa", "prefill": False}
        assert replace(part.job, **alike) == trl.job


def test_the_sizes_are_those_of_the_published_models():
    for name, size in (("Qwen2.5-VL-3B", "3b"), ("Qwen2.5-VL-7B", "7b")):
        known = MODELS[name]
        assert {key: known[key] for key in SIZES[size]["text"]} == SIZES[size]["text"]
        assert {key: TOWER2[key] for key in SIZES[size]["vision"]} == SIZES[size]["vision"]
        assert SIZES[size].get("tied", True) == known["tie_word_embeddings"]


def test_an_update_of_eight_takes_several_times_the_operations():
    job = all_parts(Shapes())[0].job
    ratio = operations(job, job.prompt, False) / operations(job, job.prompt, True)
    assert 5 < ratio < 8  # more than the goal of three


# ---- from end to end ----


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the parts of a full update, of one whole step and of sampling."""
    folder = tmp_path_factory.mktemp("figures")
    for words in (["full", "update"], ["lora", "step", "noisy"], ["rollouts"]):
        assert main(["--tiny", "--output-dir", str(folder), "--only", *words]) == 0
    return folder


def test_from_end_to_end(made, machine):
    folder = results_of(made)
    assert folder.name == place(machine, TINY)
    for part in parts("full", "update"):
        result = known(folder, part, machine, every=True)
        if part.job.kernel == "flex":
            assert result["outcome"] == "not here" and "needs a GPU" in result["note"]
            assert known(folder, part, machine) is None  # tried again next time
            continue
        assert result["outcome"] == "measured"
        assert len(result["seconds"]) == 1 and result["seconds"][0] > 0
        assert 0 < result["added"] < result["peak"]
        # 470 thousand parameters: weights, gradients and two moments of two bytes, and more
        assert 3e6 < result["forecast"] < 3e7
    (vllm,) = parts("vllm")
    assert "pip install" in known(folder, vllm, machine, every=True)["note"]
    (engine,) = parts("generate")
    assert known(folder, engine, machine)["tokens_per_second"] > 0


def test_ours_and_trls_make_the_same_update(made, machine):
    folder = results_of(made)
    norms = [
        known(folder, part, machine)["norm"]
        for part in parts("full", "update")
        if part.name.endswith(("update-trl", "update-ours"))
    ]
    assert norms[0] == pytest.approx(norms[1], rel=0.02)  # of bfloat16


def test_the_table_has_all_of_it(made):
    folder = results_of(made)
    text = (folder / "table.md").read_text()
    assert text.startswith("`make gpu-figures` on CPU, driver none, torch ")
    assert "commit " in text and "parts are missing" in text
    rows = [line for line in text.splitlines() if line.startswith("| tiny")]
    assert len(rows) == 5 + 1 + 1
    assert all(line.count("|") == 11 for line in rows)
    found = json.loads((folder / "figures.json").read_text())
    states = {goal["text"]: goal["state"] for goal in found["goals"]}
    assert len(states) == 6
    assert states["tiny, full: update at least 3 times as fast as TRL's"] in ("met", "missed")
    assert states["tiny, LoRA: update at least 3 times as fast as TRL's"] == "not measured"


def test_a_second_call_measures_nothing_again(made, capsys, monkeypatch):
    monkeypatch.setattr(gpu_figures, "in_its_process", pytest.fail)
    assert main(["--tiny", "--output-dir", str(made), "--only", "lora", "step", "noisy"]) == 0
    assert "1/1" not in capsys.readouterr().out


# ---- what goes wrong ----


def out_of_memory(part, until):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def wrong(part, until):
    raise RuntimeError("the reason")


def dead(part, until):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_part_that_does_not_fit_is_a_result(folder, machine, monkeypatch, capsys):
    monkeypatch.setitem(gpu_measure.MEASURES, "update", out_of_memory)
    one = parts("full", "update", "trl")[:1]
    assert not run_all(one, machine, folder, minutes=None)
    assert known(folder, one[0], machine)["outcome"] == "does not fit"
    write(TINY, machine, folder, document=False)
    said = capsys.readouterr().out
    assert "| TRL | does not fit in this machine's memory |" in said
    assert "not measured: tiny, full: update at least" in said
    assert "TRL does not fit in this machine's memory; ours is missing" in said


@pytest.mark.parametrize(
    ("work", "reason"), [(wrong, "RuntimeError: the reason"), (dead, "status -9")]
)
def test_a_part_that_dies_is_tried_again(folder, machine, monkeypatch, capsys, work, reason):
    one = parts("full", "update", "trl")[:1]
    with monkeypatch.context() as patch:
        patch.setitem(gpu_measure.MEASURES, "update", work)
        assert run_all(one, machine, folder, minutes=None)
    assert reason in capsys.readouterr().out
    assert known(folder, one[0], machine) is None
    numbers = {"seconds": [1.0], "added": 1, "peak": 2, "tokens_per_second": 3.0}
    monkeypatch.setitem(gpu_measure.MEASURES, "update", lambda part, until: numbers)
    assert not run_all(one, machine, folder, minutes=None)
    assert known(folder, one[0], machine)["seconds"] == [1.0]


def test_a_part_that_takes_too_long_is_a_result(folder, machine, capsys):
    one = parts("full", "update", "trl")[:1]
    assert not run_all(one, machine, folder, minutes=None, run=lambda *given: None)
    assert known(folder, one[0], machine)["note"] == "more than 8 minutes"
    run_all(one, machine, folder, minutes=None, run=pytest.fail)


def test_a_call_may_have_minutes(folder, machine, capsys):
    run_all(parts(), machine, folder, minutes=1e-9, run=pytest.fail)
    assert "not begun" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["{", "[]", "{}", "format", "shapes", "card", "torch"])
def test_an_old_file_does_not_count(folder, machine, capsys, change):
    (one,) = parts("generate")
    file = folder / f"{one.name}.json"
    gpu_figures.keep(file, one, machine, {"outcome": "too slow", "note": ""})
    assert known(folder, one, machine) is not None
    result = json.loads(file.read_text())
    if change == "format":
        result["format"] = 0
    elif change == "shapes":
        result["part"]["job"]["image_tokens"] += 1
    else:
        result["machine"][change] = "another"
    file.write_text(change if change in ("{", "[]", "{}") else json.dumps(result))
    assert known(folder, one, machine) is None
    assert "it does not count" in capsys.readouterr().out


def test_vllms_environment_may_have_its_own_torch(folder, machine):
    (one,) = parts("vllm")
    other = replace(machine, torch="2.0.0")
    gpu_figures.keep(folder / f"{one.name}.json", one, other, {"outcome": "too slow", "note": ""})
    assert known(folder, one, machine) is not None


def test_other_shapes_have_another_folder(machine):
    names = {
        place(machine, TINY),
        place(machine, replace(TINY, completion=16)),
        place(replace(machine, sources="x"), TINY),
        place(replace(machine, driver="x"), TINY),
    }
    assert len(names) == 4


def test_without_a_gpu_it_says_so(folder, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["--output-dir", str(folder)]) == 2
    assert capsys.readouterr().out.startswith("error: nvidia-smi names no card here; --tiny")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["--minutes", "0"],
        ["--rounds", "-1"],
        ["--tiny", "--document"],
        ["--completion", "x"],
    ],
)
def test_wrong_options_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


def test_hidden_cards_are_none(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert nvidia() == (UNKNOWN, 0.0, "unknown")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("NVIDIA H100 80GB HBM3, 81559, 550.54.15\n", ("NVIDIA H100 80GB HBM3", 550)),
        ("No devices were found\n", (UNKNOWN, None)),
        ("NVIDIA H100, [N/A], 550.54.15\n", (UNKNOWN, None)),
    ],
)
def test_the_card_is_what_nvidia_smi_says(monkeypatch, tmp_path, said, found):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    card, memory, driver = nvidia()
    assert card == found[0]
    if found[1]:
        assert (round(memory, 1), driver) == (79.6, "550.54.15")


def test_one_call_at_a_time(folder, capsys):
    place_of_both = folder / place(this_machine("cpu"), TINY)
    with only_one(place_of_both):
        words = ["--tiny", "--output-dir", str(folder), "--only", "generate"]
        assert told(lambda: main(words)) == 2
    assert "is in use by process" in capsys.readouterr().err


def test_a_folder_that_is_a_file(folder, capsys):
    (folder / "file").touch()
    words = ["--tiny", "--output-dir", str(folder / "file"), "--only", "generate"]
    assert told(lambda: main(words)) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_an_interruption_is_said(capsys):
    def interrupted():
        raise KeyboardInterrupt

    assert told(interrupted) == 130
    assert "goes on" in capsys.readouterr().err


def test_no_such_part(capsys):
    assert main(["--tiny", "--only", "13b"]) == 2
    assert "no part has all of these words" in capsys.readouterr().out


def test_a_card_that_others_use_says_nothing_about_what_fits(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (30 * 2**30, 80 * 2**30))
    assert in_use("cuda") == "the card is in use: 30 of its 80 GiB are free"
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (79 * 2**30, 80 * 2**30))
    assert in_use("cuda") is None


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (ValueError("No available memory for the cache blocks. Try increasing"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("memory"), False),
    ],
)
def test_what_says_that_memory_is_too_small(error, full):
    assert does_not_fit(error) is full
    wrapped = RuntimeError("engine failed")
    wrapped.__cause__ = error
    assert does_not_fit(wrapped) is full


# ---- the goals ----


def result(machine, **numbers):
    return {"outcome": "measured", "machine": machine.to_dict(), "date": "2026-01-01", **numbers}


@pytest.mark.parametrize(
    ("trl", "ours", "states"),
    [
        ((3.0, 30), (1.0, 10), ["met", "met"]),
        ((2.9, 30), (1.0, 10), ["missed", "met"]),
        ((3.0, 29), (1.0, 10), ["met", "missed"]),
        ((3.0, 29), (1.0, 0), ["met", "met"]),
    ],
)
def test_the_goals_of_the_update(machine, trl, ours, states):
    names = "tiny-full-update-trl", "tiny-full-update-ours"
    found = {
        name: result(machine, seconds=[seconds], added=added)
        for name, (seconds, added) in zip(names, (trl, ours), strict=True)
    }
    # What the recipes' settings give is no answer to the goal.
    found["tiny-full-update-recipe-trl"] = result(machine, seconds=[0.1], added=1)
    assert [goal.state for goal in goals(parts("full"), found)] == [*states, "not measured"]


@pytest.mark.parametrize(("noisy", "state"), [(1.05, "met"), (1.06, "missed")])
def test_the_goal_of_the_step(machine, noisy, state):
    found = {
        "tiny-lora-step-noisy": result(machine, seconds=[9.0, noisy, 0.1]),
        "tiny-lora-step-ours": result(machine, seconds=[1.0]),
        "tiny-lora-step-prefill": result(machine, seconds=[0.1]),
    }
    assert goals(parts("lora"), found)[-1].state == state


def test_a_row_names_least_and_most(machine):
    every = parts("full", "step")
    numbers = {"added": 1.5e9, "peak": 7e10, "forecast": 6.5e10, "tokens_per_second": 1234.5}
    found = {
        "tiny-full-step-trl": result(machine, seconds=[4.0, 6.0, 5.0], **numbers),
        "tiny-full-step-ours": result(machine, seconds=[2.0, 2.5, 3.0], **numbers),
    }
    line = markdown(every, found, "").splitlines()[-1]
    setting = "step, 2 x 4 rollouts of 8 tokens"
    assert line == (
        f"| tiny | full | {setting} | shared prefix | 2.5 (2 to 3) | 2.00 | 1,234 | 1.5 | 70 | 65 |"
    )


def test_the_table_goes_between_its_marks(folder, machine, monkeypatch, capsys):
    page = folder / "page.md"
    page.write_text(f"before\n{gpu_figures.BEGIN}\nold\n{gpu_figures.END}\nafter\n")
    monkeypatch.setattr(gpu_figures, "PAGE", page)
    (one,) = parts("generate")
    numbers = {"rates": [1.0, 2.0, 3.0], "tokens_per_second": 2.0}
    gpu_figures.keep(folder / f"{one.name}.json", one, machine, {"outcome": "measured", **numbers})
    for _ in range(2):
        write(TINY, machine, folder, document=True)
    text = page.read_text()
    empty = folder / "empty"
    empty.mkdir()
    write(TINY, machine, empty, document=True)  # which leaves what is there
    assert page.read_text() == text
    assert text.startswith("before\n") and text.endswith(f"\n{gpu_figures.END}\nafter\n")
    assert text.count("generate |  |  | 2 (1 to 3) |") == 1 and "old" not in text


def test_the_page_has_the_marks():
    text = gpu_figures.PAGE.read_text()
    assert text.count(gpu_figures.BEGIN) == text.count(gpu_figures.END) == 1


def test_what_a_library_refuses_is_said(folder, machine, monkeypatch, capsys):
    def refused(part, until):
        raise UserError("not on this card")

    monkeypatch.setitem(gpu_measure.MEASURES, "update", refused)
    one = parts("full", "update", "trl")[:1]
    assert not run_all(one, machine, folder, minutes=None)
    assert "not here: not on this card" in capsys.readouterr().out
    assert known(folder, one[0], machine) is None
