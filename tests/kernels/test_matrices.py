"""Kernels that orthogonalise matrices (kernels/_matrices.py): the same bits compiled, over NumPy arrays, on simulated
CUDA and at any number of threads; their rules against the formulas, and every change of a rule or of a loop is seen.
"""

import ast
import re
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import kernel_rows
import numpy as np
import pytest
from cuda_cases import ptx
from kernel_mutation import function_mutations, kernels, mutations, parsed
from optimizer_cases import specification

from tinygrad_lr import cuda, zeros
from tinygrad_lr.kernels import _jit, _matrices, _run
from tinygrad_lr.verify.bounds.enclosure import enclosed
from tinygrad_lr.verify.properties.one_step import roundings_of

KERNELS = {
    f"{name}-{key}": kernel for name, table in kernel_rows.of_matrices().items() for key, kernel in table.items()
}
every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# Wide, tall, square, one element, one row, one column; none; of less than a chunk and of several.
SMALL = [(3, 5), (5, 3), (4, 4), (0, 4), (1, 1), (1, 9), (9, 1), (2, 2200)]
# Of which every product, or all but the square, goes to BLAS.
LARGE = [(40, 33), (33, 40), (2500, 4)]


def drawn(kernel, shapes, dtype, seed=0):
    """Arrays, and scalars as Muon has them."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(sum(r * c for r, c in shapes)).astype(dtype) for _ in range(3)]
    found = dict.fromkeys(kernel.scalars, 0.0) | {"lr": 0.1, "momentum": 0.9, "gain": 0.1, "ahead": 0.9, "fresh": 0.1}
    found |= {"eps": 1e-7, "sign": 1.0, "shrink": 0.99, "count": 5.0, "by_columns": 1.0}
    found |= {"first": 3.4445, "second": -4.775, "third": 2.0315}
    return [*arrays, *kernel.layout(shapes, np.dtype(dtype))], np.array(list(found.values())).astype(dtype)


def after(kernel, backend, arrays, scalars, how="run"):
    """The parameters and the state after a step."""
    arrays = [array.copy() for array in arrays]
    getattr(kernel, how)(backend, arrays, scalars)
    assert np.isfinite(arrays[0]).all()
    return [array.tobytes() for array in (arrays[0], arrays[2])]


def test_rules_with_other_scalars_are_refused():
    kernel = KERNELS["muon-plain"]
    with pytest.raises(ValueError, match=r"the same scalars in the same order, here lr, .*; rule takes param, "):
        replace(kernel, decide=kernel_rows.of_measures()["lamb"]["plain"].rule)


@every_kernel
@every_dtype
@pytest.mark.parametrize("shapes", [SMALL, LARGE, [*SMALL, *LARGE]], ids=["small", "large", "both"])
def test_loops_equal_numpy_at_any_number_of_threads(kernel, dtype, shapes, monkeypatch):
    arrays, scalars = drawn(kernel, shapes, dtype)
    expected = after(kernel, "numba", arrays, scalars)
    assert after(kernel, "numpy", arrays, scalars) == expected
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 100)
    for threads in (1, 2, 3, 7):
        monkeypatch.setattr(_run, "_threads", threads)
        assert after(kernel, "numba", arrays, scalars) == expected
        assert after(kernel, "numba", arrays, scalars, "pass_by_pass") == expected


@every_kernel
def test_matrices_do_not_depend_on_their_neighbours(kernel):
    arrays, scalars = drawn(kernel, [*SMALL, *LARGE], np.float32)
    together = [array.copy() for array in arrays]
    kernel.run("numba", together, scalars)
    ends = np.cumsum([0, *(r * c for r, c in [*SMALL, *LARGE])])
    for shape, low, high in zip([*SMALL, *LARGE], ends, ends[1:], strict=False):
        alone = [*(array[low:high].copy() for array in arrays[:3]), *kernel.layout([shape], np.dtype(np.float32))]
        kernel.run("numba", alone, scalars)
        assert all(np.array_equal(one, other[low:high]) for one, other in zip(alone[:3], together, strict=False))


@every_dtype
@pytest.mark.parametrize("how", ["compiled", "numba", "numpy"])
@pytest.mark.parametrize("shape", LARGE)
def test_products_of_blas_are_within_the_bound_of_any_order(how, shape, dtype):
    """A sum of n products errs, in any order, by gamma_n times the sum of their sizes (Higham, section 3.1)."""
    rng, (rows, columns) = np.random.default_rng(0), shape
    x, side = rng.standard_normal(shape).astype(dtype), min(shape)
    a, b, out = np.zeros((side, side), dtype), np.zeros((side, side), dtype), np.zeros_like(x)
    gram_of, multiply = _matrices.PRODUCTS[how]
    gram_of(x, np.zeros((columns, rows), dtype), a)
    multiply(a, a, b)
    left, right = (x, b) if rows > columns else (b, x)
    multiply(left, right, out)
    turned = (x.T, x) if rows > columns else (x, x.T)
    for one, other, found in ((*turned, a), (a, a, b), (left, right, out)):
        one, other = one.astype(np.longdouble), other.astype(np.longdouble)
        n = (one.shape[1] + 1) * np.finfo(dtype).eps  # one more, for the rounding of float64 in longdouble
        assert (np.abs(found - one @ other) <= n / (1 - n) * (np.abs(one) @ np.abs(other))).all()
    assert np.array_equal(a, a.T)


@every_kernel
def test_compiled_training_takes_the_same_passes(kernel):
    """Its loop differs from an eager step's by the BLAS that it calls. Sums of small whole numbers, over powers of two,
    are exact in any order: the numbers are equal there."""
    shapes = [(40, 33), (33, 40), (2, 40)]
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-3, 4, sum(r * c for r, c in shapes)).astype(np.float64) for _ in range(3)]
    values = dict.fromkeys(kernel.scalars, 0.0) | {"momentum": 1.0, "gain": 2.0, "ahead": 1.0, "least": 2.0**8}
    values |= {"sign": 1.0, "lr": 1.0, "shrink": 1.0, "first": 1.0, "second": 0.5, "third": 0.25, "count": 1.0}
    values |= {"fixed": 40.0}  # the scale is the root of 40 / 40
    scalars = np.array(list(values.values()))
    one, other = ([*(a.copy() for a in arrays), *kernel.layout(shapes, np.dtype(np.float64))] for _ in range(2))
    kernel.run("numba", one, scalars)
    kernel.cpu(*other, *scalars)
    assert np.array_equal(one[0], other[0]) and np.array_equal(one[2], other[2])
    assert not np.array_equal(one[0], arrays[0])


@pytest.mark.skipif(
    not cuda.is_simulated(), reason="runs on the CUDA simulator: NUMBA_DISABLE_JIT=1 NUMBA_ENABLE_CUDASIM=1 pytest"
)
@every_kernel
@every_dtype
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_simulated_cuda_equals_cpu(kernel, dtype):
    from numba import cuda as numba_cuda

    arrays, scalars = drawn(kernel, [(3, 4), (4, 3), (0, 2), (1, 5), (2, 2)], dtype)
    on_device = [numba_cuda.to_device(array) for array in arrays]
    kernel.run("cuda", on_device, scalars)
    expected = [array.copy() for array in arrays]
    kernel.run("numba", expected, scalars)
    for place in (0, 2):
        assert on_device[place].copy_to_host().tobytes() == expected[place].tobytes()


@every_kernel
@every_dtype
def test_cuda_loops_compile_to_ptx(kernel, dtype, monkeypatch):
    from numba import types

    number = types.float32 if dtype is np.float32 else types.float64
    array, scalars = types.Array(number, 1, "C"), types.UniTuple(number, len(kernel.scalars))
    whole, wide = types.Array(types.int64, 1, "C"), types.Array(types.float64, 1, "C")
    sums = types.Array(types.float64, 2, "C")
    loops = {kernel.measured_gpu: (whole, whole, sums, wide, types.UniTuple(array, 3), scalars)}
    for each in kernel.passes.values():
        loops[each.gpu] = (*[array] * (2 + len(each.states)), types.UniTuple(number, len(each.scalars)))
    for loop, signature in loops.items():
        text = ptx(loop, signature, monkeypatch)
        assert ".target sm_90" in text and ".approx" not in text
        if dtype is np.float32 and loop is not kernel.measured_gpu:
            assert ".f64" not in text, "a scalar that was not cast on the host"


# --- the rules against the formulas -------------------------------------------------------------------------------


class Setting(NamedTuple):
    """A kernel's key, its scalars, theta, g, the buffer, and what becomes of theta and of the buffer."""

    variant: str
    scalars: dict[str, float]
    arrays: list[Any]
    expected: tuple[Any, Any]


