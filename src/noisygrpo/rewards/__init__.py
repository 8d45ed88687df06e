"""Rewards: extracting an answer from a completion, judging it, and functions with TRL's
signature."""

from noisygrpo.rewards.extract import completion_text, extract_answer
from noisygrpo.rewards.functions import RewardFunction, judge_completion
from noisygrpo.rewards.judge import KINDS, Verdict, is_correct
from noisygrpo.rewards.load import REWARDS, load_rewards
from noisygrpo.rewards.outcome import UNSCORABLE, UNSCORABLE_BITS, is_unscorable

__all__ = [
    "KINDS",
    "REWARDS",
    "UNSCORABLE",
    "UNSCORABLE_BITS",
    "RewardFunction",
    "Verdict",
    "completion_text",
    "extract_answer",
    "is_correct",
    "is_unscorable",
    "judge_completion",
    "load_rewards",
]
