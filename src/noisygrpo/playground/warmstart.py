"""The supervised warm start: the playground's model from random weights, on two CPU cores.

Seven stages, told in ``playground.lessons``: see, locate, spread, reason, read, look, slip.
Some end at a gate, a probe on fresh scenes that must pass. A stage leaves the parameters that it
trained in ``stages/``, and the command goes on after the last stage that is there. ``see`` (the
tower) and ``reason`` (the language model) share no parameters and can run side by side, each in a
process of its own (``--stage``). Deterministic for a given machine and number of threads.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Qwen2_5_VLForConditionalGeneration as Model

from noisygrpo.errors import require
from noisygrpo.playground import probes, seeing
from noisygrpo.playground.fast_attention import attend_in_float32
from noisygrpo.playground.fast_vision import batch_vision_windows
from noisygrpo.playground.gallery import Gallery, hang, spread
from noisygrpo.playground.lessons import Batch, converse, lesson_rng
from noisygrpo.playground.model import (
    PlaygroundProcessor,
    build_model,
    load_processor,
    model_path,
)
from noisygrpo.playground.scene import Scene, sample_scene
from noisygrpo.playground.splits import PROMPT, make_example
from noisygrpo.playground.staging import (
    Stage,
    check,
    glance,
    keep,
    probed,
    take_up,
    train_stage,
)
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
    see_steps: int = 1400
    locate_steps: int = 400
    reason_steps: int = 500
    read_steps: int = 3000
    look_steps: int = 2500
    slip_steps: int = 500
    pictures: int = 12800
    """Pictures of the language model's stages, looked at once."""
    batch: int = 32
    """Pictures per step."""
    questions: int = 2
    """Questions per description in ``reason``, in one conversation; with pictures it is one."""
    learning_rate: float = 1.5e-3
    """Peak; ``locate`` peaks at half of it."""
    warmup: int = 40
    log_every: int = 25
    probe_every: int = 500
    """Steps after which an unfinished stage is probed and written (``stages/NAME-halfway``)."""


def tokenizer_texts(rows: int = 3000) -> Iterator[str]:
    """The text that the shipped tokenizer was trained on (``model.build_tokenizer``)."""
    for index in range(rows):
        rng = lesson_rng(0, "words", index)
        scene = sample_scene(rng)
        told = index % 6 == 0
        turns = description(rng, scene) if told else demonstration(rng, scene, 1, slips=False)
        for question, text in turns:
            yield f"user\n{PROMPT.format(question=question)}\nassistant\n{text}"
        yield reworded(turns[0][0], rng)
    for _ in range(20):
        yield PEOPLES


