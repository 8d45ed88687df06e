"""What tables know is said before a library of training is imported."""

import os
import subprocess
import sys
import time

import pytest

HEAVY = ("torch", "transformers", "trl", "datasets", "accelerate", "peft")
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n"
    for below, name in zip("bcdefgh", "cdefghi", strict=True)
)

WRONG = {
    "a field": (["playground", "--training.lerning_rate", "1"], "did you mean 'learning_rate'?"),
    "a method": (["playground", "--method", "grop"], "did you mean 'grpo'?"),
    "a number": (["playground", "--training.learning_rate", ".nan"], "learning_rate: nan"),
    "a name": (["playground", "--training.optim", "adam"], "training.optim: 'adam' is not one of"),
    "no effect": (["playground-grpo", "--training.bayes_r", "1"], "bayes_r: 1.0 has no effect"),
    "elsewhere": (["playground", "--training.eval_strategy", "steps"], "evaluation.every"),
    "a package": (["playground", "--training.report_to", "mlflow"], "pip install mlflow"),
    "a reward": (["playground", "--rewards", "[acuracy]"], "acuracy"),
    "data": (["playground", "--data.limit", "-1"], "data.limit: -1"),
    "lora": (["playground", "--model.lora.rank", "1"], "model.lora.rank is not a known field"),
    "a recipe": (["plaground"], "did you mean 'playground'?"),
    "a bomb": (["bomb.yaml"], "stands for more than 10,000 values"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_without_the_heavy_libraries(case, tmp_path):
    (tmp_path / "bomb.yaml").write_text(BOMB)
    words, said = WRONG[case]
    code = (
        "import sys; from noisygrpo.cli import main\n"
        f"status = main(['train', *{words!r}, '--output-dir', 'out'])\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not heavy, heavy\n"
        "sys.exit(status)"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bomb.yaml"]
    assert time.monotonic() - started < 20  # a tenth of a second; test machines are busy


def test_the_real_command_line_uses_little(tmp_path):
    words = [sys.executable, "-m", "noisygrpo", "check", "playground", "--training.top_p", "2"]
    started = os.times()
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    spent = os.times()
    assert done.returncode == 2 and "training.top_p: 2.0, allowed is above 0" in done.stderr
    used = spent.children_user + spent.children_system
    assert used - started.children_user - started.children_system < 1.0
