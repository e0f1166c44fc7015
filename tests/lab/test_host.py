"""Tests of tinygrad_lr/lab/translation/host.py: functions and classes in Node against Python, and what is refused."""

import json
import math
import random
import re

import numpy as np
import pytest
from node_cases import in_node

from tinygrad_lr.lab import arithmetic
from tinygrad_lr.lab.translation.host import Program, runtime
from tinygrad_lr.lab.translation.syntax import NotTranslatable

TABLE = {"a": 1.5, "b": (2, 3)}


def helper(x, more=2.0, *rest):
    return x * more + sum(rest)


def operators(x, y):
    return [
        x + y - x * y,
        x / (y * y + 1.0),
        x // 2,
        x % 3,
        -x // 2,
        -x % 3,
        x % -3,
        -x * (y - 1.0),
        2 - (x - y),
        abs(-x),
    ]


def decisions(x, y):
    found = []
    if x < y <= 3:
        found.append("between")
    elif not x:
        found.append("zero")
    else:
        found.append("other")
    found.append(x or y)
    found.append(x and y)
    found.append("first" if x else "second")
    found.append([x in (1, 2.5), x not in (1, 2.5), x is None, x == y, x != y])
    return found


def nested(x, y):
    """Where JavaScript needs parentheses, and where it needs none."""
    found = [i for i in range(2 if x < y else 3)]
    for i in range(x < y and 2 or 3):
        found.append(i)
    return [
        *found,
        *((1, 2) if x < y else [x]),
        *[each for each in ((x, y) if y < x else (y, x)) if not (each < 1 or each > 3)],
        x - (y - 1.5) - 2.0,
        (x + y) * (x - y) - y * (2.0 + x),
        (x * y) / 2.0 * 3.0 - x * (y / 2.0),
        -(x - y) - -y,
        (1.0 if x < y else 2.0) + (x if x else y) * 2.0,
        (x < y) == (y < x),
        (x if x < y else y) in (x, 1),
        [x, y][0 if x < y else 1],
        not 0 < x < y,
        "a" if x < y and (y > 1 or x > 1) else "b" if not (x < y and y > 1) or x == y else "c",
        {**({"a": 1.0} if x < y else {"b": 2.0}), "x": x},
        (lambda value: value + 1.0)(x),
    ]


def collections(x, y):
    values = {"x": x, **TABLE, "total": x + y}
    values |= {"more": [x, y]}
    values["last"] = values["more"][-1]
    first, *others = [y, x, x + y]
    (left, right), third = values["b"], others[0]
    pairs = [[key, i] for i, key in enumerate(values) if key != "x"]
    named = {f"beta{i}": value for i, value in enumerate((x, y), start=1)}
    zipped = dict(zip(("p", "q"), (x, y), strict=True))
    return [values, first, others, left, right, third, pairs, named, zipped, [a * b for a in (x, y) for b in (1, 2)]]


def loops(x, y):
    total = count = 0
    for i in range(5):
        if i == 3:
            continue
        total += i * x
    for i in range(7, 0, -2):
        total -= i
    while total < 100:
        total += y * y + 1.0
        count += 1
        if count > 50:
            break
    return [total, count, helper(x), helper(x, more=y), helper(x, y, 1.0, x), max(x, y), min(x, y, 0), max([x, y])]


def filled(x, y):
    return [
        dict.fromkeys(("p", "q"), x),
        dict.fromkeys(("r",)),
        *(each.strip("()") for each in ("(a(b", "c)", ")(", "")),
    ]


one_of_a_table = lambda x, y: {"first": x, "second": y + 1.0}  # noqa: E731  formulas have their lines from such


def closures(x, y):
    def scaled(value):
        return value * y

    return [scaled(x), *(each(x) for each in (scaled, lambda value: value + y))]


def errors(x, y):
    try:
        if y == 0:
            raise ValueError(f"y is {y}, and x is {x!r}")
        return [x / y]
    except ValueError as _:
        return ["caught"]


def texts(x, y):
    return [f"{x:g} and {y:.3g}", f"{x!r}", ", ".join(map(repr, ("a'b", 'c"d', "e"))), f"{x + 0.5:g}".startswith]


class Base:
    factor = 2.0
    table = {"one": 1.0}

    def __init__(self, x):
        self.x = x

    @property
    def doubled(self):
        return self.x * self.factor

    def value(self, y):
        return self.doubled + y

    @staticmethod
    def fixed(y):
        return y + 1.0


class Derived(Base):
    factor = 3.0

    def value(self, y):
        return super().value(y) + self.table["one"] + Derived.fixed(y) - self.fixed(y)


def classes(x, y):
    return [Base(x).value(y), Derived(x).value(y)]


INPUTS = [(2.5, 3), (0, 1.25), (1, 1), (7, -2.5), (-3.25, 3), (10, 0.1)]
FUNCTIONS = [operators, decisions, nested, collections, loops, filled, one_of_a_table, closures, errors, classes]


def ran(program, rows, folder, inputs):
    calls = "".join(
        f"found.push(inputs.map((given) => {{ try {{ return {name}(...given); }} catch (error) "
        "{ return `${error.constructor.name}: ${error.message}`; } }));\n"
        for name in rows
    )
    script = f"{runtime()}{program}\nconst inputs = read(folder);\nconst found = [];\n{calls}"
    text = f"const arithmetic = (() => {{ {_arithmetic()} }})();\n{script}console.log(JSON.stringify(found));\n"
    return json.loads(in_node(text, folder, inputs))


def _arithmetic():
    program = Program()
    return f"const power = {program.function(arithmetic.power)};\n{program.text()}return {{ power }};"


