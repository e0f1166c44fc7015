"""Validators of hyperparameters: each takes (name, value), returns the plain Python value or raises a named error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinygrad_lr.booleans import true_or_false as flag
from tinygrad_lr.engine.dtypes import refuse_masked
from tinygrad_lr.integers import shown
from tinygrad_lr.reals import real_number

__all__ = [
    "Validator",
    "decay_rate",
    "decay_rates",
    "flag",
    "fraction",
    "non_negative",
    "number",
    "one_element",
    "one_of",
    "positive",
    "several",
    "three_decay_rates",
]

Validator = Callable[[str, Any], Any]


def one_element(value: Any) -> Any:
    """The element of an array or a Tensor that has one, as a Python number; other values as they are.

    Raises:
        TypeError: another number of elements, or something that is no number although `float` takes it.
    """
    if hasattr(value, "ndim") and hasattr(value, "item"):
        refuse_masked(value, "the array")
        if math.prod(value.shape) != 1:
            raise TypeError("not one element")
        value = value.item()
    if isinstance(value, (bool, str, bytes)):
        raise TypeError("not a number")
    return value


def number(name: str, value: Any) -> float:
    """A finite real number as a Python float.

    An array or a Tensor, ours or torch's, of one element counts as its element; it is not kept. Booleans, strings and
    lists are refused.
    """
    if type(value) is not float:
        try:
            value = one_element(value)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} must be a real number, got {shown(value)} ({type(value).__name__})") from error
    return real_number(name, value)


def non_negative(name: str, value: Any) -> float:
    """A finite number of at least 0."""
    plain = number(name, value)
    if plain < 0:
        raise ValueError(f"{name} must be at least 0, got {plain}")
    return plain + 0.0  # -0.0 becomes 0.0


def fraction(name: str, value: Any) -> float:
    """A number in [0, 1]."""
    plain = non_negative(name, value)
    if plain > 1:
        raise ValueError(f"{name} must lie in [0, 1], got {plain}")
    return plain


def decay_rate(name: str, value: Any) -> float:
    """A decay rate of a moving average: a number in [0, 1); at 1 the average would never move."""
    plain = non_negative(name, value)
    if plain >= 1:
        raise ValueError(f"{name} must lie in [0, 1), got {plain}")
    return plain


def positive(name: str, value: Any) -> float:
    """A finite number above 0."""
    plain = number(name, value)
    if plain <= 0:
        raise ValueError(f"{name} must be above 0, got {plain}")
    return plain


def several(each: Validator, example: tuple[float, ...]) -> Validator:
    """A validator of a tuple of numbers, as many as an example has."""

    def numbers(name: str, value: Any) -> tuple[float, ...]:
        try:
            found = tuple(value)
        except TypeError:
            found = ()
        if len(found) != len(example) or isinstance(value, (str, bytes, dict, set)):
            raise TypeError(f"{name} must be {COUNTS[len(example)]} numbers such as {example}, got {shown(value)}")
        return tuple(each(f"{name}[{i}]", member) for i, member in enumerate(found))

    return numbers


COUNTS = {2: "two", 3: "three"}
decay_rates = several(decay_rate, (0.9, 0.999))
three_decay_rates = several(decay_rate, (0.9, 0.999, 0.9999))


def one_of(*choices: str) -> Validator:
    """A validator that accepts the given words."""

    def choice(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in choices:  # an array would be compared element by element
            raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {shown(value)}")
        return str(value)

    return choice
