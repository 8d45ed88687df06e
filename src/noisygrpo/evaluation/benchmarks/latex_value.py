r"""The number that an expression stands for by the conventions of latex2sympy, which MATH-Vision's
official script evaluates answers with.

The grammar is that of the rewards (`noisygrpo.rewards.parser`). Three conventions differ: ``log``
is the natural logarithm, ``3\frac{1}{2}`` is a product, and ``3:2`` and ``10-15`` are computed. A
degree sign, or a math delimiter inside an answer, has no value there.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import ClassVar

from noisygrpo.rewards.expression import value_of
from noisygrpo.rewards.parser import FUNCTIONS, Parser
from noisygrpo.rewards.tokens import tokenize

_UNREADABLE = re.compile(r"°|\\degree|(?<!\\)\\[()\[\]$]")


class _Latex2Sympy(Parser):
    """The rewards' parser with latex2sympy's conventions."""

    functions: ClassVar[Mapping[str, Callable[[float], float]]] = {**FUNCTIONS, "log": math.log}
    mixed_numbers = False


def latex_value(text: str) -> float | None:
    """The value of a LaTeX or plain numeric expression; ``None`` if it has none.

    ``\\infty`` has the value ``inf``. Variables, words, unbalanced brackets, divisions by zero and
    values beyond a float have none.
    """
    if _UNREADABLE.search(text):
        return None
    tokens = tokenize(text.replace("$", " "), arithmetic=True)
    value = None if tokens is None else value_of(_Latex2Sympy(list(tokens), {}))
    return None if value is None else float(value)
