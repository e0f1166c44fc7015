"""Kernels in stages (kernels/_factored.py): the same bits compiled, over NumPy arrays, on CUDA and at any number of
threads; each within the bound of its formula, and every change of a stage or a rule is seen.
"""

import ast
import re
from collections import Counter
from types import SimpleNamespace

import kernel_rows
import numpy as np
import pytest
from cuda_cases import ptx
from kernel_mutation import function_mutations, kernels, mutations, parsed
from optimizer_cases import specification

from tinygrad_lr import cuda, zeros
from tinygrad_lr.kernels import _factored, _jit, _run
from tinygrad_lr.verify.bounds.enclosure import enclosed
from tinygrad_lr.verify.properties.one_step import roundings_of

KERNELS = {f"{name}-{key}": kernel for name, table in kernel_rows.of_factors().items() for key, kernel in table.items()}
every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# Matrices of one piece and of several, vectors of one and of two, several matrices in one parameter, and nothing.
SHAPES = [(3, 5), (130, 70), (7,), (5000,), (), (0, 3), (3, 0), (2, 3, 4), (0,), (1, 9), (200, 1)]
if _jit.COMPILER_IS_OFF:  # Python's loops take a minute for thousands of elements
    SHAPES = [(3, 5), (13, 7), (7,), (), (0, 3), (3, 0), (2, 3, 4), (0,), (1, 9), (70, 1)]
SMALL = [(5, 3), (9,), (2, 3, 2), (0, 2), (2, 0), (), (1, 11)]


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of two rows, chunks of four elements."""
    monkeypatch.setattr(_factored, "ROWS", 2)
    monkeypatch.setattr(_factored, "CHUNK", 4)


def drawn(kernel, shapes, dtype, seed=0):
    """Arrays and scalars in the ranges that optimizers give."""
    rng, arrays = np.random.default_rng(seed), []
    for key in ("param", "grad", *kernel.states):
        form = kernel.stored(key)[1]
        sizes = [shape if form == 1 else form(shape) for shape in shapes]
        size = sum(0 if shape is None else int(np.prod(shape)) for shape in sizes)
        array = rng.standard_normal(size).astype(dtype)
        arrays.append(array if len(arrays) < 2 else np.abs(array))
    limits = {
        "most": 1e6,
        "least_scale": 9.0,
        "least_average": 1e-6,
        "least_variance": 1e-6,
    }  # or all elements would be at one of them
    scalars = [rng.uniform(0.1, 0.9) * limits.get(name, 1.0) for name in kernel.scalars]
    return [*arrays, *kernel.layout(shapes, np.dtype(dtype))], np.array(scalars, dtype)


def after(kernel, backend, arrays, scalars):
    arrays = [array.copy() for array in arrays]
    kernel.run(backend, arrays, scalars)
    return [array.tobytes() for array in arrays[: 2 + len(kernel.states)]]


@every_kernel
@every_dtype
def test_loops_equal_numpy_at_any_number_of_threads(kernel, dtype, monkeypatch):
    arrays, scalars = drawn(kernel, SHAPES, dtype)
    expected = after(kernel, "numba", arrays, scalars)
    assert after(kernel, "numpy", arrays, scalars) == expected
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 100)
    for threads in (1, 2, 3, 7):
        monkeypatch.setattr(_run, "_threads", threads)
        assert after(kernel, "numba", arrays, scalars) == expected


@pytest.mark.skipif(
    not cuda.is_simulated(), reason="runs on the CUDA simulator: NUMBA_DISABLE_JIT=1 NUMBA_ENABLE_CUDASIM=1 pytest"
)
@every_kernel
@every_dtype
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_simulated_cuda_equals_cpu(kernel, dtype, small_pieces):
    from numba import cuda as numba_cuda

    arrays, scalars = drawn(kernel, [shape for shape in SMALL if 0 not in shape], dtype)
    on_device = [numba_cuda.to_device(array) for array in arrays]
    kernel.run("cuda", on_device, scalars)
    found = [array.copy_to_host().tobytes() for array in on_device[: 2 + len(kernel.states)]]
    assert found == after(kernel, "numba", arrays, scalars)


@pytest.mark.sampled(one_in=3, each=("kernel",))
@every_kernel
@every_dtype
def test_cuda_loops_compile_to_ptx(kernel, dtype, monkeypatch):
    from numba import types

    number = types.float32 if dtype is np.float32 else types.float64
    layout = kernel.layout([(2, 3)], np.dtype(dtype))
    kinds = {"int64": types.int64, "float64": types.float64, "float32": types.float32}
    given = types.Tuple([types.Array(kinds[str(each.dtype)], each.ndim, "C") for each in layout])
    arrays = types.UniTuple(types.Array(number, 1, "C"), 2 + len(kernel.states))
    scalars = types.UniTuple(number, len(kernel.scalars))
    for (kind, _), loop in zip(kernel.stages, kernel.on_gpu, strict=True):
        each = types.Array(types.int64, 1 if kind == "parameters" else 2, "C")
        text = ptx(loop, (each, given, scalars, arrays), monkeypatch)
        assert ".target sm_90" in text and ".approx" not in text


# --- the stages against the formulas ------------------------------------------------------------------------------


def settings(module):
    """Of its optimizers, dialects and examined settings, in some steps and shapes: with ordinary numbers, where some of
    g are 0, and where one is NaN."""
    rng, found = np.random.default_rng(0), []
    for name, cls in kernel_rows.optimizers_of(module).items():
        for dialect in cls.dialects:
            for variant in cls.examined:
                spec = specification(name, dialect, {"lr": 0.1, **variant})
                optimizer = cls([zeros(2, requires_grad=True)], dialect=dialect, **spec.hyperparameters)
                for step, shape in ((1, (5, 3)), (2, (4, 3)), (7, (2, 3, 2)), (2, (9,)), (1, (7,))):
                    found += [
                        setting(spec, optimizer, step, shape, kind, rng) for kind in ("ordinary", "zeros", "a NaN")
                    ]
    return found


def setting(spec, optimizer, step, shape, kind, rng):
    """A kernel's key, its scalars, arrays and their shape, and what becomes of theta and the states."""
    group = optimizer.param_groups[0]
    kernel = optimizer.kernel(group)
    theta, g = rng.normal(size=shape), rng.normal(size=shape)
    if kind != "ordinary":
        g[0] = 0.0 if kind == "zeros" else np.nan
    formula = enclosed(spec, np.float64, roundings_of(spec))
    before = {key: np.asarray(getattr(each, "low", each)) for key, each in formula.initial_state(theta).items()}
    for key, each in before.items() if step > 1 else ():
        signed = key in ("exp_avg", "momentum_buffer")
        before[key] = rng.normal(size=shape) if signed else rng.uniform(0.5, 2.0, each.shape)
    after, states = formula.step(theta, g, before, step)
    arrays = [theta.ravel(), g.ravel(), *(before.get(key, np.zeros(0)).ravel() for key in kernel.states)]
    scalars = {**optimizer.constants(group), **optimizer.moving(group, step)}
    expected = {"theta": after, **states}
    return SimpleNamespace(
        variant=optimizer.variant(group), scalars=scalars, arrays=arrays, shape=shape, expected=expected
    )


