"""Rows with reasoning, a reward that knows from which hint on a row is useful, a sampler."""

import json

from trl import GRPOTrainer

from tiny import tiny_rows
from tiny_trainer import make

REASONING = "Step 1: look. Step 2: count. Step 3: two."

HINTS = ["", "look.", "look. count."]

GREEDY = {"generation_kwargs": {"do_sample": False}}

# The level from which on a row is sometimes right; row-3 never is, and row-2 has no reasoning.
USEFUL = {"row-0": 0, "row-1": 1, "row-2": 1, "row-3": 9, "row-4": 2}


def rows(count=5, images=(1,)):
    data = tiny_rows(count, images)
    texts = ["" if name == "row-2" else REASONING for name in data["example_id"]]
    return data.remove_columns("reasoning").add_column("reasoning", texts)


def hit(example_id, hint_level, rollout_index, **columns):
    every = zip(example_id, hint_level, rollout_index, strict=True)
    return [float(level >= USEFUL[name] and index % 2) for name, level, index in every]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def hinted(tmp_path, data=None, rewards=(hit,), **changes):
    settings = {"method": "hint_grpo", "hint_levels": 3, **GREEDY, **changes}
    return make(tmp_path, rows() if data is None else data, rewards, **settings)


def batch_of(trainer, *names):
    """Return the scored batch of these rows, four rollouts each."""
    every = {row["example_id"]: row for row in trainer.train_dataset}
    return trainer._generate_and_score_completions([every[n] for n in names for _ in range(4)])


class Sampler:
    """Records the prompts of every generate call; each completion tells what it answers."""

    def __init__(self, monkeypatch):
        self.calls, self.pixels = [], []

        def turn(trainer, prompt_ids, images, fields, *args, **kwargs):
            self.calls.append([list(ids) for ids in prompt_ids])
            self.pixels.append(fields.get("pixel_values"))
            assert all(
                len(types) == len(ids)
                for types, ids in zip(fields["mm_token_type_ids"], prompt_ids, strict=True)
            )
            return [[65 + len(ids) % 7, 66 + n, 67] for n, ids in enumerate(prompt_ids)], None

        monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", turn)


def text(trainer, ids):
    return trainer.processing_class.tokenizer.decode(ids)
