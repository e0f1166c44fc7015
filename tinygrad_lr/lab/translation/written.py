"""JavaScript's expressions: each is its text, its kind, and how strongly the text holds together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .kinds import FLOAT32, FLOAT64, TRUTH, WHOLE, Kind, Known, Number, Tuple, number_of

__all__ = [
    "AND",
    "ATOM",
    "CHOICE",
    "EQUALITY",
    "OR",
    "PLUS",
    "RELATION",
    "STRENGTHS",
    "TIMES",
    "UNARY",
    "Value",
    "arithmetic",
    "binary",
    "conditional",
    "joined",
    "known",
    "literal",
    "negative",
    "rounded",
    "several",
]

ATOM, UNARY, TIMES, PLUS, SHIFT, RELATION, EQUALITY, AND_BITS, XOR_BITS, OR_BITS, AND, OR, CHOICE = range(13, 0, -1)
STRENGTHS = (
    {"*": TIMES, "/": TIMES, "%": TIMES, "+": PLUS, "-": PLUS, "<<": SHIFT, ">>": SHIFT, ">>>": SHIFT}
    | {"<": RELATION, "<=": RELATION, ">": RELATION, ">=": RELATION, "===": EQUALITY, "!==": EQUALITY}
    | {"&": AND_BITS, "^": XOR_BITS, "|": OR_BITS, "&&": AND, "||": OR}
)


@dataclass(frozen=True)
class Value:
    """An expression.

    Attributes:
        code: its text.
        kind: what its value is.
        strength: of its weakest operator.
        constant: the number, where it is known at the time of translation.
        parts: of a tuple that stands apart, as `*scalars`: its values. Its code is that of an array of them.
    """

    code: str
    kind: Kind
    strength: int = ATOM
    constant: Any = None
    parts: tuple[Value, ...] | None = None

    def within(self, strength: int) -> str:
        """Its text inside an operator of some strength."""
        return self.code if self.strength >= strength else f"({self.code})"

    def of(self, kind: Kind) -> Value:
        """The same number as one of another kind."""
        return replace(self, kind=kind)


def literal(value: Any) -> Value:
    """A number that Python knows.

    Example:
        >>> literal(0.5).code, literal(True).code, literal(float("-inf")).code
        ('0.5', 'true', '-Infinity')
    """
    kind = number_of(value)
    assert kind is not None, f"{value!r} is no number"
    if kind == TRUTH:
        return Value("true" if value else "false", kind, constant=value)
    code = repr(float(value) if kind.is_float else int(value)).replace("inf", "Infinity").replace("nan", "NaN")
    code = code.removesuffix(".0")
    return Value(code, kind, UNARY if code.startswith("-") else ATOM, value)


def known(value: Any) -> Value:
    """Something else that Python knows, which has no text."""
    return Value("", Known(value))


def several(values: tuple[Value, ...] | list[Value]) -> Value:
    """A tuple of values that stands apart."""
    code = f"[{', '.join(value.code for value in values)}]"
    return Value(code, Tuple(tuple(value.kind for value in values)), parts=tuple(values))


def joined(values: list[Value]) -> str:
    """The text of arguments."""
    return ", ".join(value.code for value in values)


def binary(left: Value, operator: str, right: Value, kind: Kind) -> Value:
    """Two values with an operator between them.

    Example:
        >>> a, b = Value("a", FLOAT64), Value("b", FLOAT64)
        >>> binary(binary(a, "-", b, FLOAT64), "*", binary(a, "-", b, FLOAT64), FLOAT64).code
        '(a - b) * (a - b)'
    """
    strength = STRENGTHS[operator]
    return Value(f"{left.within(strength)} {operator} {right.within(strength + 1)}", kind, strength)


def negative(value: Value) -> Value:
    """A number with the other sign; of whole numbers, 0 has none."""
    if value.kind == WHOLE:
        return binary(literal(0), "-", value, WHOLE)
    return Value(f"-{value.within(UNARY + 1)}", value.kind, UNARY)


def conditional(test: Value, one: Value, other: Value, kind: Kind) -> Value:
    """One value or the other."""
    code = f"{test.within(CHOICE + 1)} ? {one.within(CHOICE + 1)} : {other.within(CHOICE)}"
    return Value(code, kind, CHOICE)


def rounded(value: Value) -> Value:
    """A number rounded to float32.

    Example:
        >>> rounded(Value("a / b", FLOAT64, TIMES)).code, rounded(Value("a", FLOAT32)).code
        ('fround(a / b)', 'a')
    """
    if value.kind == FLOAT32:
        return value
    constant = None if value.constant is None else np.float32(value.constant)
    return Value(f"fround({value.code})", FLOAT32, constant=constant)


def arithmetic(left: Value, operator: str, right: Value, kind: Number) -> Value:
    """The same for + - * / of a kind: float32 is rounded after each."""
    if kind == FLOAT32:
        return rounded(binary(left, operator, right, FLOAT64))
    return binary(left, operator, right, kind)
