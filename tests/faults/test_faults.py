"""A fixed part of the net in every ``make test``; ``make test-faults`` has all of it."""

import pytest
from tests.faults import damages, growth, inputs, invariants, kills, properties

pytest.importorskip("peft", reason="LoRA needs the extra 'peft'")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("faults")


def some_of(part):
    names = [trial.name for trial in part.trials(None)]
    return pytest.mark.parametrize("name", names[:: part.every])


def outcome(part, name, shared, folder):
    (trial,) = [trial for trial in part.trials(shared) if trial.name == name]
    return trial.run(folder)


@some_of(kills.PART)
def test_a_killed_run_goes_on(shared, tmp_path, name):
    found = outcome(kills.PART, name, shared, tmp_path)
    assert found.kind in kills.PART.held, found


@some_of(damages.PART)
def test_damage_is_made_good_or_told(shared, tmp_path, name):
    found = outcome(damages.PART, name, shared, tmp_path)
    assert found.kind in damages.PART.held, found


@pytest.mark.parametrize(
    "name",
    [t.name for t in inputs.trials(None) if not t.name.startswith("setting")][:: inputs.PART.every],
)
def test_wrong_input_is_told_clearly(shared, tmp_path, name):
    found = outcome(inputs.PART, name, shared, tmp_path)
    assert found.kind in inputs.PART.held, found


SOME = [
    invariants.Case("grpo", "lora", "float64"),
    invariants.Case("dapo", "shared_prefix", "float64"),
]


@pytest.mark.parametrize("name", [trial.name for trial in invariants.trials(None, SOME)])
def test_a_step_split_otherwise_is_the_same_step(shared, tmp_path, name):
    (trial,) = [trial for trial in invariants.trials(shared, SOME) if trial.name == name]
    found = trial.run(tmp_path)
    assert found.kind == "held", found


@pytest.mark.parametrize("wanted", properties.PROPERTIES, ids=lambda wanted: wanted.__name__)
def test_property(wanted):
    properties.look(wanted, 40)


@some_of(growth.PART)
def test_time_grows_linearly(name):
    found = growth.trial(name)
    assert found.kind == "held", found
