"""One's own functions in a config: from Python, at any time before the trainer is built."""

import pytest
import torch

from noisygrpo.errors import UserError
from noisygrpo.methods.advantages import ADVANTAGES
from noisygrpo.methods.noise import NOISE_KINDS
from noisygrpo.methods.views import PLANS
from noisygrpo.training.config import NoisyGRPOConfig
from tiny import tiny_rows, tiny_settings
from tiny_trainer import by_index, make


def dark(image, level):
    return image.point(lambda value: round(value * (1 - level)))


def stairs(group, *, high=0.3):
    return [high * place / (group - 1) for place in range(group)]


def tilted(rewards, levels, *, alpha=0.1):
    score = rewards * (1 + alpha * levels)
    return score - score.mean(1, keepdim=True)


def config(tmp_path, **changes):
    return NoisyGRPOConfig(**tiny_settings(tmp_path, **changes))


def by_name(tmp_path):
    """Names that were added to the registries after the config's module was imported."""
    return {"noise_kind": "dark", "view_plan": "stairs", "advantage": "tilted"}


def as_functions(tmp_path):
    return {"noise_kind": dark, "view_plan": stairs, "advantage": tilted}


def in_a_file(tmp_path):
    import inspect

    file = tmp_path / "mine.py"
    file.write_text("".join(inspect.getsource(one) for one in (dark, stairs, tilted)))
    names = {"noise_kind": "dark", "view_plan": "stairs", "advantage": "tilted"}
    return {field: f"{file}:{name}" for field, name in names.items()}


def set_later(tmp_path):
    return {}


@pytest.mark.parametrize("way", [by_name, as_functions, in_a_file, set_later])
def test_every_way_trains_the_same(tmp_path, monkeypatch, way):
    monkeypatch.setitem(NOISE_KINDS, "dark", dark)
    monkeypatch.setitem(PLANS, "stairs", stairs)
    monkeypatch.setitem(ADVANTAGES, "tilted", tilted)
    given = way(tmp_path)
    if "advantage" in given:
        given["advantage"] = {"name": given["advantage"], "alpha": 2.0}
    trainer = make(tmp_path, rewards=(by_index,), **given)
    if way is set_later:  # between config and trainer
        changed = config(tmp_path)
        for field, value in as_functions(tmp_path).items():
            setattr(changed, field, value)
        changed.advantage = {"name": tilted, "alpha": 2.0}
        arguments = trainer.model, [by_index], changed, tiny_rows(6)
        trainer = type(trainer)(*arguments, processing_class=trainer.processing_class)
    trainer.model.train()
    rows = [row for row in tiny_rows(2) for _ in range(4)]
    output = trainer._generate_and_score_completions(rows)
    # rewards 0 1 0 1 at levels 0, .1, .2, .3: scores 0, 1.2, 0, 1.6
    assert output["advantages"].tolist() == pytest.approx([-0.7, 0.5, -0.7, 0.9] * 2)


def test_the_file_is_kept_beside_the_logs(tmp_path):
    given = in_a_file(tmp_path)
    make(tmp_path / "run", rewards=(by_index,), max_steps=1, **given).train()
    (kept,) = (tmp_path / "run" / "functions").iterdir()
    assert kept.read_bytes() == (tmp_path / "mine.py").read_bytes()
    assert kept.name.startswith("mine-") and kept.suffix == ".py"


def test_flat_fields_and_the_mapping_are_one(tmp_path):
    flat = config(tmp_path, method="noisygrpo", bayes_alpha=0.2, constant_groups="zero")
    spelt = {"name": "bayesian", "alpha": 0.2, "constant_groups": "zero"}
    assert config(tmp_path, method="noisygrpo", advantage=spelt).to_dict() == flat.to_dict()
    nameless = config(tmp_path, method="noisygrpo", advantage={"alpha": 0.2})
    assert (nameless.advantage, nameless.bayes_alpha) == ("bayesian", 0.2)
    plan = {"name": "split", "levels": [0.5], "clean": 1}
    split = config(tmp_path, view_plan=plan)
    assert (split.view_plan, split.noise_levels, split.clean_rollouts) == ("split", [0.5], 1)


def test_what_is_correct_is_what_a_reward_says(tmp_path):
    def dead_unless_right(rewards, correct):
        return correct.double() - 0.5

    given = {"advantage": dead_unless_right, "correct_reward": "by_index", "correct_at": 0.5}
    trainer = make(tmp_path, rewards=(by_index,), **given)
    trainer.model.train()
    rows = [row for row in tiny_rows(2) for _ in range(4)]
    found = trainer._generate_and_score_completions(rows)["advantages"]
    assert found.tolist() == [-0.5, 0.5] * 4
    with pytest.raises(UserError, match="correct_reward: 'accuracy' is not one of the rewards by_"):
        make(tmp_path, rewards=(by_index,), **{**given, "correct_reward": "accuracy"})


def test_a_knob_without_a_field_reaches_the_published_function(tmp_path):
    trainer = make(tmp_path, rewards=(by_index,), advantage={"name": "grpo", "eps": 1.0})
    trainer.model.train()
    rows = [row for row in tiny_rows(2) for _ in range(4)]
    found = trainer._generate_and_score_completions(rows)["advantages"]
    rewards = torch.tensor([[0.0, 1, 0, 1]] * 2, dtype=torch.float64)
    assert found.tolist() == pytest.approx(
        ADVANTAGES["grpo"](rewards, eps=1.0).advantages.flatten().tolist()
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"advantage": {"name": tilted, "alfa": 1}}, "has no knob 'alfa'; did you mean 'alpha'"),
        ({"advantage": {"name": "grpo", "eps": 1.0}, "scale_rewards": "none"},
         "scale_rewards: 'none' has no effect with advantage 'grpo', knobs"),
        ({"view_plan": stairs, "noise_levels": [0.3]}, "which does not name 'levels'"),
        ({"view_plan": stairs, "clean_rollouts": 1}, "which does not name 'clean'"),
        ({"view_plan": lambda group: [0.3] * group, "advantage": "bayesian"},
         "gives all rollouts of a group one"),
        ({"view_plan": stairs, "noise_kind": {"name": "mixup", "folder": "nowhere"}},
         "noise_kind: mixup: folder 'nowhere' holds no picture"),
        ({"view_plan": stairs, "noise_kind": "distractor", "log_view_ratio": True},
         "log_view_ratio: true needs views of the image's size"),
        ({"advantage": tilted, "correct_reward": "accuracy"}, "which does not name 'correct'"),
        ({"advantage": 3}, "advantage: 3 is not a mapping or text or a function or null"),
        ({"advantage": "salt"}, "advantage: 'salt' is not one of grpo, .* or path.py:function"),
    ],
)  # fmt: skip
def test_refused(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        config(tmp_path, **changes)
