"""Every change of how _run.py cuts arrays into chunks and blocks is seen: an element is left out, taken twice, or the
pieces are not those that a number of threads makes.

The functions run with a few elements for a chunk and a block, a pool that waits, and a kernel that writes down what it
is given.
"""

import __future__

import ast
import re
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from kernel_mutation import FilledNumPy, function_mutations, parsed

FUNCTIONS = frozenset({"run", "_run_threads", "_whole_blocks", "_run_numpy", "sum_of_squares", "norm_sums", "largest"})
CHUNK, SMALLEST, BLOCK = 4, 5, 8


class Pool:
    """A pool whose work is done when it is asked for: waiting for it is noticed."""

    def __init__(self):
        self.waiting = self.asked = 0

    def submit(self, function, *arguments):
        self.waiting += 1
        self.asked += 1
        function(*arguments)
        return SimpleNamespace(result=self.wait)

    def wait(self):
        self.waiting -= 1


class Recorder:
    """A kernel that adds the scalars to every array, and writes down the pieces, by the places that they begin with."""

    def __init__(self, states=("m",), blocks=False, interpreted=False, numpy_loop=False):
        self.pieces, self.launches, self.states, self.interpreted = [], [], states, interpreted
        self.storage = {name: ("float64", 2 if blocks and name == "unit" else 1) for name in states}
        self.numpy_loop = self._numpy_loop if numpy_loop or blocks else None
        self.gpu = SimpleNamespace(launch=lambda size, arguments: self.launches.append((size, arguments)))

    def loop(self, *arguments):
        *arrays, scalars = arguments
        self.pieces.append(tuple((float(a[0]), a.size) if a.size else (None, 0) for a in arrays))
        np.float64(1) / np.float64(0) if self.interpreted else None  # a warning, unless warnings are off
        for array in arrays[: 2 + len(self.states)]:
            array += scalars[0]

    def _numpy_loop(self, *arguments):
        self.pieces.append("numpy")
        np.float64(1) / np.float64(0)
        arguments[0][...] += arguments[-1]

    def rule(self, *arguments):
        raise AssertionError("this is the rule of one element")

    def of_arrays(self, param, grad, m, first, second):
        self.pieces.append(param.size)
        np.float64(1) / np.float64(0)
        return param + first, m + second * grad


def namespace(tree):
    """The functions of a tree of _run.py with their fakes, and the pool that they submit to."""
    names: dict[str, Any] = {
        "__package__": "kernels_for_run",
        "Sequence": Sequence,
        "Any": Any,
        "cache": cache,
        "TYPE_CHECKING": False,
        "np": FilledNumPy(),
        "os": None,
    }
    body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS]
    unread = __future__.annotations.compiler_flag  # annotations name what is not there
    exec(compile(ast.Module(body, []), "<mutant>", "exec", flags=unread), names)
    pool = Pool()
    names |= {
        "SMALLEST_CHUNK": SMALLEST,
        "BLOCK": BLOCK,
        "get_num_threads": lambda: 3,
        "_thread_pool": lambda: pool,
        "_array_rule": lambda rule: rule.__self__.of_arrays,
    }
    return names, pool


@pytest.fixture(autouse=True)
def a_norm(monkeypatch):
    """norm.py, in chunks of four; compiled or not as `compiled` says."""
    package, updates = ModuleType("kernels_for_run"), ModuleType("kernels_for_run.updates")
    norm = ModuleType("kernels_for_run.updates.norm")

    def chunk_sums(array, inverse_scale, sums):
        norm.calls.append((float(array[0]) if array.size else None, array.size, sums.size))
        np.float64(1) / np.float64(0)
        for i in range(sums.size):
            sums[i] = np.sum((array[CHUNK * i : CHUNK * (i + 1)] * inverse_scale) ** 2)

    norm.CHUNK, norm.calls, norm.chunk_sums = CHUNK, [], chunk_sums
    norm.chunk_sums_numpy = lambda *arguments: (norm.calls.append("numpy"), chunk_sums(*arguments))
    package.updates, updates.norm = updates, norm
    for module in (package, updates, norm):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return norm


