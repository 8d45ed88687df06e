"""The prompts of released evaluations by name, for numbers that are to be compared with theirs."""

from __future__ import annotations

from dataclasses import dataclass

THINK_BOXED = (
    "You FIRST think about the reasoning process as an internal monologue and then provide the "
    "final answer. The reasoning process MUST BE enclosed within <think> </think> tags. The final "
    "answer MUST BE put in \\boxed{}."
)
"""NoisyRollout's instruction (NUS-TRAIL/NoisyRollout at 09347dd, ``eval/main.py``)."""


@dataclass(frozen=True)
class Released:
    """A system turn and a user turn in which ``{text}`` is the instruction.

    ``{question}`` is the question as the release words it; the image stands in front.
    """

    system: str
    user: str

    def turns(self, question: str, text: str = "") -> tuple[str, str]:
        """(user turn, system turn); ``text`` stands instead of the release's instruction."""
        said = text or THINK_BOXED
        user = self.user.replace("{text}", said).replace("{question}", question)
        return user, self.system.replace("{text}", said)


RELEASED = {
    "noisyrollout-7b": Released(system="{text}", user="{question}"),
    "noisyrollout-32b": Released(system="You are a helpful assistant.", user="{text} {question}"),
}
"""Name -> prompt; NoisyRollout's are its ``--version 7b`` and ``32b``."""
