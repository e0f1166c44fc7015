"""Tests of tinygrad_lr/lab/translation/typed.py and what it is made of: small functions that Numba compiles and Node
runs, what is refused, and a rounding that is left out. Whole kernels: test_kernels.py."""

import inspect
import json
import re

import numba
import numpy as np
import pytest
from node_cases import cut, in_node, same_bits

from tinygrad_lr.kernels._jit import COMPILER_IS_OFF, maximum, sqrt
from tinygrad_lr.kernels.updates import adam
from tinygrad_lr.lab.translation.kinds import FLOAT32, FLOAT64, WHOLE, Array
from tinygrad_lr.lab.translation.syntax import NotTranslatable
from tinygrad_lr.lab.translation.typed import Translator

EIGHT = 8
HALF = np.float32(0.5)
new = 3  # a word that JavaScript reserves


# --- what is translated -------------------------------------------------------------------------------------------


def whole_numbers(a, b, out):
    """Division and remainder round towards minus infinity."""
    out[0], out[1], out[2] = a // b, a % b, max(a, b) - min(a, b) * EIGHT
    out[3] = a / b
    out[4] = abs(-a) + new


def widths(x, y, n, out):
    """Float32 meets float32, and is rounded; all else is float64."""
    out[0] = x * x + x
    out[1] = x * y + x
    out[2] = x * n + x
    out[3] = x * 0.1
    out[4] = sqrt(x) * sqrt(y)
    out[5] = maximum(x, -x) * HALF
    out[6] = np.float32(y) * x
    out[7] = (x - x * x) - (x * x - x)


def joined(x, n, out):
    """A variable is float64 where it may be; a loop's first round does not know yet what its last one brings."""
    total = x
    for i in range(n):
        total = total * x + total
        out[0] = total
        if i == 1:
            total = 1.0 / (total + 3.0)
    last = x
    if n > 2:
        last = last / 3.0
    else:
        last = last * last
    out[1] = last * x


def scopes(n, out):
    """Variables of branches and of loops, of which some bring their value along."""
    for i in range(n):
        if i % 2 == 0 and not i >= 4:
            seen = float(i)
        out[i] = seen
        twice = 2.0 * i
        out[i] += twice
    for i in range(1, n, 3):
        twice = 3.0 * i
        out[i] -= twice
    a, b = 1.0, 2.0
    for _ in range(n):
        a, b = b, a + b
    out[0] = a
    last = 7.0
    for j in range(int(last) - n):
        last = last + 1.0
        out[j] += last
    new = 4.0 if n > 5 or a < 0.0 else 5.0
    out[1] += new


def views(a, out):
    """Parts of arrays, and an array as a matrix."""
    room = np.zeros(6)
    room[:] = 1.5
    room[2:4] = 2.5
    room[4:] = a[:2]
    matrix = room.reshape(2, 3)
    rows, columns = matrix.shape
    for r in range(rows):
        for c in range(columns):
            matrix[r, c] += 10.0 * r + c
    flat = matrix.reshape(matrix.size)
    left, right = (flat, a) if rows > columns else (a, flat)
    out[:6] = right
    out[6], out[7] = left[a.shape[0] - 1], out.size + columns


def signs_of_zero(n, out):
    """A whole number has no -0."""
    out[0], out[1], out[2] = -n, n // -3, int(-0.5)
    out[3] = -(out[0] * 1.0)


def names_of_ours(fround, out):
    """Variables may have any name."""
    Math, found, remainder = 3.0, 4.0, 7 % 4
    out[0], out[1] = pair(fround, found)
    out[2], out[3] = sqrt(Math * 3.0), fround // 2 + remainder


def pair(a, b):
    return a + b, a * b


def gathered(first, *rest):
    """What a star gathers is spread again."""
    out, numbers = rest[0], rest[1:]
    total, other = summed(first, *numbers)
    out[0], out[1] = total, other
    (out[2],) = single(numbers[1], *numbers[:1])


def summed(a, b, c):
    return a + b, b * c


def single(a, b):
    return (a - b,)


