"""Small runs with a checkpoint each step, and what of them must be the same after any fault."""

import json
from dataclasses import dataclass
from pathlib import Path

from tiny_files import write_model, write_recipe, write_rows

REWARD = '''
"""Says the same of the same completion, and something else of most others."""

def letters(completions, **columns):
    return [sum(map(ord, c[0]["content"])) % 11 / 10 for c in completions]
'''


@dataclass(frozen=True)
class Kind:
    """A kind of run."""

    name: str
    processes: int = 1
    options: tuple[str, ...] = ()
    steps: int = 5

    def words(self, shared: Path, folder: Path) -> list[str]:
        """The command that trains it into a folder; what it needs lies in ``shared``."""
        batch = 8 // self.processes
        return [
            "train", str(setup(shared)), "--output-dir", str(folder),
            "--training.save_strategy=steps", "--training.save_steps=1",
            f"--training.max_steps={self.steps}",
            f"--training.per_device_train_batch_size={batch}", *self.options,
        ]  # fmt: skip


QUICK = ("--no-evaluation",)
LORA = ("--model.lora.r=4", "--model.lora.target_modules=[q_proj, v_proj]", *QUICK)
KINDS = {
    "full": Kind("full", options=QUICK),
    "measured": Kind("measured"),
    "lora": Kind("lora", options=LORA),
    "two": Kind("two", 2, QUICK),
}
"""All weights, with an evaluation before and after, an adapter, and two gloo processes."""


def setup(shared: Path) -> Path:
    """Write model, rows, reward and recipe once; returns the recipe's path."""
    recipe = shared / "tiny.yaml"
    if not recipe.exists():
        shared.mkdir(parents=True, exist_ok=True)
        (shared / "reward.py").write_text(REWARD)
        model, data = write_model(shared / "model"), write_rows(shared)
        training = {"learning_rate": 0.01, "logging_steps": 1}
        rewards = [f"{shared / 'reward.py'}:letters"]
        made = write_recipe(shared / "made.yaml", model, data, training=training, rewards=rewards)
        Path(made).rename(recipe)
    return recipe


def result_of(folder: Path) -> dict[str, bytes]:
    """What two runs that are the same run have in common, to the byte."""
    weights = sorted((folder / "checkpoint").glob("*.safetensors"))
    found = {f"checkpoint/{path.name}": path.read_bytes() for path in weights}
    return found | {"rollouts.jsonl": read(folder / "rollouts.jsonl")}


def read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def saved_steps(folder: Path) -> list[int]:
    """Steps of the checkpoints that have their name."""
    return [int(path.name.rpartition("-")[2]) for path in folder.glob("checkpoint-*")]


def lines(path: Path) -> list[dict]:
    """A log's lines that can be read."""
    found = []
    for line in read(path).split(b"\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def last_logged(folder: Path) -> int:
    """The last step that left anything in a log."""
    both = lines(folder / "metrics.jsonl") + lines(folder / "rollouts.jsonl")
    return max((line["step"] for line in both), default=0)


def log_lines(folder: Path, step: int) -> list[dict]:
    """What was logged of the steps up to one; a step that is done again has other times."""
    return [
        line for line in lines(folder / "metrics.jsonl") if line["step"] <= step and "loss" in line
    ]
