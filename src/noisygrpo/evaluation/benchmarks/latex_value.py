"""The number that a LaTeX or plain expression stands for, without sympy and without ``eval``.

Scorers compare answers such as ``\\frac{3 \\sqrt{6}}{2}``, ``24+4\\pi`` and ``55/2`` by value. A
small recursive-descent parser does it in microseconds on any input that a model writes; a computer
algebra system needs a process with a time limit for that (``9^{9^{9^9}}`` never ends). An
expression with a variable in it has no value.

Grammar, in the order of binding (``:`` is ``/``, implicit products bind like written ones, so
``1/2\\pi`` is ``(1/2)\\pi`` and ``3\\frac12`` is ``3 * 1/2``, as in latex2sympy)::

    sum      = product { ("+" | "-") product }
    product  = signed { ("*" | "/" | "") signed }
    signed   = { "+" | "-" } power
    power    = atom { "!" } [ "^" signed ]
    atom     = number | "pi" | "e" | group | "|" sum "|" | "\\frac" group group
             | "\\sqrt" [ "[" sum "]" ] group | function power
"""

import math
import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|\\[a-z]+|[a-z]+|[-+*/:^!()\[\]{}|]", re.IGNORECASE
)
_DROPPED = re.compile(r"\\(?:left|right|displaystyle|[,;:! ])|[$\s]|(?<=\d),(?=\d{3}(?!\d))")
_REWRITTEN = {
    "\\times": "*",
    "\\cdot": "*",
    "\\div": "/",
    ":": "/",
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "\\pi": "pi",
    "\\infty": "inf",
    "\\lbrace": "{",
    "\\rbrace": "}",
}
_CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "ln": math.log,
    "log": math.log,
    "exp": math.exp,
}
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_LONGEST = 20_000  # bits of a whole number; a longer power is taken as a float, or has no value
_DEEPEST = (
    60  # nesting at which a text is no answer any more; keeps well below Python's recursion limit
)


class _NotANumber(Exception):
    """The text is not an expression of numbers."""


def latex_value(text: str) -> float | None:
    """The value of a LaTeX or plain numeric expression; ``None`` if it has none.

    ``\\infty`` has the value ``inf``. Variables, words, unbalanced brackets, divisions by zero and
    values beyond a float have none.
    """
    rewritten = _DROPPED.sub("", text.replace("π", "pi").replace("√", "\\sqrt").replace("×", "*"))
    tokens, end = [], 0
    for match in _TOKEN.finditer(rewritten):
        if match.start() != end:
            return None
        end = match.end()
        tokens.append(_REWRITTEN.get(match.group(), match.group()))
    if not tokens or end != len(rewritten):
        return None
    parser = _Parser(tokens)
    try:
        value = parser.sum(0)
        return float(value) if parser.done() and not math.isnan(value) else None
    except (_NotANumber, ValueError, ZeroDivisionError, OverflowError):
        return None


def _is_digits(token: str) -> bool:
    return token[0].isdigit() or token[0] == "."


def _raise(base: float, exponent: float) -> float:
    """A power; exact of whole numbers, so that ``(3^{1008} - 1) / 3^{1009}`` has a value."""
    if isinstance(base, int) and isinstance(exponent, int):
        if exponent < 0 or base.bit_length() * exponent > _LONGEST:
            return float(base) ** exponent
        return int(base**exponent)
    value = base**exponent
    if isinstance(value, complex):
        raise _NotANumber
    return value


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 0

    def done(self) -> bool:
        return self._at == len(self._tokens)

    def sum(self, depth: int) -> float:
        value = self._product(depth)
        while self._next() in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            value += sign * self._product(depth)
        return value

    def _product(self, depth: int) -> float:
        value = self._signed(depth)
        while True:
            following = self._next()
            if following == "*":
                self._take()
                value *= self._signed(depth)
            elif following == "/":
                self._take()
                value /= self._signed(depth)
            elif self._starts_atom(following):
                value *= self._power(depth)
            else:
                return value

    def _signed(self, depth: int) -> float:
        sign = 1
        while self._next() in ("+", "-"):
            sign = sign if self._take() == "+" else -sign
        return sign * self._power(depth)

    def _power(self, depth: int) -> float:
        if depth > _DEEPEST:
            raise _NotANumber
        base = self._atom(depth + 1)
        while self._next() == "!":
            self._take()
            if base != int(base) or base > 170:
                raise _NotANumber
            base = math.factorial(int(base))
        if self._next() != "^":
            return base
        self._take()
        return _raise(base, self._signed(depth + 1))

    def _atom(self, depth: int) -> float:
        token = self._take()
        if token[0].isdigit() or token[0] == ".":
            return int(token) if token.isdigit() else float(token)
        if token in _PAIRS:
            return self._until(_PAIRS[token], depth)
        if token == "|":
            return abs(self._until("|", depth))
        if token == "\\frac":
            numerator = self._argument(depth)
            return numerator / self._argument(depth)
        if token == "\\sqrt" and self._next() == "[":
            self._take()
            degree = self._until("]", depth)
            return _raise(self._argument(depth), 1 / degree)
        name = token.removeprefix("\\")
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](self._argument(depth) if name == "sqrt" else self._power(depth))
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        raise _NotANumber

    def _argument(self, depth: int) -> float:
        r"""A group, or as TeX has it the next character: ``\frac12`` is one half."""
        token = self._next()
        if token[:1].isdigit() and len(token) > 1 and "." not in token:
            self._tokens[self._at] = token[1:]
            return int(token[0])
        return self._atom(depth + 1)

    def _until(self, closing: str, depth: int) -> float:
        value = self.sum(depth + 1)
        if self._take() != closing:
            raise _NotANumber
        return value

    def _starts_atom(self, token: str) -> bool:
        if not token or not (token[0].isalnum() or token[0] in "\\.([{"):
            return False
        before = self._tokens[self._at - 1]
        return not (_is_digits(token) and _is_digits(before))  # 1..2 is no product

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        if self.done():
            raise _NotANumber
        self._at += 1
        return self._tokens[self._at - 1]
