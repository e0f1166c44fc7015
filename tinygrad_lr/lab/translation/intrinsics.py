"""What the functions of Python, math and NumPy that kernels call are in JavaScript."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .kinds import FLOAT32, FLOAT64, TRUTH, WHOLE, Array, Known, Number
from .written import ATOM, Value, binary, joined, literal, rounded

__all__ = ["ARRAYS", "INTRINSICS", "METHODS", "NAMES", "PRELUDE", "converted"]

# Whole numbers of a layout count elements, of which no page has 2^31.
ARRAYS = {"float32": "Float32Array", "float64": "Float64Array", "int64": "Int32Array", "int32": "Int32Array"} | {
    "uint16": "Uint16Array",
    "uint32": "Uint32Array",
}
VIEWS = {"float32": "float32Bits", "int32": "int32Bits", "uint32": "uint32Bits"}

PRELUDE = """\
const fround = Math.fround;
const float32Bits = new Float32Array(1);
const int32Bits = new Int32Array(float32Bits.buffer);
const uint32Bits = new Uint32Array(float32Bits.buffer);
function viewed(from, value, to) {
  from[0] = value;
  return to[0];
}
function quotient(a, b) {
  return Math.floor(a / b) + 0;
}
function remainder(a, b) {
  return a - b * Math.floor(a / b);
}
"""
NAMES = ("fround", "float32Bits", "int32Bits", "uint32Bits", "viewed", "quotient", "remainder", "Math")


def only(given: list[Value]) -> Value:
    """The single argument of a function, a number."""
    if len(given) != 1 or not isinstance(given[0].kind, Number):
        raise ValueError("this takes one number")
    return given[0]


def converted(dtype: str, given: list[Value]) -> Value:
    """A number as one of another dtype, as NumPy's `np.float32(x)`."""
    value, to = only(given), Number(dtype)
    kind = value.kind
    assert isinstance(kind, Number)
    if kind == to:
        return value
    if value.constant is not None and value.code == literal(value.constant).code:
        return literal(getattr(np, dtype)(value.constant))
    if to == FLOAT32 and kind != TRUTH:
        return rounded(value)
    if to == FLOAT64 and kind != TRUTH:
        return value.of(FLOAT64)
    if dtype in ("int64", "uint64") and kind.is_whole:
        return value.of(to)
    if dtype == "int32" and kind.is_float:
        return binary(value, "|", literal(0), to)
    if dtype == "uint32" and (kind.is_float or kind.dtype in ("low32", "uint16")):
        return binary(value, ">>>", literal(0), to)
    if dtype == "uint16" and kind.dtype == "uint32":
        return binary(value, "&", literal(0xFFFF), to)
    raise ValueError(f"{kind.dtype} does not become {dtype}")


def square_root(given: list[Value]) -> Value:
    """Rounded correctly by IEEE 754, and once more to float32, which gives the root of float32 rounded correctly."""
    value = only(given)
    if value.kind == FLOAT32:
        return rounded(Value(f"Math.sqrt({value.code})", FLOAT64))
    if value.kind != FLOAT64:
        raise ValueError("this is the root of floats")
    return Value(f"Math.sqrt({value.code})", FLOAT64)


def absolute(given: list[Value]) -> Value:
    value = only(given)
    return Value(f"Math.abs({value.code})", value.kind)


def whole(given: list[Value]) -> Value:
    """`int(x)`, of which no 0 has a sign."""
    return binary(Value(f"Math.trunc({only(given).code})", WHOLE), "+", literal(0), WHOLE)


def extreme(name: str) -> Callable[[list[Value]], Value]:
    """`max` and `min` of whole numbers; those of floats say of NaN what JavaScript's do not."""

    def write(given: list[Value]) -> Value:
        if {value.kind for value in given} != {WHOLE}:
            raise ValueError(f"{name} is of whole numbers here; kernels have `maximum` and `minimum`")
        return Value(f"Math.{name}({joined(given)})", WHOLE)

    return write


def room(given: list[Value]) -> Value:
    """`np.zeros` and `np.empty` of one dimension, which JavaScript fills with zeros, too."""
    dtype = "float64"
    if len(given) == 2 and isinstance(given[1].kind, Known):
        dtype = np.dtype(given[1].kind.value).name
    if given[0].kind != WHOLE or dtype not in ARRAYS:
        raise ValueError("an array is made of one length and a dtype")
    return Value(f"new {ARRAYS[dtype]}({given[0].code})", Array(dtype))


def casting(dtype: str) -> Callable[[list[Value]], Value]:
    return lambda given: converted(dtype, given)


# Pairs, because what is called need not be hashable.
INTRINSICS: list[tuple[Any, Callable[[list[Value]], Value]]] = [
    (math.sqrt, square_root),
    (np.sqrt, square_root),
    (abs, absolute),
    (float, casting("float64")),
    (int, whole),
    (max, extreme("max")),
    (min, extreme("min")),
    (np.zeros, room),
    (np.empty, room),
    *((getattr(np, dtype), casting(dtype)) for dtype in ("float32", "float64", "int32", "uint16", "uint32", "uint64")),
]


def viewed(owner: Value, given: list[Value]) -> Value:
    """`x.view(dtype)` of a number of 32 bits: its bits as those of another dtype."""
    kind = given[0].kind
    to = np.dtype(kind.value).name if isinstance(kind, Known) else ""
    if not isinstance(owner.kind, Number) or owner.kind.dtype not in VIEWS or to not in VIEWS:
        raise ValueError("only numbers of 32 bits are viewed as others")
    return Value(f"viewed({VIEWS[owner.kind.dtype]}, {owner.code}, {VIEWS[to]})", Number(to))


def reshaped(owner: Value, given: list[Value]) -> Value:
    """`x.reshape(rows, columns)` and `x.reshape(size)`: the same numbers."""
    if not isinstance(owner.kind, Array) or len(given) > 2:
        raise ValueError("an array has one or two dimensions")
    data = owner.code if owner.kind.dimensions == 1 else f"{owner.within(ATOM)}.data"
    if len(given) == 1:
        return Value(data, Array(owner.kind.dtype))
    return Value(f"{{ data: {data}, rows: {given[0].code}, columns: {given[1].code} }}", Array(owner.kind.dtype, 2))


METHODS: dict[str, Callable[[Value, list[Value]], Value]] = {"view": viewed, "reshape": reshaped}