def step_of(kernel, arrays, shape, scalars):
    """Theta and the states after a step: all stages as plain Python."""
    arrays = [array.copy() for array in arrays]
    layout = kernel.layout([shape], np.dtype(np.float64))
    for room in layout[5:]:  # of a step before
        room[...] = 77
    given = [np.float64(scalars[name]) for name in kernel.scalars]
    with np.errstate(all="ignore"):
        for count, (_, stage) in zip(layout[0].tolist(), kernel.stages, strict=False):
            for k in range(count):
                stage(k, *layout, *given, *arrays)
    return dict(zip(("theta", *kernel.states), [arrays[0], *arrays[2:]], strict=True))


def holds(kernel, each):
    found = step_of(kernel, each.arrays, each.shape, each.scalars)
    for key, expected in each.expected.items():
        value = found[key].reshape(expected.low.shape)
        lost = np.isnan(expected.low) | np.isnan(expected.high)
        if not expected.contains(value).all() or (np.isnan(value) & ~lost).any():
            return False
    theta, g, *states = each.arrays
    halved = {**each.scalars, "sign": -0.5 * each.scalars["sign"]}
    clipped = step_of(kernel, [theta, g / -0.5, *states], each.shape, halved)
    return all(np.array_equal(value, clipped[key], equal_nan=True) for key, value in found.items())


def survives(table, judged):
    try:
        return all(holds(table[each.variant], each) for each in judged) and equals_numpy(table)
    except Exception:
        return False