def arrays_of(size, more=1):
    return [np.arange(size) + 1000.0 * k for k in range(2 + more)]


def cut(size, count):
    """Where pieces begin, and how long they are."""
    bounds = [size * i // count for i in range(count + 1)]
    return list(zip(bounds, np.diff(bounds).tolist(), strict=False))


def pieces_are_right(run, kernel, size, backend, expected):
    arrays, scalars = arrays_of(size), np.array([0.5])
    before = [a.copy() for a in arrays]
    run(kernel, backend, arrays, scalars)
    updated = all(np.array_equal(a, b + 0.5) for a, b in zip(arrays, before, strict=True))
    return (updated or not expected) and kernel.pieces == [
        tuple((start + 1000.0 * k, length) for k in range(3)) for start, length in expected
    ]


def whole_is_right(names, pool):
    run = names["run"]
    for size, expected in (
        (0, []),
        (3, [(0, 3)]),
        (9, [(0, 9)]),
        (10, cut(10, 2)),
        (14, cut(14, 2)),
        (23, cut(23, 3)),
        (16, cut(16, 3)),
        (15, cut(15, 3)),
    ):
        for interpreted in (False, True):
            kernel = Recorder(interpreted=interpreted)
            with np.errstate(all="raise" if len(expected) < 2 else "ignore"):
                if not pieces_are_right(run, kernel, size, "numba", expected) or pool.waiting:
                    return False
    for threads, expected in ((1, [(0, 23)]), (2, cut(23, 2))):
        run.__globals__["get_num_threads"] = lambda threads=threads: threads
        before, kernel = pool.asked, Recorder()
        if not pieces_are_right(run, kernel, 23, "numba", expected):
            return False
        if pool.asked - before != (threads if threads > 1 else 0):
            return False
    kernel, arrays = Recorder(), arrays_of(7)
    run(kernel, "cuda", arrays, np.array([0.5, 0.25]))
    ((size, (*given, scalars)),) = kernel.launches
    same = all(a is b for a, b in zip(given, arrays, strict=True))
    return size == 7 and same and scalars == (0.5, 0.25) and not kernel.pieces


def blocks_are_right(names, pool):
    """Seven blocks whose starts begin at 5, with a unit for each: pieces between blocks, their units and starts."""
    starts = np.array([5, 8, 12, 13, 20, 21, 25, 30])
    size, units = 25, 100.0 + np.arange(7)
    kernel = Recorder(("m", "unit"), blocks=True)
    arrays = [*arrays_of(size), units.copy(), starts]
    before = [a.copy() for a in arrays]
    names["run"](kernel, "numba", arrays, np.array([0.5]))
    bounds = [7 * i // 3 for i in range(4)]
    expected = []
    for low, high in zip(bounds, bounds[1:], strict=False):
        first, last = starts[low] - 5, starts[high] - 5
        whole = [(first + 1000.0 * k, last - first) for k in range(3)]
        expected.append((*whole, (100.0 + low, high - low), (float(starts[low]), high + 1 - low)))
    updated = all(np.array_equal(a, b + 0.5) for a, b in zip(arrays[:4], before[:4], strict=True))
    return updated and kernel.pieces == expected and np.array_equal(starts, before[4]) and not pool.waiting


def numpy_is_right(names, pool):
    for size in (1, 8, 9, 23):
        kernel, (param, grad, m) = Recorder(), arrays_of(size)
        expected = param + 0.5, m + 0.25 * grad
        with np.errstate(all="raise"):
            names["run"](kernel, "numpy", [param, grad, m], np.array([0.5, 0.25]))
        lengths = [min(BLOCK, size - low) for low in range(0, size, BLOCK)]
        if not (np.array_equal(param, expected[0]) and np.array_equal(m, expected[1]) and kernel.pieces == lengths):
            return False
    kernel, arrays = Recorder(numpy_loop=True), arrays_of(9)
    expected = arrays[0] + 0.5
    with np.errstate(all="raise"):
        names["run"](kernel, "numpy", arrays, np.array([0.5]))
    return kernel.pieces == ["numpy"] and np.array_equal(arrays[0], expected)


def norms_are_right(names, pool, norm):
    for compiled in (True, False):
        norm.chunk_sums.__dict__.clear()
        if compiled:
            norm.chunk_sums.py_func = None
        for size in (0, 1, 3, 4, 9, 10, 14, 23):
            norm.calls.clear()
            before = pool.asked
            array = np.arange(size) + 1.0
            with np.errstate(all="raise"):
                found = names["sum_of_squares"](array, 0.5)
            if type(found) is not float or found != np.sum((array * 0.5) ** 2) or pool.waiting:
                return False
            chunks, count = -(-size // CHUNK), min(3, size // SMALLEST) if size >= 2 * SMALLEST else 1
            expected = [
                (float(CHUNK * low + 1) if size else None, min(CHUNK * (low + n), size) - CHUNK * low, n)
                for low, n in cut(chunks, count)
            ]
            if not compiled:
                expected = ["numpy", (1.0 if size else None, size, chunks)]
            if norm.calls != expected or pool.asked - before != (count if compiled and count > 1 else 0):
                return False
    sums = [names["norm_sums"](np.ones(size)) for size in (0, 1, 4, 5)]
    right = [each.size for each in sums] == [0, 1, 1, 2] and not any(each.any() for each in sums)
    largest = names["largest"]
    found = largest(np.array([1.0, -3.0, 2.0]))
    return right and type(found) is float and found == 3.0 and np.isnan(largest(np.array([np.nan, 9.0])))


def survives(tree, norm):
    for judge in (whole_is_right, blocks_are_right, numpy_is_right):
        if not judge(*namespace(tree)):
            return False
    return norms_are_right(*namespace(tree), norm)


# Changes that no result shows: the proof, the function, and the changed line as it was and became.
ONE_LENGTH = "what is zipped has one length"
EQUIVALENT = [
    ("the arrays have one length", "run", r".* -> size = arrays\[1\]\.size"),
    ("compiled code gives no warnings that could be shown", "run", r"elif kernel\.interpreted: -> elif True:"),
    (
        "the lesser of two whole numbers has no order",
        "_run_threads|sum_of_squares",
        r".*min\((array\.)?size // SMALLEST_CHUNK, get_num_threads\(\)\).*",
    ),
    ("the same place, counted from the end", "_whole_blocks", r".* -> part = slice\(starts\[low\] - starts\[-1\], .*"),
    (ONE_LENGTH, "_whole_blocks|_run_numpy", r".* -> .*strict=[02]\).*"),
    ("of less than two chunks' elements one chunk is made", "sum_of_squares", r".* -> .*>= 1 \* SMALLEST_CHUNK else 1"),
    ("of one piece the first is the last", "sum_of_squares", r".* -> norm\.chunk_sums\(\*pieces\[-1\]\)"),
    ("an annotation", "sum_of_squares", r".* -> pieces: list\[tuple\[\.\.\., Any\]\] = .*"),
]


def proven(mutation):
    change = f"{mutation.before} -> {mutation.after}"
    return [
        i
        for i, (_, where, line) in enumerate(EQUIVALENT)
        if re.fullmatch(where, mutation.function) and re.fullmatch(line, change)
    ]


def test_every_change_of_the_bounds_is_killed_or_proven_equivalent(a_norm):
    assert survives(parsed("_run"), a_norm), "the functions themselves must pass"
    killed, equivalent, survivors, refuted, used = Counter(), 0, [], [], set()
    for mutation in function_mutations("_run", FUNCTIONS):
        try:
            alive = survives(mutation.tree, a_norm)
        except Exception:  # it cannot even be run
            alive = False
        held = proven(mutation)
        used.update(held)
        killed[mutation.function] += not alive
        equivalent += bool(alive and held)
        survivors += [str(mutation)] if alive and not held else []
        refuted += [str(mutation)] if held and not alive else []
    print(f"_run killed {killed.total()}, equivalent {equivalent}")
    assert set(killed) == FUNCTIONS and all(killed.values())
    assert not survivors, "\n".join(survivors)
    assert not refuted and used == set(range(len(EQUIVALENT))), refuted
