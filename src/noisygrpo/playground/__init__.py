"""The playground: a small world and a small vision-language model, to run everything offline."""

from noisygrpo.playground.fast_vision import batch_vision_windows
from noisygrpo.playground.model import is_playground, load_processor, model_path
from noisygrpo.playground.splits import PROMPT, SPLITS, make_example, make_split

__all__ = [
    "PROMPT",
    "SPLITS",
    "batch_vision_windows",
    "is_playground",
    "load_processor",
    "make_example",
    "make_split",
    "model_path",
]