def equals_numpy(table):
    """Whether the stages over whole arrays give the bits of those as plain Python: of parameters that are small beside
    the least scale, and of large ones."""
    for kernel in table.values():
        arrays, scalars = drawn(kernel, SMALL, np.float64)
        count = 2 + len(kernel.states)
        for size in (1.0, 100.0):
            one, other = ([arrays[0] * size, *(array.copy() for array in arrays[1:])] for _ in range(2))
            with np.errstate(all="ignore"):
                for number, (_, stage) in zip(arrays[count].tolist(), kernel.stages, strict=False):
                    for k in range(number):
                        stage(k, *one[count:], *scalars, *one[:count])
                kernel.numpy_stages(*other[count:], *scalars, *other[:count])
            if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(one[:count], other[:count], strict=True)):
                return False
    return True


@pytest.mark.parametrize("module", kernel_rows.of_factors())
def test_every_kernel_is_judged(module, small_pieces):
    assert set(kernel_rows.of_factors()[module]) == {each.variant for each in settings(module)}
    assert all("sign" in kernel.scalars for kernel in kernel_rows.of_factors()[module].values())


# What changes no result: functions, the mutation's text, and the proof.
COMMUTES = "a product, or the larger of two, has no order"
FILLED = "what is filled too is filled again before it is read"
EQUIVALENT = [
    (r"sm3\.steps", r"= -1\.0$", "v is not negative"),
    (r"sm3\.columns", r"= -1\.0$", "v is not negative"),
    (r"sm3\.over_numpy", r"initial=-1\.0", "v is not negative"),
    (r"sm3\.over_numpy", r"minimum_of\(column_max", COMMUTES),
    (r"sm3\.over_numpy", r"eps, one, zero\)", "where v is 0, and g, the quotient is 0 / sqrt(0 + eps), too"),
    (r"\w+\.over_numpy", r"in (matrices|pieces):", "NumPy's whole numbers and Python's"),
    (r"\w+\.module", r"over_arrays\((\w+)\) -> \1$", "without a compiler a rule is itself over arrays"),
    (r"\w+\.(steps|updates)", r"range\(part, part \+ width \+ 1\)", FILLED),
    (r"adafactor\.squares", r"-> (aside, line|line, aside) = ", "two rows of room, exchanged"),
    (r"adafactor\.squares", r"-> sums\[k, 1\] = ", "of a matrix it is written by the stage `updates`"),
    (r"adafactor\.(steps\w*|over_numpy)", r"-> .*stepped\w*\(param\[\w+\], (exp_avg\[\w+\], )?factor, u", COMMUTES),
    (r"adafactor\.\w+", r"-> .*rule(_of)?\(.*, least_variance, variance", COMMUTES),
    (r"adafactor\.\w+", r"-> .*of_matrix\w*\(\w+( \* \w+\[at\])?, column_factors.*, (factor|row_factors)", COMMUTES),
    (r"_factored\.column_sums_numpy", r"append\(values, 0\.0\)", "0 is added first or last"),
    (
        r"adafactor\.\w+",
        r"-> .*max\((1, \w+|\w+, 0|1, \w+\[\w+\]|\w+\[\w+\], 0)\)",
        "the larger of two; of nothing there is no piece",
    ),
    (r"adafactor\.decisions", r"-> of_update, of_theta = ", "both are 0"),
    (r"adafactor\.over_numpy", r"-> .* = pieces\[k(, :4)?\]$", "NumPy's whole numbers and Python's"),
    (r"adafactor\.over_numpy", r"-> sums\[k\] = .*, -?1\.0\)$", "of a matrix it is written again"),
    (r"adafactor\.over_numpy", r"-> sums\[k(, 1)?\] = .*\)\[-1\](, 0\.0\))?$", "the sum of a single row"),
    (r"adafactor\.over_numpy", r"-> average = maximum_of\(np\.float64\(least", COMMUTES),
    (
        r"adafactor\.over_numpy",
        r"-> found = np\.zeros\(\((1 \+ last \+|2 \+ last -)|start=0\):",
        "room for rows of zeros",
    ),
    (r"adafactor\.over_numpy", r"in range\(0 - 1, len", "the last one once more"),
    (r"adafactor\.over_numpy", r"np\.append\(sums\[", "0 is added first or last"),
    (r"adafactor\.over_numpy", r"-> number, start, width, height = ", COMMUTES),
    (r"adafactor\.module", r"tuple\(FORMS\) -> FORMS", "the names are the same"),
    (r"adafactor\.over_numpy", r"reshape\(-2\)", "NumPy's reshape finds the length for any negative number"),
    (r"adafactor\.over_numpy", r"(terms|g)\[-1\]", "a vector's piece has one row"),
    (r"adafactor\.over_numpy", r"-> total = np\.cumsum\(np\.append\(row_var", "0 is added first or last"),
]
CASTS = re.compile(r"np\.u?int64|np\.float64|param\.dtype\.type|\.astype\(\w+(\.\w+)?\)|[()]")


