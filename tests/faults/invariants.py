"""One step, split in other ways: the same gradients, and the same numbers in the log.

The rollouts, their words and their rewards are fixed by row, rollout and step, so that nothing but
the arithmetic can differ. What is compared are the gradients that the optimizer is given, of two
steps, by the norm of their difference over their norm, and every metric that is not a time.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from tests.faults.trial import Outcome, Part, Trial
from transformers import TrainerCallback

from noisygrpo.methods.advantages import ADVANTAGES
from tiny import tiny_qwen25vl
from two_processes import by_row_and_rollout, keep_samples, leave, run_on_two

LOSSES = ("grpo", "dr_grpo", "dapo")
FURTHER = ("sapo", "cispo", "vespo", "luspo")
"""Losses that do not depend on the split either; ``bnpo`` does, by what it is."""
VARIANTS = ("rows", "shared_prefix", "lora", "hints")
OF_THE_BATCH = ("reinforce++",)
"""What whitens over the whole batch, by what they are."""
SPLITS = ("accumulation", "small_parts", "two_processes", "order")
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}

CLOCK = ("time/", "step_time", "tokens_per_second", "train_", "memory/", "profiling/")
"""Metrics that are of the clock and not of the step."""

REASONING = "Step 1: look. Step 2: count. Step 3: two."
ROLLOUTS, GROUP = 16, 4


@dataclass(frozen=True)
class Case:
    """What is trained."""

    loss: str
    variant: str
    dtype: str

    @property
    def name(self) -> str:
        return f"{self.loss}/{self.variant}/{self.dtype}"


CASES = [
    *(Case(loss, kind, dtype) for dtype in TOLERANCE for kind in VARIANTS for loss in LOSSES),
    *(Case(loss, "rows", "float64") for loss in FURTHER),
]


class Gradients(TrainerCallback):
    """Keeps what the optimizer is given."""

    def __init__(self) -> None:
        self.steps: list[dict[str, torch.Tensor]] = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        self.steps.append({name.removeprefix("module."): value for name, value in found.items()})


def right_from_some_level_on(example_id, hint_level, rollout_index, **columns):
    every = zip(example_id, hint_level, rollout_index, strict=True)
    return [
        float(level >= int(name.split("-")[1]) % 3 and index != 2) + index / 8
        for name, level, index in every
    ]


def train(
    case: Case, source: str, folder: Path, split: str
) -> tuple[list[Any], list[dict[str, float]]]:
    """Two steps; returns the gradients of each, and what was logged of each."""
    from noisygrpo.training.config import NoisyGRPOConfig
    from tiny import tiny_rows, tiny_settings
    from tiny_trainer import build_trainer

    dtype = getattr(torch, case.dtype)
    _, processor = tiny_qwen25vl()
    settings = tiny_settings(
        folder,
        loss_type=case.loss,
        beta=0.04,
        optim="sgd",
        learning_rate=0.5,
        lr_scheduler_type="constant",
        shuffle_dataset=False,
        generation_kwargs={"do_sample": False},
        **{
            "accumulation": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2},
            "small_parts": {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 8},
            "two_processes": {"per_device_train_batch_size": 8},
        }.get(split, {"per_device_train_batch_size": 16}),
    )
    rows = tiny_rows(8, images=(1, 0, 2))
    if case.variant == "hints":
        settings |= {"method": "hint_grpo", "hint_levels": 3}
        rows = rows.remove_columns("reasoning").add_column("reasoning", [REASONING] * 8)
    else:
        settings |= {"method": "noisygrpo"}
    settings["shared_prefix"] = case.variant == "shared_prefix"
    if split == "order":
        rows = rows.select([3, 1, 0, 2, 6, 7, 5, 4])
    reward = right_from_some_level_on if case.variant == "hints" else by_row_and_rollout
    trainer = build_trainer(
        load(source, dtype),
        processor,
        NoisyGRPOConfig(**settings),
        rows,
        [reward],
        None,
        lora(case),
    )
    for model in (trainer.model, trainer.ref_model):
        if model is not None:
            model.to(dtype)
    keep_samples(trainer)
    trainer.add_callback(kept := Gradients())
    with all_through(dtype):
        trainer.train()
    assert bool(trainer._scorer.shared) == (case.variant == "shared_prefix")
    history = [line for line in trainer.state.log_history if "loss" in line]
    return kept.steps, [
        {k: v for k, v in line.items() if not k.startswith(CLOCK)} for line in history
    ]


@contextmanager
def all_through(dtype: torch.dtype) -> Iterator[None]:
    """Within this context what the libraries compute in float32 on purpose (norms, rotary
    positions, the head) is computed in ``dtype``: else its rounding is all that is measured."""
    with ExitStack() as stack:
        if dtype == torch.float64:
            for place, name in ((torch, "float32"), (torch, "float")):
                stack.enter_context(mock.patch.object(place, name, torch.float64))
            stack.enter_context(mock.patch.object(torch.Tensor, "float", torch.Tensor.double))
        yield


def load(source: str, dtype: torch.dtype) -> Any:
    from transformers import Qwen2_5_VLForConditionalGeneration

    return Qwen2_5_VLForConditionalGeneration.from_pretrained(source, dtype=dtype)


def lora(case: Case) -> Any:
    if case.variant != "lora":
        return None
    from peft import LoraConfig

    torch.manual_seed(5)
    return LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)


def differences(one: Any, other: Any, dtype: str) -> list[str]:
    """What is not the same within the tolerance, in words; [] where the invariant holds."""
    tolerance, found = TOLERANCE[dtype], []
    for step, (first, second) in enumerate(zip(one[0], other[0], strict=True), 1):
        assert first.keys() == second.keys() and first
        norm = sum(value.double().square().sum() for value in first.values()).sqrt()
        off = sum((first[n].double() - second[n].double()).square().sum() for n in first).sqrt()
        assert norm > 0.01, f"step {step}: a gradient of norm {norm:.1e} says nothing"
        if off > tolerance * norm:
            found.append(f"step {step}: gradients differ by {off / norm:.1e}")
    for step, (first, second) in enumerate(zip(one[1], other[1], strict=True), 1):
        if first.keys() != second.keys():
            found.append(f"step {step}: metrics {sorted(first.keys() ^ second.keys())}")
        # `mismatch` compares two ways to compute the log-probs of one row, at the rounding's level.
        for name in {name for name in first.keys() & second.keys() if "mismatch/" not in name}:
            if (off := apart(first[name], second[name])) > max(tolerance, LOGGED.get(name, 0)):
                found.append(f"step {step}: {name} differs by {off:.1e}")
    return found


def apart(one: Any, other: Any) -> float:
    """How far two logged numbers are apart, by the greater one; 0 where both are missing."""
    if one is None or other is None or one != one or other != other:
        return 0.0 if (one is None) == (other is None) and (one != one) == (other != other) else 1.0
    return abs(one - other) / max(abs(one), abs(other), LEAST)


LEAST = 0.1
"""What a logged number is compared with at least: a loss is what is left of terms of about 1."""

LOGGED = {"loss": 1e-6}
"""What Transformers adds up in float32, whatever the model is, and its tolerance."""


def on_two(cases: list[Case], source: str, folder: Path) -> dict[str, Any]:
    """The cases on two processes, one after the other; case name to what ``train`` returns."""
    folder.mkdir(parents=True, exist_ok=True)
    run_on_two(__file__, source, folder, json.dumps([vars(case) for case in cases]))
    return {
        case.name: torch.load(folder / f"{place}.pt", weights_only=True)
        for place, case in enumerate(cases)
    }


_KNOWN: dict[str, Any] = {}


def trial(case: Case, split: str, two: list[Case], shared: Path, folder: Path) -> Outcome:
    """One case, split in one way; ``two``: all cases that two processes train in one go."""
    source = str(shared / "model")
    if not Path(source).exists():
        tiny_qwen25vl()[0].save_pretrained(source)
    if split == "two_processes" and split not in _KNOWN:
        _KNOWN[split] = on_two(two, source, folder / "two")
    if case.name not in _KNOWN:
        _KNOWN[case.name] = train(case, source, folder / "one", "one")
    if split == "two_processes":
        other = _KNOWN[split][case.name]
    else:
        other = train(case, source, folder / "other", split)
    found = differences(_KNOWN[case.name], other, case.dtype)
    return Outcome("differs", "; ".join(found)[:300]) if found else Outcome("held")


def alone(name: str, folder: Path) -> Outcome:
    """The advantages of a group are those that it has in a batch, to the bit."""
    draw = torch.Generator().manual_seed(3)
    rewards = torch.rand(6, 8, generator=draw, dtype=torch.float64).round(decimals=1)
    rewards[2], rewards[4, 3] = 0.5, torch.nan
    levels = torch.linspace(0, 0.9, 8, dtype=torch.float64).expand(6, 8)
    estimator = ADVANTAGES[name]
    more = {"correct": rewards > 0.5} if "correct" in signature(estimator).parameters else {}
    whole = estimator(rewards, levels=levels, **more).advantages
    for row in range(6):
        own = {key: value[row : row + 1] for key, value in more.items()}
        found = estimator(rewards[row : row + 1], levels=levels[:1], **own).advantages
        if not torch.equal(found[0], whole[row]):
            return Outcome("differs", f"group {row}: {found[0].tolist()}")
    return Outcome("held")


def trials(shared: Path, cases: list[Case] = CASES) -> list[Trial]:
    """Every case split in every way, and every estimator alone."""
    found = [
        Trial(
            f"{case.name}, {split}",
            lambda folder, c=case, s=split: trial(c, s, cases, shared, folder),
        )
        for case in cases
        for split in SPLITS
    ]
    return found + [
        Trial(f"a group's advantage alone, {name}", lambda folder, n=name: alone(n, folder))
        for name in ADVANTAGES
        if name not in OF_THE_BATCH
    ]


PART = Part(
    "invariants", "one step split otherwise: gradients and logged numbers", trials, ("held",)
)


if __name__ == "__main__":
    for place, of in enumerate(json.loads(sys.argv[3])):
        folder = Path(sys.argv[2])
        result = train(Case(**of), sys.argv[1], folder / f"run-{place}", "two_processes")
        if torch.distributed.get_rank() == 0:
            torch.save(result, folder / f"{place}.pt")
    leave()
