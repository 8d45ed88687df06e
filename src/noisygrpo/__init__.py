"""Group-relative RL for vision-language models in which what each rollout sees is a variable of the algorithm."""

__version__ = "0.1.0"