def settings(module):
    """Of its optimizers, dialects and examined settings, in some steps, for matrices of both sides."""
    rng, found = np.random.default_rng(0), []
    for name, cls in kernel_rows.optimizers_of(module).items():
        for dialect in cls.dialects:
            for variant in cls.examined:
                spec = specification(name, dialect, {"lr": 0.1, "eps": 0.03, "weight_decay": 0.2, **variant})
                optimizer = cls([zeros(2, 3, requires_grad=True)], dialect=dialect, **spec.hyperparameters)
                group = optimizer.param_groups[0]
                (state,) = optimizer.kernel(group).states
                formula = enclosed(spec, np.float64, roundings_of(spec))
                for shape, step, size in (((2, 3), 1, 1.0), ((3, 2), 2, 1.0), ((3, 2), 7, 1e-3), ((2, 2), 7, np.nan)):
                    theta, g, buffer = size * rng.normal(size=(3, *shape))
                    after, states = formula.step(theta, g, {state: buffer}, step)
                    scalars = {**optimizer.constants(group), **optimizer.moving(group, step)}
                    found.append(Setting(optimizer.variant(group), scalars, [theta, g, buffer], (after, states[state])))
    return found


def step_of(kernel, arrays, scalars):
    """Theta and the buffer after a step: a whole matrix by the rules, as plain Python."""
    theta, g, buffer = arrays
    given, (rows, columns) = [scalars[name] for name in kernel.scalars], theta.shape
    with np.errstate(all="ignore"):
        buffer, x, y, z, w = kernel.measure(theta, g, buffer, 0.0, *given)
        assert z is w is x
        size, scale = kernel.decide(np.sum(x * y), float(rows), float(columns), *given)
        x, kept = kernel.begin(77.0, g, buffer, size, *given)
        assert kept is buffer
        for _ in range(int(scalars["count"])):
            a = x @ x.T
            (b,) = kernel.polynomial(a @ a, a, *given)
            (x,) = kernel.advance(x, b @ x, *given)
        (theta,) = kernel.rule(theta, x, scale, *given)
    return theta, buffer


