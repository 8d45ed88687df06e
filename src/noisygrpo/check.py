"""``noisygrpo check``: what a recipe will do, looked at on a few rows before it costs anything.

In order, each part needing more than the one before: the recipe and config; the rows, their
targets as the judge parses them, and what each reward gives a right and a wrong answer; batch
arithmetic; image and prompt tokens; hints; a memory estimate (formula in ``budget``); one group of
rollouts, each on its view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from noisygrpo.budget import estimate_memory
from noisygrpo.check_hints import hint_lines
from noisygrpo.console import describe
from noisygrpo.data.rows import answer_text
from noisygrpo.data.turns import plain_text
from noisygrpo.errors import require
from noisygrpo.evaluation.generate import Generation, build_inputs, generate_batch
from noisygrpo.loading import (
    default_device,
    load_any_processor,
    load_config,
    load_model,
    weights_dtype,
)
from noisygrpo.prepare import Prepared, prepare
from noisygrpo.recipe import Recipe
from noisygrpo.report.table import table
from noisygrpo.rewards import RewardFunction, extract_answer, judge_completion
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.rollouts import plan_batch
from noisygrpo.training.vision import freeze_vision_tower, set_pixel_limits, vision_token_ids

Row = Mapping[str, Any]
WIDTH = 60


def check(recipe: Recipe, *, rows: int = 20, rollout: bool = True) -> int:
    """Print the report; returns 0, or 1 where a right answer does not earn more than a wrong one.

    Raises:
        UserError: anything that would stop the run.
    """
    require(rows > 0, f"--rows: {rows} is not positive")
    prepared = prepare(recipe, f"runs/{recipe.name}")
    config, rewards = prepared.config, prepared.rewards
    examples = [prepared.train[index] for index in range(min(rows, len(prepared.train)))]
    heading("recipe", *describe(prepared))
    trouble = report_rewards(rewards, prepared.weights, examples)
    processor = load_any_processor(recipe.model)
    set_pixel_limits(processor, config.min_pixels, config.max_pixels)
    longest = report_tokens(processor, load_config(recipe.model), examples)
    if config.hinted:
        heading("hints", *hint_lines(config, processor.tokenizer, examples))
    report_memory(prepared, longest)
    if rollout:
        report_rollout(recipe, config, processor, rewards, examples[0])
    heading("result", *(trouble or ["nothing wrong was found"]))
    return 1 if trouble else 0


def heading(title: str, *blocks: str) -> None:
    """Print a title and, indented, the lines of its blocks."""
    lines = "\n".join(blocks).split("\n")
    print("\n".join(["", title, *(f"  {line}" for line in lines)]), flush=True)


def shorten(text: str, width: int = WIDTH) -> str:
    """One line of at most ``width`` printable characters: a model may write terminal codes."""
    line = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split())
    )
    return line if len(line) <= width else line[: width - 1] + "…"


def report_rewards(
    rewards: Sequence[RewardFunction], weights: Sequence[float], examples: Sequence[Row]
) -> list[str]:
    """Print targets and each reward's mean on right and wrong answers; returns what is wrong."""
    right = [answer_with(row, answer_text(row["answer"])) for row in examples]
    wrong = [answer_with(row, other_answer(row, examples)) for row in examples]
    good = [score(rewards, row, text) for row, text in zip(examples, right, strict=True)]
    bad = [score(rewards, row, text) for row, text in zip(examples, wrong, strict=True)]
    totals = [(weighted(r, weights), weighted(w, weights)) for r, w in zip(good, bad, strict=True)]
    numbers = [
        [
            shorten(row["example_id"], 20),
            shorten(answer_text(row["answer"]), 24),
            f"{r:.2f}",
            f"{w:.2f}",
        ]
        for row, (r, w) in zip(examples, totals, strict=True)
    ]
    notes = [target_note(row, *texts) for row, *texts in zip(examples, right, wrong, strict=True)]
    heading(
        "targets, and the weighted reward of a right and a wrong answer",
        beside(["row", "target", "right", "wrong"], numbers, "", notes),
    )
    means = [
        [reward.__name__, average([row[n] for row in good]), average([row[n] for row in bad])]
        for n, reward in enumerate(rewards)
    ]
    heading("mean rewards", table(["reward", "right answer", "wrong answer"], means))
    blind = [row["example_id"] for row, (r, w) in zip(examples, totals, strict=True) if r <= w]
    count = f"{len(blind)} of {len(examples)} rows"
    named = ", ".join(blind[:5])
    return [f"in {count} a right answer earns no more than a wrong one: {named}"] if blind else []


def target_note(row: Row, right: str, wrong: str) -> str:
    """What is extracted from the right answer, why the wrong one is wrong, and the question."""
    verdict = judge_completion(wrong, row["answer"], row["kind"], row["question"])
    found = shorten(extract_answer(right) or "nothing", 24)
    said = shorten(f"{extract_answer(wrong)!r} is wrong: {verdict.why}", 48)
    return f"reads {found!r}; {said}; asked: {shorten(row['question'])}"


def beside(
    header: Sequence[str], rows: Sequence[Sequence[str]], title: str, texts: Sequence[str]
) -> str:
    """A table of numbers with free text behind each of its lines."""
    lines = table(header, rows).split("\n")
    behind = [title, "─" * len(title), *texts]
    return "\n".join(f"{line}  {text}".rstrip() for line, text in zip(lines, behind, strict=True))


