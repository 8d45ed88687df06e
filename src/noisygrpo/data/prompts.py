"""Named prompt templates and system turns; a recipe may also give its own text.

Our wording, in the manner of the papers: NoisyGRPO asks for a caption of what matters before the
analysis (``caption_think_answer``), NoisyRollout asks for ``\\boxed{}`` in a system turn, Hint-GRPO
for a number in ``<answer>``.
"""

from __future__ import annotations

from noisygrpo.errors import require

PROMPTS: dict[str, str] = {
    "plain": "{question}",
    "think_answer": (
        "{question}\nThink step by step inside <think> </think> tags, then give only the final "
        "answer inside <answer> </answer> tags."
    ),
    "caption_think_answer": (
        "{question}\nInside <think> </think> tags, first describe what in the image matters for "
        "the question, then analyse it in detail. Then give only the final answer inside "
        "<answer> </answer> tags."
    ),
    "think_number": (
        "{question}\nThink step by step inside <think> </think> tags, then give the final answer "
        "as a number inside <answer> </answer> tags."
    ),
    "boxed": "{question}\nGive the final answer in \\boxed{}.",
}
"""Templates of the user turn by name."""

DEFAULT = "think_answer"
"""The template where a recipe names none."""

SYSTEMS: dict[str, str] = {
    "think_boxed": (
        "First reason about the problem inside <think> </think> tags, as an inner monologue. Then "
        "give the final answer in \\boxed{}."
    ),
    "think_answer": (
        "Reason about the question inside <think> </think> tags first, then give the final answer "
        "inside <answer> </answer> tags."
    ),
}
"""System turns by name."""


def resolve_prompt(prompt: str) -> str:
    """Return the template with that name, or ``prompt`` itself if it holds ``{question}``.

    "" is ``DEFAULT``. Raises ``UserError`` for anything else.
    """
    template = PROMPTS.get(prompt or DEFAULT, prompt)
    require(
        "{question}" in template,
        f"data.prompt: {prompt!r} is neither one of {sorted(PROMPTS)} nor a text with {{question}}",
    )
    return template


def resolve_system(system: str) -> str:
    """Return the system turn with that name, or ``system`` itself; "" means none."""
    return SYSTEMS.get(system, system)
