"""The hints of a recipe's rows, as ``noisygrpo check`` shows them: how many steps, how many tokens.

What a hint is stands in ``methods.hints``; what the trainer makes of it in
``training.hints``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.methods.hints import split_steps
from noisygrpo.report.table import table
from noisygrpo.training.config import NoisyGRPOConfig
from noisygrpo.training.hints.prompts import row_hints

PLACES = {"answer": "the start of the answer", "question": "the end of the question"}


def hint_lines(
    config: NoisyGRPOConfig, tokenizer: Any, examples: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return the settings, a table of steps and tokens at every level, and one row's last hint.

    Args:
        config: of a run with more than one hint level.
        tokenizer: the model's.
        examples: rows in the example format.
    """
    levels = config.hint_levels or 1
    place = PLACES[config.hint_place]
    lines, longest = [], ""
    for row in examples:
        reasoning = row.get("reasoning") or ""
        hints = [hint.text for hint in row_hints(config, reasoning)]
        counts = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in hints]
        lines.append([row["example_id"], str(len(split_steps(reasoning, config.hint_style)))])
        lines[-1] += [str(count) for count in counts]
        longest = longest or hints[-1]
    header = ["row", "steps", *(f"level {level}" for level in range(levels))]
    return [
        f"{levels} levels, hints are {place}, selection {config.hint_selection}; tokens of the "
        "hint at each level:",
        table(header, lines),
        f"level {levels - 1} of the first row that has one: {longest!r}",
    ]
