"""Rows of any source become the one example format; nothing else knows a data set's columns."""

from noisygrpo.data.adapters import ADAPTERS
from noisygrpo.data.checks import validate_examples
from noisygrpo.data.example import FEATURES, KEYS, check_example, make_example, make_prompt
from noisygrpo.data.prompts import PROMPTS, SYSTEMS
from noisygrpo.data.sources import Loaded, load, load_examples
from noisygrpo.data.spec import DataSpec

__all__ = [
    "ADAPTERS",
    "FEATURES",
    "KEYS",
    "PROMPTS",
    "SYSTEMS",
    "DataSpec",
    "Loaded",
    "check_example",
    "load",
    "load_examples",
    "make_example",
    "make_prompt",
    "validate_examples",
]
