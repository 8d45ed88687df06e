"""One command that starts or goes on, whatever a kill has left."""

import json
import shutil

import pytest

from noisygrpo.errors import UserError
from noisygrpo.models.sealed import seal
from noisygrpo.runs.claim import Claim, claim_folder, going_on
from noisygrpo.runs.folder import open_folder, remove_contents

FREE = Claim()


def sealed(folder, **files):
    written = folder.with_name("being written")
    written.mkdir()
    step = folder.name.rpartition("-")[2]
    if step.isdigit():
        (written / "trainer_state.json").write_text(json.dumps({"global_step": int(step)}))
        for name in ("rng_state.pth", "optimizer.pt", "scheduler.pt"):
            (written / name).touch()
    for name, text in files.items():
        (written / name.replace("__", ".")).write_text(text)
    seal(written, folder)
    return folder


def lines(folder, *steps):
    text = "".join(json.dumps({"step": step}) + "\n" for step in steps)
    (folder / "rollouts.jsonl").write_text(text)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("environment.json", "recipe.yaml"):
        (folder / name).write_text("")
    return folder


@pytest.mark.parametrize(
    "left", [[], [".lock", ".owner"], ["environment.json.tmp"], ["environment.json"]]
)
@pytest.mark.parametrize("resume", [False, "auto"])
def test_what_a_kill_in_the_very_start_leaves_lets_the_next_one_start(tmp_path, left, resume):
    for name in left:
        (tmp_path / name).touch()
    assert claim_folder(tmp_path, overwrite=False, resume=resume) == FREE


def test_a_batch_without_a_step_is_nothing_to_lose_and_a_second_one_is(run):
    lines(run, 1, 1)
    (run / "metrics.jsonl").touch()
    assert claim_folder(run, overwrite=False, resume=False) == FREE
    lines(run, 1, 1, 2)
    with pytest.raises(UserError, match="it holds an earlier run"):
        claim_folder(run, overwrite=False, resume=False)


def test_a_kill_before_the_first_checkpoint_starts_again_where_that_is_meant(run, capsys):
    lines(run, 1, 2, 3)
    (run / "metrics.jsonl").write_text('{"step": 1}\n')
    (run / ".saving").mkdir()
    assert claim_folder(run, overwrite=False, resume="auto") == FREE
    assert "holds no checkpoint yet: the run starts again" in capsys.readouterr().err
    for resume, said in ((False, "earlier run"), (True, "no whole checkpoint")):
        with pytest.raises(UserError, match=said):
            claim_folder(run, overwrite=False, resume=resume)


@pytest.mark.parametrize("resume", [True, "auto"])
def test_it_goes_on_from_the_newest_whole_one(run, resume):
    first = sealed(run / "checkpoint-1", weights="1")
    second = sealed(run / "checkpoint-2", weights="2")
    (run / ".saving").mkdir()
    (run / ".saving" / "weights").write_text("half")
    assert claim_folder(run, overwrite=False, resume=resume).checkpoint == second
    assert not (run / ".saving").exists()  # a run that is done would write nothing over it
    (second / "weights").write_text("3")
    assert claim_folder(run, overwrite=False, resume=resume).checkpoint == first


def test_only_damaged_ones_are_for_a_human(run):
    (sealed(run / "checkpoint-1", weights="1") / "weights").write_text("2")
    with pytest.raises(UserError, match=r"--auto-resume: .*only damaged ones; --overwrite starts"):
        claim_folder(run, overwrite=False, resume="auto")
    assert claim_folder(run, overwrite=True, resume=False) == FREE


@pytest.mark.parametrize("resume", [False, "auto"])
def test_what_is_no_run_is_left_alone(tmp_path, resume):
    (tmp_path / "runs").mkdir()  # a run has a folder of this name, and others have one, too
    with pytest.raises(UserError, match="no run, and is left alone"):
        claim_folder(tmp_path, overwrite=resume is False, resume=resume)


@pytest.mark.parametrize("resume", [False, "auto"])
def test_a_recipe_of_ones_own_makes_no_run_of_a_folder(tmp_path, resume):
    """A project's folder: what it holds is called as what a run writes is."""
    for name in ("runs/other/checkpoint", "functions", "evaluation", "report"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "recipe.yaml").write_text("# mine\nbase: playground\n")
    with pytest.raises(
        UserError, match=r"holds no environment\.json, so no run, and is left alone"
    ):
        claim_folder(tmp_path, overwrite=resume is False, resume=resume)
    assert (tmp_path / "runs" / "other" / "checkpoint").is_dir()


def test_a_run_is_known_as_one_at_every_moment_of_its_removal(run, recipe_file, monkeypatch):
    from noisygrpo.recipes.recipe import load_recipe

    (run / "metrics.jsonl").write_text("{}\n")
    sealed(run / "checkpoint-1", weights="1")
    seen, remove = [], shutil.rmtree

    def watched(path, **options):
        seen.append((run / "environment.json").is_file())
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", watched)
    open_folder(run, load_recipe(recipe_file()), fresh=True)
    assert seen == [True] and not (run / "checkpoint-1").exists()
    for name in ("checkpoint.tmp", "best.old", ".saving"):
        (run / name).mkdir()
    remove_contents(run)
    assert list(run.iterdir()) == []


WHOSE = {"training": {"max_steps": 2}}


def test_a_trained_model_says_that_its_run_is_done(run):
    sealed(run / "checkpoint", identity__json=json.dumps(WHOSE))
    claim = claim_folder(run, overwrite=False, resume="auto")
    assert going_on(run, claim, WHOSE, 2, changed=False) == run / "checkpoint"
    looked = {**WHOSE, "weights": "f00", "functions": {}}  # at what an earlier version did not
    assert going_on(run, claim, looked, 2, changed=False) == run / "checkpoint"
    more = {"training": {"max_steps": 3}}
    with pytest.raises(UserError, match=r"training.max_steps: 2 -> 3; train further .*--model"):
        going_on(run, claim, more, 3, changed=True)
    one = sealed(run / "checkpoint-1", identity__json=json.dumps(WHOSE))
    claim = claim_folder(run, overwrite=False, resume="auto")
    assert going_on(run, claim, WHOSE, 2, changed=False) == run / "checkpoint"
    assert going_on(run, claim, more, 3, changed=True) == one
