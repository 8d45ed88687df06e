"""The supervised warm start: the playground's model from random weights, on two CPU cores.

Six stages, told in ``noisygrpo.playground.lessons``: see, reason, read, look, join, slip. Stages
end at a gate, a probe on fresh scenes that must pass. A stage leaves the parameters that it trained
in ``stages/``, and the command goes on after the last stage that is there. ``see`` (the tower) and
``reason`` (the language model) share no parameters and can run side by side, each in a process of
its own (``--stage``). Deterministic for a given machine and number of threads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import Qwen2_5_VLForConditionalGeneration as Model

from noisygrpo.errors import require
from noisygrpo.playground import probes, seeing
from noisygrpo.playground.fast_vision import batch_vision_windows
from noisygrpo.playground.lessons import Batch, converse, lesson_rng
from noisygrpo.playground.model import (
    PlaygroundProcessor,
    build_model,
    build_processor,
    build_tokenizer,
)
from noisygrpo.playground.scene import sample_scene
from noisygrpo.playground.splits import PROMPT, make_example
from noisygrpo.playground.staging import Stage, keep, passes, take_up, train_stage
from noisygrpo.playground.synonyms import reworded
from noisygrpo.playground.teacher import demonstration, description
from noisygrpo.playground.words import PEOPLES
from noisygrpo.terminal import say

PROBED = 400
"""Fresh scenes of a gate."""
READ_WELL = 0.98
ANSWERED = 200
"""Fresh questions of a gate."""


@dataclass(frozen=True)
class WarmStart:
    """Settings of the run that made the shipped weights."""

    seed: int = 0
    tokenizer_texts: int = 3000
    """Demonstrations whose text the tokenizer is trained on."""
    see_steps: int = 1400
    reason_steps: int = 700
    read_steps: int = 1000
    look_steps: int = 1000
    join_steps: int = 200
    slip_steps: int = 120
    batch: int = 32
    """Pictures per step."""
    questions: int = 2
    """Questions per picture, in one conversation; twice as many on half the pictures from ``look``
    on."""
    learning_rate: float = 1.5e-3
    """Peak of the first four stages; ``join`` peaks at a third of it, ``slip`` at a quarter."""
    warmup: int = 40
    log_every: int = 50


def tokenizer_texts(rows: int) -> Iterator[str]:
    """The text that the tokenizer is trained on."""
    for index in range(rows):
        rng = lesson_rng(0, "words", index)
        _, turns = description(rng) if index % 6 == 0 else demonstration(rng, 1, slips=False)
        for question, text in turns:
            yield f"user\n{PROMPT.format(question=question)}\nassistant\n{text}"
        yield reworded(turns[0][0], rng)
    for _ in range(20):
        yield PEOPLES


def seeing_stage(settings: WarmStart, model: Model, processor: PlaygroundProcessor) -> Stage:
    """The stage ``see`` and its gate."""
    tower = model.model.visual
    eyes = seeing.Eyes(model.config.vision_config.out_hidden_size)

    def loss_of(batch: Batch) -> torch.Tensor:
        features = tower(batch["pixel_values"], grid_thw=batch["image_grid_thw"]).pooler_output
        return eyes.loss(features, batch)

    def gate() -> dict[str, float]:
        rng = lesson_rng(settings.seed, "probe", 0)
        scenes = [sample_scene(rng) for _ in range(PROBED)]
        found = seeing.probe(tower, eyes, processor, scenes)
        unseen = [sample_scene(rng, stacked=False, unseen=True) for _ in range(PROBED // 2)]
        pairs = seeing.probe(tower, eyes, processor, unseen)
        return {**found, "item in scenes with unseen pairs": pairs["item"]}

    return Stage(
        "see",
        settings.see_steps,
        settings.learning_rate,
        lambda step: seeing.see(processor, lesson_rng(settings.seed, "see", step), settings.batch),
        loss_of,
        {"visual": tower, "eyes": eyes},
        gate,
        {name: READ_WELL for name in ("shape", "colour", "size")},
    )


def reading_gate(
    settings: WarmStart, model: Model, processor: PlaygroundProcessor
) -> dict[str, float]:
    """How well fresh scenes are read, word by word."""
    rng = lesson_rng(settings.seed, "probe", 1)
    found = probes.forced_reading(model, processor, [sample_scene(rng) for _ in range(PROBED)])
    unseen = [sample_scene(rng, stacked=False, unseen=True) for _ in range(PROBED // 2)]
    pairs = probes.forced_reading(model, processor, unseen)
    return {**found, "item in scenes with unseen pairs": pairs["item"]}


def answering_gate(
    settings: WarmStart, model: Model, processor: PlaygroundProcessor
) -> dict[str, float]:
    """Reading, and how many fresh questions are answered right: greedy, and sampled."""
    rows: list[Any] = [make_example("test", n, seed=settings.seed + 1) for n in range(ANSWERED)]
    found = {}
    for name, temperature in (("answers, greedy", 0.0), ("answers, sampled", 1.0)):
        right = probes.answered(model, processor, rows, temperature)
        found[name] = sum(right) / len(right)
    return {**reading_gate(settings, model, processor), **found}


def stages(settings: WarmStart, model: Model, processor: PlaygroundProcessor) -> Iterator[Stage]:
    """The six stages in order."""
    yield seeing_stage(settings, model, processor)
    language, tower = model.model.language_model, model.model.visual

    def conversations(stage: str, step: int) -> Batch:
        size, questions = settings.batch, settings.questions
        if stage not in ("reason", "read") and size > 1:  # half the pictures for the tower to see
            size, questions = size // 2, 2 * questions
        return converse(processor, settings.seed, stage, step, size, questions=questions)

    def reads() -> dict[str, float]:
        return reading_gate(settings, model, processor)

    def answers() -> dict[str, float]:
        return answering_gate(settings, model, processor)

    well = dict.fromkeys(("shape", "colour", "size", "place", "tower"), READ_WELL)
    for name, steps, factor, modules, gate, needed in (
        ("reason", settings.reason_steps, 1.0, {"language": language}, None, {}),
        ("read", settings.read_steps, 1.0, {"language": language}, reads, well),
        ("look", settings.look_steps, 1.0, {"language": language}, answers, well),
        ("join", settings.join_steps, 0.33, {"language": language, "visual": tower}, answers, well),
        ("slip", settings.slip_steps, 0.25, {"language": language}, answers, {}),
    ):
        yield Stage(
            name,
            steps,
            settings.learning_rate * factor,
            lambda step, name=name: conversations(name, step),  # type: ignore[misc]
            lambda batch: model(**batch).loss,
            modules,
            gate,
            needed,
        )


def train(
    settings: WarmStart, out: Path, only: str | None = None, gates: bool = True
) -> Model | None:
    """Run the stages that are not yet in ``out``, then save the checkpoint (bfloat16) there.

    Args:
        settings: of the run.
        out: the folder.
        only: one stage alone; those before it must be there, but for ``see`` and ``reason``.
        gates: whether a probe that fails ends the run.

    Returns:
        The model, or ``None`` where one stage alone was asked for.

    Raises:
        UserError: at a gate that is not passed, and for stages made with other settings.
    """
    processor = build_processor(build_tokenizer(tokenizer_texts(settings.tokenizer_texts)))
    model = build_model(processor.tokenizer, settings.seed)
    batch_vision_windows(model)
    for stage in stages(settings, model, processor):
        made: dict[str, object] = {
            "seed": settings.seed,
            "steps": stage.steps,
            "batch": settings.batch,
            "peak": stage.peak,
            "warmup": settings.warmup,
        }
        if take_up(stage, out, made):
            say(f"{stage.name}: taken from {out}")
            continue
        if only not in (None, stage.name):
            require(
                {stage.name, only} == {"see", "reason"},
                f"--stage: {only} comes after {stage.name}, which is not in {out}",
            )
            continue
        train_stage(model, stage, settings.warmup, settings.log_every)
        keep(stage, out, made, passes(stage, gates))
        if only is not None:
            return None
    save(model, processor, out)
    return model


def save(model: Model, processor: PlaygroundProcessor, out: Path) -> None:
    """Write a checkpoint that Transformers loads: bfloat16 weights, config and processor."""
    out.mkdir(parents=True, exist_ok=True)
    model.config.architectures = [type(model).__name__]  # TRL loads the reference model by it
    model.config.save_pretrained(out)
    model.generation_config.save_pretrained(out)
    processor.save_pretrained(out)
    state = {
        name: tensor.detach().to(torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"  # tied to the input embedding
    }
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
