"""Group-relative RL for vision-language models whose rollouts each see a view of their own."""

__version__ = "0.1.0"