def proven(mutation):
    """Whether a mutation is listed, or takes a cast away that machine code needs: the tests above judge that."""
    where = f"{mutation.module}.{mutation.function}"
    listed = any(re.fullmatch(name, where) and re.search(line, str(mutation)) for name, line, _ in EQUIVALENT)
    return listed or CASTS.sub("", mutation.before) == CASTS.sub("", mutation.after)


@pytest.mark.parametrize("module", kernel_rows.of_factors())
def test_every_change_of_a_stage_is_seen_or_proven_equivalent(module, searches, small_pieces):
    judged, tree = settings(module), parsed(module)
    assert survives(kernels(tree), judged), "the stages themselves must pass"
    outcomes, survivors = Counter(), []
    for mutation in searches.sample("mutants of factored kernels", list(mutations(module)), 40):
        try:
            alive = survives(kernels(mutation.tree), judged)
        except Exception:  # it cannot even be built
            alive = False
        outcomes[alive] += 1
        survivors += [str(mutation)] if alive and not proven(mutation) else []
    assert outcomes[False] and not survivors, "\n".join(survivors)


# --- what all stages share ----------------------------------------------------------------------------------------


def shared_survive(names):
    """Whether sums of rows are right in every length, and all stages of a kernel are called, once for each k."""
    rng = np.random.default_rng(0)
    for width in (*range(20), 56, 57):
        values = rng.normal(size=(3, width))
        for i, found in enumerate(names["row_sums_numpy"](values)):
            one = names["row_sum"](np.r_[7.0, values[i], 9.0], 1, width)
            exact = np.sum(values[i].astype(np.longdouble))
            if found != one or abs(one - exact) > width * 2.0**-52 * np.abs(values[i]).sum():
                return False
    for height, width in ((0, 3), (5, 1), (1, 4), (300, 1), (300, 3)):
        values, total = rng.normal(size=(height, width)), np.zeros(width)
        for row in values:
            total += row
        if not np.array_equal(names["column_sums_numpy"](values), total):
            return False
    forms = [
        [names[key](shape) for key in ("rows_of", "columns_of", "vector_of")] for shape in ((2, 3, 4), (2, 5), (3,))
    ]
    if forms != [[(2, 3, 1), (2, 1, 4), None], [(2, 1), (1, 5), None], [None, None, (3,)]]:
        return False
    calls = []
    names["stage"] = lambda *given: calls.append(given)
    _jit.bound(names["on_cpu"], __name__, "on_cpu", **names)(2, 4, "x")
    for k in range(4):
        on_cuda = _jit.bound(names["on_cuda"], __name__, "on_cuda", **{**names, "thread_index": lambda k=k: k})
        on_cuda(np.zeros((3, 1)), ("layout",), ("scalar",), ("array",))
    numbers, counts = ("one", "two", "three", "four", "five"), [3, 4, 5, 6, 7]
    loops = {name: lambda *given, name=name: calls.append((name, *given)) for name in numbers}
    whole = _jit.bound(names["whole"], __name__, "whole", **{**names, **loops, "arrays_end": 2, "layout_end": 4})
    whole("param", "grad", counts, "pieces", "scalar")
    expected = [(2, "x"), (3, "x"), *((k, "layout", "scalar", "array") for k in range(3))]
    for name, count in zip(numbers, counts, strict=True):
        expected.append((name, 0, count, counts, "pieces", "scalar", "param", "grad"))
    return calls == expected and names["nothing"](0, 1, 2) is None


SHARED = (
    "row_sum",
    "row_sums_numpy",
    "column_sums_numpy",
    "rows_of",
    "columns_of",
    "vector_of",
    "on_cpu",
    "on_cuda",
    "whole",
)


def test_every_change_of_what_stages_share_is_seen(searches):
    plain = {name: getattr(value, "py_func", value) for name, value in vars(_factored).items()}
    assert shared_survive(dict(plain))
    killed, survivors = Counter(), []
    mutants = list(function_mutations("_factored", frozenset(SHARED)))
    for mutation in searches.sample("mutants of what stages share", mutants, 4):
        try:
            names = {**plain, "compiled": lambda function: function}
            exec(compile(ast.Module([mutation.node], []), "<mutant>", "exec"), names)
            alive = shared_survive(names)
        except Exception:  # it cannot even be run
            alive = False
        killed[mutation.function] += not alive
        survivors += [str(mutation)] if alive and not proven(mutation) else []
    assert (set(killed) == set(SHARED) or not searches.deep) and not survivors, "\n".join(survivors)