def here(function, given):
    try:
        return json.loads(json.dumps(function(*given)))
    except (ValueError, ZeroDivisionError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def test_functions_give_what_python_gives(tmp_path):
    program = Program()
    names = [program.function(each) for each in FUNCTIONS]
    found = ran(program.text(), names, tmp_path, INPUTS)
    for function, ours in zip(FUNCTIONS, found, strict=True):
        for given, each in zip(INPUTS, ours, strict=True):
            assert each == here(function, given), (function.__name__, given)


def test_divisions_by_zero_raise(tmp_path):
    def quotient(x, y):
        return x / y

    def rest(x, y):
        return x % y

    program = Program()
    names = [program.function(quotient), program.function(rest)]
    found = ran(program.text(), names, tmp_path, [(1.0, 0.0)])
    assert [each[0].partition(":")[0] for each in found] == ["ZeroDivisionError"] * 2


def floats(count):
    draw = random.Random(4)
    special = [
        0.0,
        -0.0,
        1.0,
        1e15,
        1e16,
        123456789012345680.0,
        1e22,
        1e-4,
        9.999e-5,
        1e-5,
        5e-324,
        1.7e308,
        0.1,
        100.0,
    ]
    drawn = [draw.choice([1, -1]) * draw.random() * 10.0 ** draw.randint(-20, 25) for _ in range(count)]
    return special + drawn + [float(draw.randint(-1000, 10**9)) for _ in range(50)] + [math.inf, -math.inf]


def test_numbers_look_as_python_shows_them(tmp_path):
    values = floats(500)
    finite = [value for value in values if math.isfinite(value)]
    script = (
        f"{runtime()}const shown = (x) => [py.reprOfFloat(x), py.format(x, 'g'), py.format(x, '.3g')];\n"
        "const found = read(folder).map(shown);\n"
        "console.log(JSON.stringify([found, ['inf', Infinity, -Infinity].map(py.repr)]));\n"
    )
    found, special = json.loads(in_node(script, tmp_path, finite))
    for value, ours in zip(finite, found, strict=True):
        assert ours == [repr(value), f"{value:g}", f"{value:.3g}"]
    assert special == ["'inf'", "inf", "-inf"]


def test_quotients_of_large_whole_numbers_are_rounded_once(tmp_path):
    draw = random.Random(5)
    pairs = [
        (draw.getrandbits(draw.randint(1, 400)) + 1, draw.getrandbits(draw.randint(1, 400)) + 1) for _ in range(300)
    ] + [(2**53 + 1, 1), (2**54 + 2, 4), (2**54 + 6, 4), (1, 3), (2**1000, 2**10)]
    script = (
        f"{runtime()}const found = read(folder).map(([a, b]) => py.nearest(BigInt(a), BigInt(b)));\n"
        "write(folder, [Float64Array.from(found)]);\n"
    )
    found = np.frombuffer(in_node(script, tmp_path, [[str(a), str(b)] for a, b in pairs]))
    assert found.tolist() == [a / b for a, b in pairs]


# What is refused.


def with_a_global(x):
    return x + nothing_of_this_name  # noqa: F821


def with_a_matrix_product(x, y):
    return x @ y


def with_a_global_statement(x):
    global TABLE
    return x


def with_another_with(x):
    with open(x) as file:
        return file


def with_named_ones(**x):
    return x


def with_an_unknown_of_numpy(x):
    return np.fft(x)


def with_a_for_that_has_an_else(x):
    for each in x:
        print(each)
    else:
        return x


def with_a_while_that_has_an_else(x):
    while x:
        break
    else:
        return x


def with_an_error_that_was_made_elsewhere(x):
    raise x


def with_a_finally(x):
    try:
        return x
    finally:
        x.clear()


def with_arguments_out_of_a_dict(x):
    return helper(**x)


def with_starred_and_named_arguments(x):
    return helper(*x, more=x)


def with_a_named_argument_of_a_method(x):
    return x.method(more=x)


def with_the_bits_of_a_number(x):
    return ~x


def with_a_generator(x):
    yield x


def with_a_variable_of_the_programs_name(x):
    test_host_helper = x
    return helper(test_host_helper)


class OfTwo(Base, dict):
    pass


def test_a_class_of_several_bases_is_refused():
    with pytest.raises(NotTranslatable, match="OfTwo has several bases"):
        Program().cls(OfTwo)


REFUSED = [
    (with_a_for_that_has_an_else, "a for with an else has no translation"),
    (with_a_while_that_has_an_else, "a while with an else has no translation"),
    (with_an_error_that_was_made_elsewhere, "only an error that is made here can be raised"),
    (with_a_finally, "a try with an else or a finally has no translation"),
    (with_arguments_out_of_a_dict, "arguments out of a dict have no translation"),
    (with_starred_and_named_arguments, "starred and named arguments of one call have no translation"),
    (with_a_named_argument_of_a_method, "a method of an unknown object takes no named arguments here"),
    (with_the_bits_of_a_number, "this operator has no translation: ~x"),
    (with_a_generator, "Yield has no translation"),
    (with_a_variable_of_the_programs_name, "the program has another test_host_helper"),
    (with_a_global, "this name stands for nothing: nothing_of_this_name"),
    (with_a_matrix_product, "this operator has no translation: x @ y"),
    (with_a_global_statement, "Global has no translation"),
    (with_another_with, "this with has no translation"),
    (with_named_ones, "such arguments have no translation"),
    (with_an_unknown_of_numpy, "NumPy's fft has no translation|module has no translation"),
]


@pytest.mark.parametrize("function, message", REFUSED)
def test_what_has_no_translation_names_file_and_line(function, message):
    with pytest.raises(NotTranslatable, match=message) as raised:
        Program().function(function)
    line = re.search(r"test_host\.py, line (\d+), in", str(raised.value))
    first = function.__code__.co_firstlineno
    assert line and first <= int(line[1]) <= first + 2