def on_fresh_scenes(
    rng: np.random.Generator, probe: Callable[[list[Scene]], dict[str, float]]
) -> dict[str, float]:
    """What a probe finds in fresh scenes, and of its ``item`` where half are pairs never shown."""
    found = probe([sample_scene(rng) for _ in range(PROBED)])
    unseen = [sample_scene(rng, stacked=False, unseen=True) for _ in range(PROBED // 2)]
    return {**found, "item in scenes with unseen pairs": probe(unseen)["item"]}


def seeing_stages(
    settings: WarmStart, model: Model, processor: PlaygroundProcessor
) -> Iterator[Stage]:
    """The stages ``see`` and ``locate`` and their gates."""
    tower = model.model.visual
    width = model.config.vision_config.out_hidden_size
    eyes, where = seeing.Eyes(width), seeing.Whereabouts(width)

    def features(batch: Batch) -> torch.Tensor:
        return tower(batch["pixel_values"], grid_thw=batch["image_grid_thw"]).pooler_output

    def pictures(stage: str, step: int) -> Batch:
        return seeing.see(processor, lesson_rng(settings.seed, stage, step), settings.batch)

    def seen_and_placed(batch: Batch) -> torch.Tensor:
        found = features(batch)
        return eyes.loss(found, batch) + where.loss(found, batch)

    def gate() -> dict[str, float]:
        rng = lesson_rng(settings.seed, "probe", 0)
        return on_fresh_scenes(rng, lambda seen: seeing.probe(tower, eyes, processor, seen))

    def placed() -> dict[str, float]:
        scenes = [sample_scene(lesson_rng(settings.seed, "probe", 2 + n)) for n in range(PROBED)]
        batch = seeing.labelled(processor, scenes)
        with torch.no_grad():
            return {**gate(), **where.right(features(batch), batch)}

    well = dict.fromkeys(("shape", "colour", "size"), READ_WELL)
    yield Stage(
        "see",
        settings.see_steps,
        settings.learning_rate,
        lambda step: pictures("see", step),
        lambda batch: eyes.loss(features(batch), batch),
        {"visual": tower, "eyes": eyes},
        gate,
        needed=well,
    )
    yield Stage(
        "locate",
        settings.locate_steps,
        settings.learning_rate / 2,
        lambda step: pictures("locate", step),
        seen_and_placed,
        {"visual": tower, "eyes": eyes, "where": where},
        placed,
        needed={**well, "row": READ_WELL, "column": READ_WELL},
    )


def reading_gate(
    settings: WarmStart, model: Model, processor: PlaygroundProcessor
) -> dict[str, float]:
    """How well fresh scenes are read, word by word."""
    rng = lesson_rng(settings.seed, "probe", 1)
    return on_fresh_scenes(rng, lambda seen: probes.forced_reading(model, processor, seen))


def answering_gate(
    settings: WarmStart, model: Model, processor: PlaygroundProcessor
) -> dict[str, float]:
    """Reading, and how many fresh questions are answered right: greedy, and sampled."""
    rows: list[Any] = [make_example("test", n, seed=settings.seed + 1) for n in range(ANSWERED)]
    found = {}
    for name, sampled in (("answers, greedy", False), ("answers, sampled", True)):
        right = probes.answered(model, processor, rows, sampled)
        found[name] = sum(right) / len(right)
    return {**reading_gate(settings, model, processor), **found}


def stages(settings: WarmStart, model: Model, processor: PlaygroundProcessor) -> Iterator[Stage]:
    """The stages in order."""
    yield from seeing_stages(settings, model, processor)
    language, tower = model.model.language_model, model.model.visual
    yield Stage(
        "spread",
        0,
        0.0,
        lambda step: {},
        lambda batch: torch.zeros(()),
        {"visual": tower},
        finish=lambda: spread(tower, processor, lesson_rng(settings.seed, "spread", 0)),
    )

    @cache
    def gallery() -> Gallery:
        return hang(tower, processor, lesson_rng(settings.seed, "read", 2**31), settings.pictures)

    def conversations(stage: str, step: int) -> Batch:
        # with pictures one question each: a second could be answered from the first's readings
        questions = settings.questions if stage == "reason" else 1
        shown = None if stage == "reason" else gallery()
        return converse(
            processor, settings.seed, stage, step, settings.batch, shown, questions=questions
        )

    def reads() -> dict[str, float]:
        return reading_gate(settings, model, processor)

    def answers() -> dict[str, float]:
        return answering_gate(settings, model, processor)

    well = dict.fromkeys(("shape", "colour", "size", "place", "tower"), READ_WELL)
    for name, steps, muon, of, gate, needed in (
        ("reason", settings.reason_steps, 1.0, "questions", None, {}),
        ("read", settings.read_steps, 2.0, "pictures", reads, well),
        ("look", settings.look_steps, 2.0, "pictures", answers, well),
        ("slip", settings.slip_steps, 1.0, "pictures", answers, {}),
    ):
        yield Stage(
            name,
            steps,
            settings.learning_rate,
            lambda step, name=name: conversations(name, step),  # type: ignore[misc]
            lambda batch: model(**batch).loss,
            {"language": language},
            gate,
            muon=muon,
            needed=needed,
            lessons={of: getattr(settings, of)},
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
    processor = load_processor(model_path())
    model = build_model(processor.tokenizer, settings.seed)
    batch_vision_windows(model)
    attend_in_float32(model)
    for stage in stages(settings, model, processor):
        made: dict[str, object] = {
            "seed": settings.seed,
            "steps": stage.steps,
            "batch": settings.batch,
            "peak": stage.peak,
            "muon": stage.muon,
            "warmup": settings.warmup,
            **stage.lessons,
        }
        found = take_up(stage, out, made)
        if found is not None:
            say(f"{stage.name}: taken from {out}")
        elif only not in (None, stage.name):
            require(
                stage.name in ("see", "locate", "spread") and only == "reason",
                f"--stage: {only} comes after {stage.name}, which is not in {out}",
            )
            continue
        else:
            train_stage(
                model,
                stage,
                settings.warmup,
                settings.log_every,
                partial(glance, stage, out, made, settings.probe_every),
            )
            found = probed(stage)
            keep(stage, out, made, found)
        if gates:
            check(stage, found)
        if only == stage.name:
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
