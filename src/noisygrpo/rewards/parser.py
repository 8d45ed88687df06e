r"""A recursive-descent parser that evaluates LaTeX and plain arithmetic.

Grammar, in the order of binding (``:`` is ``/``, implicit products bind like written ones, so
``1/2\pi`` is ``(1/2)\pi``; an integer before a proper fraction is a mixed number)::

    sum      = product { ("+" | "-") product }
    product  = signed { ("*" | "/" | "") signed }
    signed   = { "+" | "-" } power
    power    = atom { "!" | degree } [ "^" signed ]
    atom     = number | constant | variable | group | "|" sum "|" | "\frac" argument argument
             | "\binom" argument argument | "\sqrt" [ "[" sum "]" ] argument
             | function [ "_" argument ] power
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import ClassVar

from noisygrpo.rewards.spelling import word_set
from noisygrpo.rewards.tokens import NAMES

Value = Fraction | float

MAX_BITS = 20_000
"""Bits of a whole number; a longer power is taken as a float, or has no value."""

MAX_DEPTH = 40
"""Nesting at which a text is no answer any more; keeps well below Python's recursion limit."""

_CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e, "inf": math.inf}
FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "cot": lambda x: 1 / math.tan(x),
    "sec": lambda x: 1 / math.cos(x),
    "csc": lambda x: 1 / math.sin(x),
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "ln": math.log,
    "log": math.log10,
    "lg": math.log10,
    "exp": math.exp,
    "abs": math.fabs,
}
"""Functions of one argument; ``log`` is the common logarithm."""

_GREEK = word_set(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega varphi "
    "vartheta"
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}


class NotANumber(Exception):
    """The text is no expression, or has no value at this point."""


def _raise(base: Value, exponent: Value) -> Value:
    """A power; exact of rational numbers with whole exponents."""
    whole = isinstance(exponent, Fraction) and exponent.denominator == 1
    if isinstance(base, complex):
        if not whole:
            raise NotANumber
        return base ** int(exponent)
    if isinstance(base, Fraction) and whole:
        count = int(exponent)
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits * abs(count) <= MAX_BITS:
            return base**count
    value = float(base) ** float(exponent)
    if isinstance(value, complex):
        raise NotANumber
    return value


def _root(base: Value, degree: Value) -> Value:
    """A root; exact where it is rational, real for odd roots of negative numbers."""
    odd = isinstance(degree, Fraction) and degree.denominator == 1 and degree.numerator % 2 == 1
    if base < 0:
        if not odd:
            raise NotANumber
        return -_root(-base, degree)
    value = float(base) ** (1 / float(degree))
    if isinstance(base, Fraction) and isinstance(degree, Fraction) and degree.denominator == 1:
        near = Fraction(value).limit_denominator(10**6)
        if (
            near.numerator.bit_length() * degree.numerator < MAX_BITS
            and near**degree.numerator == base
        ):
            return near
    return value


def _choose(whole: Value, part: Value) -> Value:
    """A binomial coefficient of small whole numbers."""
    if whole != int(whole) or part != int(part) or not 0 <= part <= whole <= 1000:
        raise NotANumber
    return Fraction(math.comb(int(whole), int(part)))