def holds(kernel, each):
    found = step_of(kernel, each.arrays, each.scalars)
    if not all(one.contains(np.asarray(value)).all() for one, value in zip(each.expected, found, strict=True)):
        return False
    if np.isnan(each.arrays[0]).any():
        return bool(np.isnan(found[0]).any())
    theta, g, buffer = each.arrays
    clipped = step_of(kernel, [theta, g / -0.5, buffer], {**each.scalars, "sign": -0.5 * each.scalars["sign"]})
    return all(np.array_equal(one, other) for one, other in zip(found, clipped, strict=True))


def survives(table, all_settings):
    """Whether the rules give what the formulas enclose in every setting, and clipping multiplies the gradient."""
    try:
        return all(holds(table[each.variant], each) for each in all_settings)
    except Exception:
        return False


@pytest.mark.parametrize("module", kernel_rows.of_matrices())
def test_every_kernel_is_judged(module):
    assert set(kernel_rows.of_matrices()[module]) == {each.variant for each in settings(module)}
    assert all("sign" in kernel.scalars for kernel in kernel_rows.of_matrices()[module].values())


# Mutations that change no value: the function, the changed line as it became, and the proof.
EQUIVALENT: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize("module", kernel_rows.of_matrices())
def test_every_change_of_a_rule_is_seen_or_proven_equivalent(module, searches):
    judged, tree = settings(module), parsed(module)
    assert survives(kernels(tree), judged), "the rules themselves must pass"
    outcomes, survivors = Counter(), []
    for mutation in searches.sample("mutants of matrix kernels", list(mutations(module)), 12):
        try:
            alive = survives(kernels(mutation.tree), judged)
        except Exception:  # it cannot even be built
            alive = False
        outcomes[alive] += 1
        where = f"{mutation.module}.{mutation.function}"
        if alive and not any(function == where and line in mutation.after for function, line in EQUIVALENT):
            survivors.append(str(mutation))
    assert outcomes[False] and not survivors, "\n".join(survivors)


# --- the loops ----------------------------------------------------------------------------------------------------

FUNCTIONS = frozenset(
    name
    for name, value in vars(_matrices).items()
    if getattr(value, "__module__", "") == _matrices.__name__
    and callable(value)
    and name not in ("MatrixKernel", "_nothing")
)
SHAPES = [(2, 3), (3, 2), (0, 2), (2, 2), (1, 4), (4, 3), (3, 4), (3, 3)]
COUNT, FROM = 2, 12  # iterations; and more multiplications than that are large
# How often they multiply, and how often with that many multiplications.
PRODUCTS = COUNT * sum(3 for shape in SHAPES if 0 not in shape)
OF_LARGE = COUNT * sum(2 * (r * c * min(r, c) > FROM) + (min(r, c) ** 3 > FROM) for r, c in SHAPES)


