"""Wrong settings, many: `noisygrpo check` ends each in one line and leaves nothing behind."""

import os
import tempfile

import pytest
from tests.check.wrong_settings import IN_A_STEP, OTHERS, TRAINING, words_of

pytest.importorskip("peft", reason="LoRA needs the extra 'peft'")


@pytest.fixture
def told(recipe_file, run_cli, tmp_path, monkeypatch):
    """Runs `check` with these words; returns its one line, nothing being left behind."""
    recipe = recipe_file()
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def run(*words):
        before = dict(os.environ)
        status, _, error = run_cli("check", recipe, "--no-rollout", *words)
        lines = [line for line in error.splitlines() if line]
        assert status == 2
        assert lines[-1].startswith("error: ") and "Traceback" not in error
        assert sum(line.startswith("error: ") for line in lines) == 1 and len(lines[-1]) < 700
        assert not list(work.iterdir()) and not list(temporary.iterdir())
        assert {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"} == {
            k: v for k, v in before.items() if k != "PYTEST_CURRENT_TEST"
        }
        return lines[-1]

    return run


def missing(line, words):
    return [word for word in words.split() if word not in line]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [(field.strip(), *pair) for field, pairs in TRAINING.items() for pair in pairs],
)
def test_a_wrong_value_of_training(told, field, value, words):
    line = told(*words_of(field, value))
    assert not missing(line, words), line
    assert "training." in line or "view_plan" in line


@pytest.mark.parametrize("given", OTHERS)
def test_a_wrong_value_elsewhere(told, given):
    line = told(*given)
    assert not missing(line, OTHERS[given]), line


@pytest.mark.parametrize("given", IN_A_STEP)
def test_what_a_step_shows(told, given):
    line = told(*given)
    assert not missing(line, IN_A_STEP[given]), line