COMPILED = (widths, joined)  # in plain Python, a float32 stays float32 beside a float
VALUES = [np.float32(1.1), np.float32(3.3e-3), np.float32(-7.7e8)]
CALLS = [
    *((whole_numbers, (a, b), 5) for a, b in [(7, 2), (-7, 2), (7, -2), (-8, 2), (3, 9)]),
    *((widths, (x, 1 / 3, 3), 8) for x in VALUES),
    *((joined, (x, n), 2) for x in VALUES for n in (1, 2, 5)),
    *((scopes, (n,), 8) for n in (3, 6)),
    (signs_of_zero, (0,), 4),
    (names_of_ours, (5,), 4),
    (views, (np.array([0.25, -3.0, 7.0]),), 8),
    (gathered, (2.5, 1.1, 0.3), 3),
]


def compiled_here(function):
    return function if COMPILER_IS_OFF else numba.njit(error_model="numpy")(function)


def kind_of(value):
    if isinstance(value, np.ndarray):
        return Array(value.dtype.name, value.ndim)
    return {int: WHOLE, float: FLOAT64}.get(type(value), FLOAT32)


def code_of(value):
    return f"new Float64Array({json.dumps(value.tolist())})" if isinstance(value, np.ndarray) else repr(float(value))


def test_functions_give_what_numba_gives(tmp_path):
    translator = Translator()
    expected, calls = [], []
    for function, given, size in CALLS:
        out = np.full(size, 0.125)
        arguments = [given[0], out, *given[1:]] if function is gathered else [*given, out]
        name, _ = translator.function(function, [kind_of(each) for each in arguments])
        codes = ["out" if each is out else code_of(each) for each in arguments]
        calls.append(f"out = new Float64Array({size}).fill(0.125); {name}({', '.join(codes)}); found.push(out);")
        with np.errstate(all="ignore"):
            (compiled_here(function) if function in COMPILED else function)(*arguments)
        expected.append(out)
    script = f"{translator.text}const found = []; let out;\n{chr(10).join(calls)}\nwrite(folder, found);"
    found = cut(in_node(script, tmp_path), expected)
    for (function, given, _), here, there in zip(CALLS, expected, found, strict=True):
        if not (COMPILER_IS_OFF and function in COMPILED):
            assert same_bits(there, here).all(), (function.__name__, given, here, there)


def hands_on(x, *numbers):
    return summed(x, *numbers)[0]


def mentions_the_first(x, *numbers):
    return summed(x, *numbers)[0] + numbers[0]


def mentions_the_last(x, *numbers):
    return single(numbers[0], numbers[1])[0] + x


def test_what_a_star_gathers_is_gathered_where_it_is_only_handed_on():
    translator, names = Translator(), ["x", "rate", "sign"]
    for function in (hands_on, mentions_the_first):
        translator.function(function, [FLOAT64] * 3, names)
    translator.function(mentions_the_last, [FLOAT64] * 4, [*names, "unused"])
    lines = translator.text.splitlines()
    assert (
        "function test_typed_hands_on(x, ...numbers) {" in lines
        and "  return test_typed_summed(x, ...numbers)[0];" in lines
    )
    assert "function test_typed_mentions_the_first(x, rate, sign) {" in lines
    assert "function test_typed_mentions_the_last(x, ...numbers) {" in lines


def test_one_text_for_functions_that_are_the_same_for_all_kinds():
    translator = Translator()
    names = {translator.function(maximum, [kind, kind])[0] for kind in (FLOAT32, FLOAT64, WHOLE)}
    assert names == {"maximum"} and translator.text.count("function maximum") == 1


# --- what is refused ----------------------------------------------------------------------------------------------


def has_while(x):
    while x > 1.0:  # While has no translation
        x = x / 2.0
    return x


def calls_unknown(x):
    return np.exp(x)  # this call has no translation


def names_nothing(x):
    return x + nowhere  # noqa: F821  # nothing has this name here


def calls_by_name(x):
    return maximum(x, b=x)  # arguments by name have no translation


def chained(x):
    return 0.0 < x < 1.0  # this comparison has no translation


def asks_a_number(x):
    return 1.0 if x else 2.0  # a comparison was expected


def largest_of_floats(x):
    return max(x, 1.0)  # max is of whole numbers here


def power(x):
    return x**2.0  # there is no such operation of float32 and float64


