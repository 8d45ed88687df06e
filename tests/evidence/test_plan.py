import json
from pathlib import Path

import pytest
from benchmarks.evidence import plan
from benchmarks.evidence.arms import ARMS, BASELINE, GRID, SETTINGS, SPLIT, filled

from noisygrpo.cli import build_parser, split_overrides
from noisygrpo.recipes.recipe import load_recipe
from noisygrpo.recipes.settings import check_settings

KNOWN = {GRID: [0.0, 0.2, 0.3, 0.4], SPLIT: [0.3]}
WORLD = plan.World(
    ("test", "more"), 5e-5, 40, {1: 300, 2: 500}, {1: 300, 2: 200}, ("--training.beta=0.1",)
)
OUT = Path("runs/x")
EVERY = [(arm, setting.name) for setting in SETTINGS[:2] for arm in ARMS]


def commands(run):
    return plan.job(run, WORLD, KNOWN, {"dapo": 20}, OUT).commands


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_is_a_run_that_is_accepted(arm):
    train, evaluate = commands(plan.Run(1, arm, "rate2", 1))
    words, overrides = split_overrides(list(train))
    args = build_parser().parse_args(words)
    recipe = load_recipe(args.recipe, overrides, check_settings)
    assert (args.auto_resume, args.no_evaluation) == (True, True)
    assert recipe.method == ARMS[arm].method
    assert recipe.training["seed"] == 1
    assert recipe.training["learning_rate"] == 1e-4
    assert recipe.training["beta"] == 0.1
    assert recipe.training["max_steps"] == (20 if arm == "dapo" else 40)
    words, overrides = split_overrides(list(evaluate))
    args = build_parser().parse_args(words)
    assert (args.split, args.rows) == (["test", "more"], 300)
    assert overrides == [("model", f"runs/x/stage1/{arm}-rate2-seed1/checkpoint")]


def test_all_arms_sample_as_many_rollouts_a_step():
    own = {"per_device_train_batch_size", "gradient_accumulation_steps", "temperature", "beta",
           "max_completion_length", "max_steps", "learning_rate"}  # fmt: skip
    for arm in ARMS.values():
        assert not own & set(arm.training)
        assert filled(arm, SETTINGS[0], 5e-5, KNOWN)["learning_rate"] == 5e-5


def test_levels_are_filled_in_where_they_are_measured():
    assert filled(ARMS["noise-grpo"], SETTINGS[0], 1.0, KNOWN)["noise_levels"] == KNOWN[GRID]
    assert filled(ARMS["noisyrollout"], SETTINGS[0], 1.0, KNOWN)["noise_levels"] == KNOWN[SPLIT]
    measured = {name for name, arm in ARMS.items() if arm.measured}
    assert "noisygrpo" in measured
    assert not measured & {"grpo", "noisygrpo-published", "papo"}


def test_whenever_it_is_stopped_arms_have_had_equally_much():
    made = plan.runs(1, EVERY)
    assert len(made) == len(set(made)) == 2 * 3 * len(ARMS)
    many = len(ARMS)
    assert {run.arm for run in made[:many]} == set(ARMS)
    assert {(run.setting, run.seed) for run in made[:many]} == {("rate1", 0)}
    assert {(run.setting, run.seed) for run in made[many : 2 * many]} == {("rate1", 1)}
    assert {run.setting for run in made[3 * many :]} == {"rate2"}
    assert [run.seed for run in plan.runs(2, [("grpo", "rate1")])] == [3, 4, 5, 6, 7, 8, 9, 10]


def test_no_two_runs_share_a_folder():
    made = [*plan.runs(1, EVERY), *plan.runs(2, EVERY), plan.untrained(1), plan.untrained(2)]
    assert len({run.folder(OUT) for run in made}) == len(made)


def test_fewer_steps_by_the_tokens_of_the_pilots():
    tokens = {BASELINE: 100.0, "dapo": 250.0, "hint-grpo-4": 90.0}
    assert plan.fewer_steps(40, tokens) == {"dapo": 16, "hint-grpo-4": 40}
    assert plan.fewer_steps(40, {BASELINE: 1.0, "dapo": 1e6}) == {"dapo": 1}


def test_words_of_training_and_of_evaluation_go_where_they_belong():
    words = ("--training.beta=1", "--evaluation.batch_size=9", "--data.limit=5")
    world = plan.World(("test",), 5e-5, 40, {1: 3, 2: 4}, {1: 3, 2: 4}, words)
    assert world.training == ("--training.beta=1", "--data.limit=5")
    assert world.measuring == ("--evaluation.batch_size=9", "--data.limit=5")


def test_the_world_is_the_recipe():
    world, recipe = plan.read_world([("training.max_steps", "7")], rows=9)
    assert world.steps == recipe.training["max_steps"] == 7
    assert world.splits == tuple(load_recipe("playground").evaluation.splits)
    assert world.rows == world.apart == {1: 9, 2: 9}
    world, _ = plan.read_world()
    assert (world.rows, world.apart) == ({1: 300, 2: 500}, {1: 300, 2: 200})


def test_splits_apart_from_the_primary_figure_have_fewer_rows_in_stage_two():
    _, *asked = commands(plan.Run(2, "grpo", "rate1", 3))
    both = [build_parser().parse_args(split_overrides(list(words))[0]) for words in asked]
    assert [(args.split, args.rows) for args in both] == [(["test"], 200), (["more"], 500)]
    assert len({args.output_dir for args in both}) == 1


def test_values_are_read_back_as_they_were():
    numbers = [1e-05, 5e-05, True, [0.0, 1e-05], "<think>{hint}"]
    names = ["learning_rate", "beta", "log_view_ratio", "noise_levels", "hint_template"]
    words = [f"--training.{n}={plan._text(v)}" for n, v in zip(names, numbers, strict=True)]
    read = load_recipe("playground", split_overrides(words)[1]).training
    assert [read[name] for name in names] == numbers
    assert json.loads(plan._text([0.1])) == [0.1]
