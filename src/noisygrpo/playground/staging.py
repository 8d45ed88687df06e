"""Running the warm start's stages: optimizer, learning-rate curve, gates, and going on."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from noisygrpo.errors import UserError
from noisygrpo.playground.seeing import Batch
from noisygrpo.terminal import say

DECAY = 0.02


@dataclass(frozen=True)
class Stage:
    """One stage: its batches, its loss, how long it lasts, and what must hold at its end."""

    name: str
    steps: int
    peak: float
    """Largest learning rate."""
    batch_at: Callable[[int], Batch]
    loss_of: Callable[[Batch], torch.Tensor]
    modules: dict[str, nn.Module]
    """What it trains, by the name under which its parameters are kept."""
    gate: Callable[[], dict[str, float]] | None = None
    """A probe on fresh scenes: shares in 0 to 1 by name."""
    finish: Callable[[], None] | None = None
    """What is done to the modules after the last step, before the gate."""
    muon: float = 0.0
    """Learning rate of matrices under Muon, relative to ``peak``; 0: AdamW for all."""
    needed: dict[str, float] = field(default_factory=dict)
    """What the probe must reach at least, by name."""
    lessons: dict[str, object] = field(default_factory=dict)
    """Settings that its batches are made with, beside those that all stages share."""


def learning_rate(peak: float, step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then a cosine to a twentieth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))


def optimizers_of(stage: Stage) -> list[torch.optim.Optimizer]:
    """AdamW; and Muon for the matrices, where the stage asks for it.

    Muon's step is scaled to the size of AdamW's. Tables of embeddings are no matrices to it: only
    the rows in the batch have a gradient.
    """
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for module in stage.modules.values():
        tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
        for parameter in module.parameters():
            matrix = stage.muon > 0 and parameter.ndim == 2 and id(parameter) not in tables
            (matrices if matrix else rest).append(parameter)
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=stage.peak, betas=(0.9, 0.98), weight_decay=DECAY)
    ]
    if matrices:
        found.append(
            torch.optim.Muon(
                matrices,
                lr=stage.muon * stage.peak,
                weight_decay=DECAY,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return found


def train_stage(
    whole: nn.Module,
    stage: Stage,
    warmup: int,
    log_every: int,
    halfway: Callable[[int], None] = lambda done: None,
) -> None:
    """Train through one stage with its own optimizer and learning-rate curve.

    ``halfway`` is called after every step but the last with the number of steps done.
    """
    parameters = [p for module in stage.modules.values() for p in module.parameters()]
    whole.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizers = optimizers_of(stage)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    peaks = [(group, group["lr"]) for group in groups]
    began, running = time.monotonic(), math.nan
    for step in range(stage.steps):
        for group, peak in peaks:
            group["lr"] = learning_rate(peak, step, stage.steps, warmup)
        with torch.autocast("cpu", torch.bfloat16):
            loss = stage.loss_of(stage.batch_at(step))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        running = loss.item() if math.isnan(running) else 0.95 * running + 0.05 * loss.item()
        if (step + 1) % log_every == 0 or step + 1 == stage.steps:
            spent = time.monotonic() - began
            left = spent / (step + 1) * (stage.steps - step - 1)
            say(
                f"{stage.name} {step + 1}/{stage.steps}  loss {running:.4f}  "
                f"{spent:.0f} s, {left:.0f} s left in this stage"
            )
        if step + 1 < stage.steps:
            halfway(step + 1)
    if stage.finish is not None:
        stage.finish()


def probed(stage: Stage) -> dict[str, float]:
    """Run a stage's gate and print what it found."""
    if stage.gate is None:
        return {}
    found = stage.gate()
    shown = ", ".join(f"{name} {100 * value:.1f}" for name, value in found.items())
    say(f"{stage.name}: probe on fresh scenes, percent right: {shown}")
    return found


def check(stage: Stage, found: dict[str, float]) -> None:
    """Say if a probe falls short of what the stage needs.

    Raises:
        UserError: if it does.
    """
    for name, least in stage.needed.items():
        value = 100 * found.get(name, 0.0)
        if value < 100 * least:
            raise UserError(
                f"{stage.name}_steps: after {stage.steps} steps {name} is right at {value:.1f} %, "
                f"the gate is {100 * least:g} %: give it more steps"
            )


def parameters_file(folder: Path, stage: str) -> Path:
    """Where a finished stage keeps what it trained."""
    return folder / "stages" / f"{stage}.safetensors"


def keep(
    stage: Stage,
    folder: Path,
    settings: dict[str, object],
    found: dict[str, float],
    done: int | None = None,
) -> None:
    """Write what a stage trained (float32), its probe and the settings behind it.

    Args:
        stage: the stage.
        folder: of the run.
        settings: that a later run must share to take the stage up.
        found: by the probe.
        done: steps, where the stage is not at its end; such a file is for looking at, and the
            next one takes its place.
    """
    path = parameters_file(folder, stage.name if done is None else f"{stage.name}-halfway")
    path.parent.mkdir(parents=True, exist_ok=True)
    if done is None:
        for name in (".safetensors", ".json"):
            parameters_file(folder, f"{stage.name}-halfway").with_suffix(name).unlink(True)
    else:
        settings = {**settings, "done": done}
    state = {
        f"{name}.{key}": tensor.detach().contiguous()
        for name, module in stage.modules.items()
        for key, tensor in module.state_dict().items()
    }
    partial = path.with_suffix(".partial")
    save_file(state, partial)
    path.with_suffix(".json").write_text(json.dumps({**settings, "probe": found}, indent=2))
    partial.replace(path)


def glance(stage: Stage, folder: Path, settings: dict[str, object], every: int, done: int) -> None:
    """Probe and keep an unfinished stage, once in ``every`` steps."""
    if done % every == 0:
        keep(stage, folder, settings, probed(stage), done)


def take_up(stage: Stage, folder: Path, settings: dict[str, object]) -> dict[str, float] | None:
    """Load what a finished stage left; return its probe, or ``None`` where there is nothing.

    Raises:
        UserError: if the folder's stage was made with other settings.
    """
    path = parameters_file(folder, stage.name)
    if not path.exists():
        return None
    made = json.loads(path.with_suffix(".json").read_text())
    found: dict[str, float] = made.pop("probe")
    if made != settings:
        raise UserError(
            f"--output-dir: {path} was made with {made}, asked for {settings}: "
            "give the same settings or another folder"
        )
    state = load_file(path)
    for name, module in stage.modules.items():
        part = {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}
        module.load_state_dict(part)
    return found