def exact():
    """Rules of small whole numbers, whose sums are exact in any order, and what they make of drawn matrices."""

    def measure(param, grad, buffer, number, *scalars):
        return buffer + grad, param + number, grad, param, param

    def decide(total, rows, columns, *scalars):
        return total + 2 * rows, columns - 3 * rows

    def begin(x, grad, buffer, size, *scalars):
        return (2 * grad + buffer + size) % 3, buffer

    def polynomial(b, a, *scalars):
        return ((b - 2 * a) % 5,)

    def advance(x, product, *scalars):
        return ((x - product) % 7,)

    def rule(param, x, scale, *scalars):
        return (param * scalars[0] - scale * x,)

    rng = np.random.default_rng(0)
    arrays = [rng.integers(-3, 4, sum(r * c for r, c in SHAPES)).astype(float) for _ in range(3)]
    expected, low = [each.copy() for each in arrays], 0
    for rows, columns in SHAPES:
        part = slice(low, low := low + rows * columns)
        param, g, buffer = (each[part].reshape(rows, columns) for each in arrays)
        after = buffer + g
        size, scale = decide(np.sum(param * g), rows, columns)
        x = begin(0, g, after, size)[0]
        for _ in range(COUNT if x.size else 0):
            tall = rows > columns
            a = x.T @ x if tall else x @ x.T
            (b,) = polynomial(a @ a, a)
            (x,) = advance(x, x @ b if tall else b @ x)
        expected[0][part], expected[2][part] = rule(param, x, scale, 3.0)[0].ravel(), after.ravel()
    return (measure, decide, begin, polynomial, advance, rule), arrays, expected


RULES, ARRAYS, EXPECTED = exact()
# Which products each way makes: by loops, by compiled BLAS, by NumPy's, as loops of CUDA.
WAYS = {
    "loops": {"loops": PRODUCTS},
    "compiled": {"loops": PRODUCTS - OF_LARGE, "blas": OF_LARGE},
    "numba": {"loops": PRODUCTS - OF_LARGE, "numpy": OF_LARGE},
    "numpy": {"numpy": OF_LARGE},
    "cuda": {"cuda": PRODUCTS},
}


def looped(rule, arrays):
    """An elementwise pass: the first of its arrays, and those after the second, become what the rule says."""

    def loop(*given):
        assert len({each.shape for each in given[:arrays]}) == 1 and all(np.ndim(each) == 0 for each in given[arrays:])
        for target, values in zip((given[0], *given[2:arrays]), rule(*given), strict=True):
            target[:] = values

    return loop


def standing(seen):
    """What stands for NumPy and for the files of products; `seen` counts their calls."""

    def product(kind, name):
        def called(a, b, *rest):
            seen[kind] += 1
            if kind == "loops" and name == "nt":
                rest[0][...] = b.T
            rest[-1][...] = {"tn": a.T}.get(name, a) @ {"nt": b.T}.get(name, b)

        return called

    def by_numpy(a, b, out):
        product("numpy", "nn")(a, b, out)

    def launched(formula):
        """A loop that is launched for as many threads as there are results."""

        def launch(size, arguments):
            *given, zero, out = arguments
            assert size == out.size and isinstance(zero, np.float64) and zero == 0
            seen["cuda"] += 1
            found = formula(*given)
            assert found.shape == out.shape
            out[...] = found

        return SimpleNamespace(launch=launch)

    def forward(x, weight, bias):
        assert bias.shape == (0,)
        return x @ weight.T

    def weight_grad(g, x, chunk):
        assert chunk == len(g)
        return (g.T @ x)[None]

    names = ("nn", "nt", "tn")
    return {
        "np": SimpleNamespace(**{**vars(np), "matmul": by_numpy}),
        "matmul": SimpleNamespace(
            **{name: product("loops", name) for name in names},
            **{f"{name}_blas": product("blas", name) for name in names},
        ),
        "linear": SimpleNamespace(
            weight_grad_gpu=launched(weight_grad),
            forward_gpu=launched(forward),
            input_grad_gpu=launched(lambda g, weight: g @ weight),
        ),
    }