def average(values: Sequence[float | None]) -> str:
    """Mean of the scores, with how many were unscorable."""
    scored = [value for value in values if value is not None]
    lost = len(values) - len(scored)
    shown = f"{mean(scored):.2f}" if scored else "-"
    return f"{shown} ({lost} unscorable)" if lost else shown


def weighted(scores: Sequence[float | None], weights: Sequence[float]) -> float:
    """Weighted sum of what could be scored."""
    return sum(w * s for s, w in zip(scores, weights, strict=True) if s is not None)


def score(rewards: Sequence[RewardFunction], row: Row, text: str) -> list[float | None]:
    """What each reward gives a completion of a row, called as the trainer calls it."""
    columns = {key: [value] for key, value in row.items() if key not in ("prompt", "images")}
    columns |= {"noise_level": [0.0], "rollout_index": [0]}
    columns |= {"hint_ratio": [0.0], "hint_level": [0], "hint": [""]}
    completion = [{"role": "assistant", "content": text}]
    return [
        reward(prompts=[row["prompt"]], completions=[completion], **columns)[0]
        for reward in rewards
    ]


def answer_with(row: Row, answer: str) -> str:
    """A completion with this answer, in the form that the row's prompt asks for."""
    told = " ".join(plain_text(turn["content"]) for turn in row["prompt"])
    thought = f"<think>{row['reasoning'] or 'I look at the image.'}</think>"
    form = f"\\boxed{{{answer}}}" if "\\boxed" in told else f"<answer>{answer}</answer>"
    return thought + form


def other_answer(row: Row, examples: Sequence[Row]) -> str:
    """Another row's answer, of the same kind if there is one; made up where all rows agree."""
    others = [other for other in examples if other["answer"] != row["answer"]]
    alike = [other for other in others if other["kind"] == row["kind"]] or others
    return answer_text(alike[0]["answer"]) if alike else "none of these"


def report_tokens(processor: Any, config: Any, examples: Sequence[Row]) -> int:
    """Print image and prompt lengths in tokens; returns the longest prompt."""
    images, prompts = [], []
    vision = torch.tensor(vision_token_ids(config.to_dict(), processor.tokenizer))
    for row in examples:
        ids = build_inputs(processor, [row])["input_ids"][0]
        images.append(int(torch.isin(ids, vision).sum()))
        prompts.append(len(ids))
    heading(
        "tokens",
        f"images, with their markers: {spread(images)}",
        f"prompts, with their images: {spread(prompts)}",
    )
    return max(prompts)


def spread(counts: Sequence[int]) -> str:
    """Smallest, largest and mean."""
    return f"{min(counts)} to {max(counts)}, {mean(counts):.0f} on average"


def report_memory(prepared: Prepared, prompt_tokens: int) -> None:
    """Print the estimate, from the model's shapes alone."""
    config, lora = prepared.config, prepared.lora
    model = meta_model(prepared, weights_dtype(prepared.recipe.model, train=True))
    memory = estimate_memory(model, config, prompt_tokens=prompt_tokens, lora=lora is not None)
    heading("memory (estimate)", *memory.lines())


def meta_model(prepared: Prepared, dtype: torch.dtype | None) -> Any:
    """The model as it will be trained, frozen parts and adapters included, without its weights.

    ``dtype``: of the weights; None is the one that they are stored in.
    """
    spec, config = prepared.recipe.model, load_config(prepared.recipe.model)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(
            config,
            dtype=dtype or config.dtype or torch.float32,
            trust_remote_code=spec.trust_remote_code,
        )
        if prepared.config.freeze_vision_tower:
            freeze_vision_tower(model)
        if prepared.lora is not None:
            from peft import get_peft_model

            model = get_peft_model(model, prepared.lora)
    return model


def report_rollout(
    recipe: Recipe,
    config: NoisyGRPOConfig,
    processor: Any,
    rewards: Sequence[RewardFunction],
    row: Row,
) -> None:
    """Generate and print one group: noise level, reward parts and completion of each rollout."""
    model = load_model(recipe.model, train=True)
    if recipe.model.quantization is None:  # quantised weights are where they belong
        model.to(default_device())
    group = config.num_generations
    rollouts = plan_batch(config, [row] * group, first=0, group=group, step=1)
    seen = [
        {**row, "images": item.see(row["images"]), "example_id": f"{item.example_id}-{item.index}"}
        for item in rollouts
    ]
    settings = Generation(
        batch_size=group,
        max_new_tokens=config.max_completion_length,
        temperature=config.temperature,
        top_p=config.top_p,
        seed=config.seed,
    )
    completions = generate_batch(model, processor, seen, settings)
    parts = [score(rewards, row, completion.text) for completion in completions]
    lines = [
        [f"{item.view.level:.2f}", *map(number, scores), str(completion.tokens)]
        for item, scores, completion in zip(rollouts, parts, completions, strict=True)
    ]
    header = ["level", *(reward.__name__ for reward in rewards), "tokens"]
    texts = [shorten(completion.text, 90) for completion in completions]
    heading(
        f"one group of rollouts on {row['example_id']} (target {row['answer']!r})",
        f"question: {shorten(row['question'], 90)}",
        beside(header, lines, "completion", texts),
    )


def number(value: float | None) -> str:
    """A reward with two digits; ``-`` for unscorable."""
    return "-" if value is None else f"{value:.2f}"