def text(x):
    return "x"  # only numbers are literals


def counts_from_the_end(x, array):
    return array[-1]  # an index is a whole number that counts from the beginning


def rounded_index(x, array):
    return array[x]  # an index is a whole number


def too_many_indices(x, array):
    return array[0, 0]  # an array of 1 dimensions has as many indices


def every_second(x, array):
    array[::2] = 1.0  # a slice with a step has no translation


def after_the_loop(x, array):
    for i in range(3):
        array[i] = x
    return array[i]  # a loop's variable is used outside of the loop


def changes_the_loops(x, array):
    for i in range(3):
        i = i + 1  # i is the variable of the loop around it
        array[i] = x


def over_an_array(x, array):
    for each in array:  # only `for i in range(...)` is translated
        x = x + each
    return x


def signed_and_unsigned(x, array):
    return array[np.uint64(1) + array.size]  # there is no such operation of uint64 and int64


def sometimes(x):  # noqa: RET503  # it returns something on some ways only
    if x > 1.0:
        return x


def unused(x):
    x + 1.0  # a value that nobody uses has no translation


def with_default(x=1.0):  # arguments with defaults or by name have no translation
    return x


def attribute(x, array):
    return array.mean  # this attribute has no translation


def bits_of_float64(x):
    return np.float64(x).view(np.int64)  # only numbers of 32 bits are viewed as others


def kinds_that_do_not_meet(x, array):
    return array if x > 1.0 else x  # the two values are of kinds that no variable can have


REFUSED = [
    each
    for each in list(globals().values())
    if inspect.isfunction(each) and each.__module__ == __name__ and inspect.getsource(each).count("  # ")
]


@pytest.mark.parametrize("function", REFUSED, ids=lambda each: each.__name__)
def test_a_refusal_names_file_line_and_why(function):
    lines, first = inspect.getsourcelines(function)
    ((number, why),) = [(n, line.rpartition("# ")[2].strip()) for n, line in enumerate(lines, first) if "  # " in line]
    kinds = [FLOAT32, Array("float64")][: function.__code__.co_argcount]
    with pytest.raises(NotTranslatable) as caught:
        Translator().function(function, kinds)
    assert re.match(rf".*test_typed\.py, line {number}, in {function.__name__}: {re.escape(why)}", str(caught.value))


def test_a_function_takes_its_number_of_arguments():
    with pytest.raises(NotTranslatable, match="it takes 2 arguments, not 1"):
        Translator().function(maximum, [FLOAT32])


# --- a translator that forgets a rounding -------------------------------------------------------------------------

ROUNDINGS = """
const functions = variants.map((each) => new Function(each)());
const [param, grad, m, v, scalars] = read(folder);
write(folder, functions.map((rule) => {
  const out = new Float32Array(3 * param.length);
  for (let i = 0; i < param.length; i++) out.set(rule(param[i], grad[i], m[i], v[i], ...scalars), 3 * i);
  return out;
}));
"""


def test_each_rounding_that_is_left_out_is_seen(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=2000).astype(np.float32) for _ in range(4)]
    arrays[3] = np.abs(arrays[3])
    scalars = rng.uniform(0.1, 0.9, 11).astype(np.float32)
    translator = Translator()
    name, _ = translator.function(adam.rule, [FLOAT32] * 15)
    text = f"{translator.text}return {name};"
    places = [each.start() for each in re.finditer(r"fround\(", text)]
    assert len(places) == 18
    variants = [text, *(text[:at] + text[at + len("fround") :] for at in places)]
    script = f"const variants = {json.dumps(variants)};\n{ROUNDINGS}"
    found = cut(in_node(script, tmp_path, [*arrays, scalars]), [np.zeros(6000, np.float32)] * len(variants))
    with np.errstate(all="ignore"):
        expected = np.array([adam.rule(*each, *scalars) for each in zip(*arrays, strict=True)], np.float32).reshape(-1)
    assert same_bits(found[0], expected).all()
    survivors = [
        text[at : at + 16] for at, each in zip(places, found[1:], strict=True) if same_bits(each, expected).all()
    ]
    assert survivors == ["fround(param - f"]  # what is stored at once, in an array of float32