def measured(rule):
    """The first pass, as test_measured.py holds it to."""

    def loop(first, last, starts, owners, sums, zeros, param, grad, state, *scalars):
        assert (first, last) == (0, owners.size)
        for c in range(last):
            part = slice(starts[c], starts[c + 1])
            state[part], x, y, _, _ = rule(param[part], grad[part], state[part], zeros[owners[c]], *scalars)
            sums[c] = np.sum(x * y), 77.0

    return loop


def made(names, how):
    """What the functions of a module's tree make of the arrays, with one of their ways to multiply."""
    measure, decide, begin, polynomial, advance, rule = RULES
    sizes = [r * c for r, c in SHAPES]
    ends, counts = np.cumsum(sizes), [-(-size // 5) for size in sizes]
    starts = [np.arange(high - size, high, 5) for size, high in zip(sizes, ends, strict=True)]
    layout = [
        np.append(np.concatenate(starts), ends[-1]),
        np.repeat(np.arange(len(sizes)), counts),
        np.cumsum([0, *counts]),
        np.full((sum(counts), 2), 77.0),
        np.full((len(sizes), 2), 77.0),
        np.zeros(len(sizes)),
        np.array(SHAPES),
        np.full(max(2 * r * c + 2 * min(r, c) ** 2 for r, c in SHAPES), 77.0),
        np.array([77]),
    ]
    given = [*(array.copy() for array in ARRAYS), *layout]
    gram_of, multiply = names["PRODUCTS"][how]

    def having(function, **bound):
        return _jit.bound(names[function], __name__, function, **{**names, **bound})

    iterations = having(
        "iterated",
        gram_of=gram_of,
        multiply=multiply,
        count_at=1,
        polynomials=looped(polynomial, 2),
        advanced=looped(advance, 2),
    )
    having(
        "whole",
        measured=measured(measure),
        decided=having("decided_on_cpu", rule=decide),
        begun=looped(begin, 3),
        orthogonalised=iterations,
        applied=looped(rule, 2),
    )(*given, 3.0, float(COUNT))
    return given[:3]


def tree_survives(tree):
    keep = (ast.FunctionDef, ast.Assign)
    body = [node for node in tree.body if isinstance(node, keep) and "__all__" not in ast.unparse(node)]
    for how, expected in WAYS.items():
        seen = Counter()
        names = {**vars(_matrices), "compiled": lambda function: function, **standing(seen)}
        exec(compile(ast.Module(body, []), "<mutant>", "exec"), names)
        names["LARGE"] = FROM
        if any(not np.array_equal(one, other) for one, other in zip(made(names, how), EXPECTED, strict=True)):
            return False
        if seen != expected:
            return False
    return True


# What changes no result: functions and lines as they became, with the proof.
ONE_SIZE = "rooms of one size"
EQUIVALENT_LOOPS = [
    (r"gram_(compiled|eager)", r"is_large\(x, a\.shape\[-?1\]\)", "A is square"),
    (r"multiply_numpy", r"np\.matmul\(a, b(, out| if b is a else b, out)", "A is symmetric"),
    (r"multiply_numpy", r"a\[:, None, k\]", "the same column"),
    (r"parts", r"min\(columns, rows\)", "it commutes"),
    (r"parts", r"return \(room\[size:2|\(rows, columns\), room\[end:|return \(room\[:size\]\.r.*room\[end:", ONE_SIZE),
    (r"iterated", r"def iterated\(x, product, b, a, ", ONE_SIZE),
    (r"whole", r"^(product, x, a, b|x, product, b, a) = |orthogonalised\(x, product, b, a, ", ONE_SIZE),
    (r"whole", r"decided\(-1, ", "the last one is decided again"),
    (
        r"whole|decided_on_cpu",
        r"range\((0|first) - 1, ",
        "the matrix before the first is empty, or the last, decided again",
    ),
    (r"whole", r"if (True|low <= high):", "a matrix of no elements has no work"),
]


def test_every_change_of_a_loop_is_seen_or_proven_equivalent(searches):
    assert tree_survives(parsed("_matrices")), "the loops themselves must pass"
    killed, survivors = Counter(), []
    for mutation in searches.sample("mutants of matrix loops", list(function_mutations("_matrices", FUNCTIONS)), 24):
        try:
            alive = tree_survives(mutation.tree)
        except Exception:  # it cannot even be run
            alive = False
        killed[mutation.function] += not alive
        if alive and not any(
            re.fullmatch(function, mutation.function) and re.search(line, mutation.after)
            for function, line, _ in EQUIVALENT_LOOPS
        ):
            survivors.append(str(mutation))
    assert (set(killed) == FUNCTIONS or not searches.deep) and not survivors, "\n".join(survivors)