class Parser:
    """Recursive descent over the tokens, with values for variables.

    A benchmark with other conventions overrides ``functions`` and ``mixed_numbers``.
    """

    functions: ClassVar[Mapping[str, Callable[[float], float]]] = FUNCTIONS
    mixed_numbers = True
    r"""Whether ``3\frac{1}{2}`` is three and a half, not a product."""

    def __init__(self, tokens: list[str], variables: Mapping[str, Value]) -> None:
        self._tokens, self._at, self._variables = tokens, 0, variables
        self.collect = False
        self.seen: set[str] = set()

    def done(self) -> bool:
        """Whether every token was read."""
        return self._at == len(self._tokens)

    def sum(self, depth: int) -> Value:
        """Read a sum."""
        value = self._product(depth)
        while self._next() in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            value = value + sign * self._product(depth)
        return value

    def _product(self, depth: int) -> Value:
        value = self._signed(depth)
        while True:
            following = self._next()
            if following == "*":
                self._take()
                value = value * self._signed(depth)
            elif following == "/":
                self._take()
                value = value / self._signed(depth)
            elif self._starts_atom(following):
                mixed = self.mixed_numbers and following == "\\frac"
                mixed = mixed and self._tokens[self._at - 1].isdigit()
                factor = self._power(depth)
                proper = mixed and isinstance(factor, Fraction) and 0 < factor < 1
                value = value + factor if proper else value * factor
            else:
                return value

    def _signed(self, depth: int) -> Value:
        sign = 1
        while self._next() in ("+", "-"):
            sign = sign if self._take() == "+" else -sign
        return sign * self._power(depth)

    def _power(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise NotANumber
        base = self._atom(depth + 1)
        while self._next() in ("!", "^{\\circ}"):
            if self._take() != "!":
                base = float(base) * math.pi / 180
            elif base < 0 or base != int(base):
                raise NotANumber
            elif base > 170:
                raise OverflowError
            else:
                base = Fraction(math.factorial(int(base)))
        if self._next() != "^":
            return base
        self._take()
        return _raise(base, self._signed(depth + 1))

    def _atom(self, depth: int) -> Value:
        token = self._take()
        if token[0].isdigit() or token[0] == ".":
            return Fraction(token.rstrip(".") if not token.startswith(".") else "0" + token)
        if token in _PAIRS:
            return self._until(_PAIRS[token], depth)
        if token == "|":
            inside = self._until("|", depth)
            return -inside if inside < 0 else inside
        name = token.removeprefix("\\")
        if name == "frac":
            numerator = self._argument(depth)
            return numerator / self._argument(depth)
        if name == "binom":
            return _choose(self._argument(depth), self._argument(depth))
        if name == "sqrt":
            degree: Value = Fraction(2)
            if self._next() == "[":
                self._take()
                degree = self._until("]", depth)
            return _root(self._argument(depth), degree)
        if name in self.functions:
            return self._function(name, depth)
        if token[0] not in "\\" and not token.isalpha():
            raise NotANumber
        if token in _CONSTANTS and self._next() != "_":
            return _CONSTANTS[token]
        return self._variable(token)

    def _function(self, name: str, depth: int) -> Value:
        base = power = None
        for _ in range(2):
            if self._next() == "_" and name == "log":
                self._take()
                base = self._argument(depth)
            if self._next() == "^":
                self._take()
                power = self._argument(depth)
        if power is not None and power < 0:
            raise NotANumber  # the inverse function
        grouped = self._next() in _PAIRS
        argument = float(self._power(depth + 1))
        while not grouped and self._is_plain(self._next()):  # sin 2x is sin(2x)
            argument *= float(self._power(depth + 1))
        value: Value = self.functions[name](argument)
        if base is not None:
            value = math.log(argument) / math.log(base)
        near = Fraction(value).limit_denominator(1000)
        value = near if math.isclose(near, value, rel_tol=1e-14, abs_tol=1e-15) else value
        return value if power is None else _raise(value, power)

    def _is_plain(self, token: str) -> bool:
        """Whether a token is a variable or a constant."""
        name = token.removeprefix("\\")
        return token in _CONSTANTS or name in _GREEK or (token.isalpha() and name not in NAMES)

    def _variable(self, token: str) -> Value:
        """A letter, a Greek letter or a name in capitals; an index is its part."""
        name = token.removeprefix("\\")
        if (token[0] == "\\") != (name in _GREEK) or name == "i":
            raise NotANumber
        if self._next() == "_":
            self._take()
            index = self._take()
            if index == "{":
                index = ""
                while self._next() not in ("}", ""):
                    index += self._take()
                self._take()
            name += f"_{index}"
        self.seen.add(name)
        if name not in self._variables and not self.collect:
            raise NotANumber
        return self._variables.get(name, Fraction(3, 2))

    def _argument(self, depth: int) -> Value:
        r"""A group, or as TeX has it the next sign: ``\frac12`` is one half."""
        token = self._next()
        if token.isdigit() and len(token) > 1:
            self._tokens[self._at] = token[1:]
            return Fraction(int(token[0]))
        return self._atom(depth + 1)

    def _until(self, closing: str, depth: int) -> Value:
        value = self.sum(depth + 1)
        if self._take() != closing:
            raise NotANumber
        return value

    def _starts_atom(self, token: str) -> bool:
        if not token or not (token[0].isalnum() or token[0] in "\\.([{"):
            return False
        before = self._tokens[self._at - 1]
        if token[0] in ".0123456789":  # neither 1..2 nor A1 is a product
            if before == "pi":
                return True  # \pi 5^2
            return not (before[0] in ".0123456789" or before.isalpha() or before[0] == "\\")
        return True

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        if self.done():
            raise NotANumber
        self._at += 1
        return self._tokens[self._at - 1]


class ComplexParser(Parser):
    """The same with ``i`` for the imaginary unit; whole powers only."""

    def _variable(self, token: str) -> Value:
        if token == "i" and self._next() != "_":
            return 1j  # type: ignore[return-value]
        return super()._variable(token)
