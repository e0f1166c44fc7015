"""Kernels of two passes (kernels/_measured.py): the same bits compiled, over NumPy arrays, on CUDA and at any number of
threads; their rules against the formulas, and every change of a rule or of a loop is seen.
"""

import __future__

import ast
import math
import re
from collections import Counter
from types import SimpleNamespace
from typing import Any, NamedTuple

import kernel_rows
import numpy as np
import pytest
from cuda_cases import ptx
from kernel_mutation import function_mutations, kernels, loaded, mutations, parsed
from optimizer_cases import specification

from tinygrad_lr import cuda, zeros
from tinygrad_lr.kernels import _jit, _measured, _run
from tinygrad_lr.kernels._measured import CHUNK, LANES, MeasuredKernel
from tinygrad_lr.optim.coupled import CoupledOptimizer
from tinygrad_lr.verify.bounds.enclosure import enclosed
from tinygrad_lr.verify.properties.one_step import roundings_of

KERNELS = {
    f"{name}-{key}": kernel for name, table in kernel_rows.of_measures().items() for key, kernel in table.items()
}
every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# Of less than a lane's row, of a chunk, of several chunks; none; one.
SIZES = [3, 0, LANES + 2, 1, CHUNK, CHUNK + LANES + 1]


def drawn(kernel, sizes, dtype, seed=0):
    """Arrays and scalars in the ranges that optimizers give."""
    rng = np.random.default_rng(seed)
    size = sum(sizes)
    arrays = [rng.standard_normal(size).astype(dtype) for _ in range(2 + len(kernel.arrays))]
    for state in arrays[2:]:
        np.abs(state, out=state)
    numbers = [rng.uniform(0.1, 0.9, len(sizes)) for _ in kernel.numbers]
    layout = kernel.layout([(n,) for n in sizes], np.dtype(dtype))
    return [*arrays, *numbers, *layout], rng.uniform(0.1, 0.9, len(kernel.scalars)).astype(dtype)


def after(kernel, backend, arrays, scalars):
    arrays = [array.copy() for array in arrays]
    kernel.run(backend, arrays, scalars)
    return [array.tobytes() for array in arrays]


@every_kernel
@every_dtype
def test_loops_equal_numpy_at_any_number_of_threads(kernel, dtype, monkeypatch):
    arrays, scalars = drawn(kernel, SIZES, dtype)
    expected = after(kernel, "numba", arrays, scalars)
    assert after(kernel, "numpy", arrays, scalars) == expected
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 100)
    for threads in (1, 2, 3, 7):
        monkeypatch.setattr(_run, "_threads", threads)
        assert after(kernel, "numba", arrays, scalars) == expected


@every_kernel
@every_dtype
def test_loops_equal_the_rules_as_python(kernel, dtype):
    """The sums are compared with exact ones: n terms in any order err by n roundings of the sum of their sizes."""
    arrays, scalars = drawn(kernel, [LANES + 2, 3], dtype)
    given, places = [array.copy() for array in arrays], kernel.places
    kernel.measure_all("numba", given, scalars)
    measure = _jit.uncompiled(kernel.measure)
    starts, owners = arrays[places["numbers_end"]], arrays[places["numbers_end"] + 1]
    number = arrays[places["first_number"]]
    for c, p in enumerate(owners):
        terms = []
        for i in range(starts[c], starts[c + 1]):
            now = [array[i] for array in arrays[: places["arrays_end"]]]
            with np.errstate(all="ignore"):
                *states, x, y, z, w = measure(*now, dtype(number[p]), *scalars)
            assert [state[i].tobytes() for state in given[2 : places["arrays_end"]]] == [s.tobytes() for s in states]
            terms.append((float(x) * float(y), float(z) * float(w)))
        for k, each in enumerate(zip(*terms, strict=True)):
            error = abs(given[places["sums"]][c, k] - math.fsum(each))
            assert error <= len(each) * 2.0**-53 * math.fsum(map(abs, each))


@pytest.mark.skipif(
    not cuda.is_simulated(), reason="runs on the CUDA simulator: NUMBA_DISABLE_JIT=1 NUMBA_ENABLE_CUDASIM=1 pytest"
)
@every_kernel
@every_dtype
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_simulated_cuda_equals_cpu(kernel, dtype, monkeypatch):
    from numba import cuda as numba_cuda

    for name, value in (("LANES", 4), ("CHUNK", 12)):  # in the simulator each element is a thread
        monkeypatch.setattr(_measured, name, value)
        monkeypatch.setattr(loaded("norm"), name, value)
    small = MeasuredKernel(
        kernel.rule, kernel.states, measure=kernel.measure, decide=kernel.decide, numbers=kernel.numbers
    )
    arrays, scalars = drawn(small, [3, 4, 17], dtype)
    on_device = [numba_cuda.to_device(array) for array in arrays]
    small.run("cuda", on_device, scalars)
    expected = [array.copy() for array in arrays]
    small.run("numba", expected, scalars)
    for one, other in zip(on_device, expected, strict=True):
        assert one.copy_to_host().tobytes() == other.tobytes()


@pytest.mark.sampled(one_in=3, each=("kernel",))
@every_kernel
@every_dtype
def test_cuda_loops_compile_to_ptx(kernel, dtype, monkeypatch):
    from numba import types

    number = types.float32 if dtype is np.float32 else types.float64
    whole, wide = types.Array(types.int64, 1, "C"), types.Array(types.float64, 1, "C")
    sums, factors = types.Array(types.float64, 2, "C"), types.Array(number, 2, "C")
    arrays = types.UniTuple(types.Array(number, 1, "C"), 2 + len(kernel.arrays))
    scalars, numbers = types.UniTuple(number, len(kernel.scalars)), types.UniTuple(wide, len(kernel.numbers))
    signatures = {
        "measured": (whole, whole, sums, wide, arrays, scalars),
        "decided": (whole, whole, sums, factors, numbers, scalars),
        "applied": (whole, whole, factors, arrays, scalars),
    }
    for name, signature in signatures.items():
        text = ptx(kernel.on_gpu[name], signature, monkeypatch)
        assert ".target sm_90" in text and ".approx" not in text
        if name == "applied" and dtype is np.float32:
            assert ".f64" not in text, "a scalar that was not cast on the host"


@pytest.mark.skipif(_jit.COMPILER_IS_OFF, reason="Numba's compiler is off: there is no machine code to look at")
@every_kernel
def test_passes_are_vectorised(kernel):
    import numba

    arrays, scalars = drawn(kernel, [8], np.float32)
    given, _, (starts, owners, _, sums, factors, _), number = kernel._parted(arrays)
    passes = {
        "measured": (starts, owners, sums, number, *given, *scalars),
        "applied": (starts, owners, factors, *given, *scalars),
    }
    for name, arguments in passes.items():
        loop = numba.njit(**_jit._FLAGS)(getattr(kernel, name).py_func)
        loop(0, 1, *arguments)
        (assembly,) = loop.inspect_asm().values()
        assert re.search(r"\bv?mulp[sd]\b|\bfmul\s+v\d+\.[24][sd]", assembly), f"no packed product in {name}"
        if name == "applied":
            assert not re.search(r"\bv?(mul|add|div|sqrt)[ps]d\b", assembly), "double-precision arithmetic"


def test_what_a_kernel_cannot_have_is_said():
    lamb = KERNELS["lamb-plain"]
    rules = {"measure": lamb.measure, "decide": lamb.decide}
    with pytest.raises(ValueError, match=r"numbers come last among the states"):
        MeasuredKernel(lamb.rule, ("n", "a"), numbers=("n",), **rules)
    with pytest.raises(ValueError, match=r"at most 4 states of elements and 2 numbers, .*kernels/_measured\.py"):
        MeasuredKernel(lamb.rule, ("a", "b", "c", "d", "e"), **rules)
    others = {**rules, "decide": KERNELS["lars-plain"].decide}
    with pytest.raises(ValueError, match=r"the same scalars in the same order, here lr, .*; decide takes total, "):
        MeasuredKernel(lamb.rule, lamb.states, **others)


# --- the rules against the formulas -------------------------------------------------------------------------------

SIZE = 9


class Setting(NamedTuple):
    """A kernel's key, its scalars, names, arrays, numbers, and what becomes of theta and of each state."""

    variant: str
    scalars: dict[str, float]
    arrays: list[Any]
    numbers: dict[str, float]
    expected: dict[str, Any]
    poisoned: bool
    together: bool


def settings(module):
    """Of its optimizers, dialects and examined settings, in some steps: with ordinary numbers, where theta or g is 0,
    and where g has a NaN."""
    rng, found = np.random.default_rng(0), []
    for name, cls in kernel_rows.optimizers_of(module).items():
        for dialect in cls.dialects:
            for variant in cls.examined:
                eps = {"eps": 0.03} if cls.dialects[dialect].get("eps") else {}
                spec = specification(name, dialect, {**eps, "lr": 0.1, **variant})
                optimizer = cls([zeros(1, requires_grad=True)], dialect=dialect, **spec.hyperparameters)
                for step in (1, 2, 7):
                    for kind in ("ordinary", "no theta", "no gradient", "a NaN"):
                        found += [setting(spec, optimizer, step, kind, rng)]
    return found


def setting(spec, optimizer, step, kind, rng):
    group, kernel = optimizer.param_groups[0], optimizer.kernel(optimizer.param_groups[0])
    theta, g = rng.normal(size=SIZE) * (kind != "no theta"), rng.normal(size=SIZE) * (kind != "no gradient")
    if kind == "a NaN":
        g[3] = np.nan
    formula = enclosed(spec, np.float64, roundings_of(spec))
    if step == 1:
        before = formula.initial_state(theta)
        numbers = {key: optimizer.initial_state(group, key) for key in kernel.numbers}
        arrays = [np.full(SIZE, optimizer.initial_state(group, key)) for key in kernel.arrays]
    else:
        signed = ("momentum_buffer", "exp_avg", "s", "p0")
        states = {key: rng.normal(size=SIZE) if key in signed else rng.uniform(0.5, 2.0, SIZE) for key in kernel.arrays}
        numbers = {key: rng.uniform(0.2, 0.9) for key in kernel.numbers}
        before = {**states, **{key: np.asarray(value) for key, value in numbers.items()}}
        arrays = list(states.values())
    after, states = formula.step(theta, g, before, step)
    scalars = {**optimizer.constants(group), **optimizer.moving(group, step)}
    expected, together = {"theta": after, **states}, isinstance(optimizer, CoupledOptimizer)
    return Setting(optimizer.variant(group), scalars, [theta, g, *arrays], numbers, expected, kind == "a NaN", together)


def step_of(kernel, arrays, numbers, scalars):
    """Theta and the states after a step: a whole parameter by the three rules, as plain Python."""
    given = [scalars[name] for name in kernel.scalars]
    first = next(iter(numbers.values()), 0.0)
    with np.errstate(all="ignore"):
        *states, x, y, z, w = kernel.measure(*arrays, first, *given)
        sums = [np.float64(np.sum(np.broadcast_to(a * b, SIZE))) for a, b in ((x, y), (z, w))]
        factor, other, *after = kernel.decide(*sums, np.float64(SIZE), *map(np.float64, numbers.values()), *given)
        theta, *states = kernel.rule(*arrays[:2], *states, factor, other, *given)
    return {"theta": theta, **dict(zip(kernel.arrays, states, strict=True)), **dict(zip(numbers, after, strict=True))}


def survives(table, all_settings):
    """Whether the rules give what the formulas enclose in every setting, and clipping multiplies the gradient."""
    try:
        return all(holds(table[each.variant], each) for each in all_settings)
    except Exception:
        return False


def holds(kernel, each):
    found = step_of(kernel, each.arrays, each.numbers, each.scalars)
    if kernel.together is not each.together or set(found) != set(each.expected):
        return False
    if not all(each.expected[key].contains(np.asarray(value)).all() for key, value in found.items()):
        return False
    if each.poisoned and not np.isnan(found["theta"]).any():
        return False
    theta, g, *states = each.arrays
    clipped = step_of(
        kernel, [theta, g / -0.5, *states], each.numbers, {**each.scalars, "sign": -0.5 * each.scalars["sign"]}
    )
    return all(np.array_equal(value, clipped[key], equal_nan=True) for key, value in found.items())


@pytest.mark.parametrize("module", kernel_rows.of_measures())
def test_every_kernel_is_judged(module):
    assert set(kernel_rows.of_measures()[module]) == {each.variant for each in settings(module)}
    assert all("sign" in kernel.scalars for kernel in kernel_rows.of_measures()[module].values())


COMMUTES = "a product commutes bit for bit"
SQUARED = "it is squared"
UNREAD = "the rule of the second pass does not read it"
SMALLER = "the larger of it and d is taken"
# Mutations that change no value: the function, the changed line as it became, and the proof.
EQUIVALENT = {
    ("dadapt_adam.measure", "weighted, gamma * grad, abs(s), one"): COMMUTES,
    ("dadapt_adam.measure", "gamma * grad, weighted, one, abs(s)"): COMMUTES,
    ("dadapt_adam.decide", "return (d, 1.0, maximum"): UNREAD,
    ("dadapt_adam.decide", "return (d, -1.0, maximum"): UNREAD,
    ("dadapt_adam.decide", "one_minus_kept * other, -1.0)"): SMALLER,
    ("dadapt_adam.decide", "maximum(numerator, -1.0)"): SMALLER,
    ("prodigy.measure", "start - param, rate * grad, abs(s), one"): COMMUTES,
    ("prodigy.measure", "rate * grad, start - param, one, abs(s)"): COMMUTES,
    ("prodigy.decide", "other, -1.0)"): SMALLER,
    ("prodigy.decide", "maximum(numerator, -1.0)"): SMALLER,
    ("dog.measure", "away = choose(number > zero, param - start, param)"): SQUARED,
    ("dog.decide", "eps), 1.0, d, squares)"): UNREAD,
    ("dog.decide", "eps), -1.0, d, squares)"): UNREAD,
    ("dowg.measure", "away = param - start"): SQUARED,
    ("dowg.decide", "eps), 1.0, d, squares)"): UNREAD,
    ("dowg.decide", "eps), -1.0, d, squares)"): UNREAD,
    ("lamb.measure", "eps, shrink, decay)"): COMMUTES,
    ("lamb.rule", "eps, shrink, decay)"): COMMUTES,
    ("lamb.decide", "1.0), 1.0)"): UNREAD,
    ("lamb.decide", "1.0), -1.0)"): UNREAD,
    ("fromage.decide", "1.0), 1.0)"): UNREAD,
    ("fromage.decide", "1.0), -1.0)"): UNREAD,
    ("novograd.decide", "eps, 1.0, v)"): UNREAD,
    ("novograd.decide", "eps, -1.0, v)"): UNREAD,
}


def proven(mutation):
    """Whether a mutation is listed as changing nothing."""
    where = f"{mutation.module}.{mutation.function}"
    return any(function == where and line in mutation.after for function, line in EQUIVALENT)


@pytest.mark.parametrize("module", kernel_rows.of_measures())
def test_every_change_of_a_rule_is_seen_or_proven_equivalent(module, searches):
    judged, tree = settings(module), parsed(module)
    assert survives(kernels(tree), judged), "the rules themselves must pass"
    outcomes, survivors = Counter(), []
    for mutation in searches.sample("mutants of measured kernels", list(mutations(module)), 24):
        try:
            alive = survives(kernels(mutation.tree), judged)
        except Exception:  # it cannot even be built
            alive = False
        outcomes[alive] += 1
        if alive and not proven(mutation):
            survivors.append(str(mutation))
    assert outcomes[False] and not survivors, "\n".join(survivors)


# --- the loops ----------------------------------------------------------------------------------------------------

FUNCTIONS = frozenset(
    name
    for name, value in vars(_measured).items()
    if getattr(value, "__module__", "") == _measured.__name__
    and callable(value)
    and name not in ("MeasuredKernel", "of_parameter")
)
SHAPES = [(7,), (0,), (2, 2), (), (25,), (3,)]


def exact(states, numbers, together):
    """Rules of small whole numbers, whose sums are exact in any order, and what they make of drawn arrays.

    Decided together, all parameters are as one, and the numbers of the first one are those of all.
    """
    names = tuple("abcd"[:states])

    def measure(param, grad, *rest):
        *kept, number, scale = rest
        after = [each + (k + 1) * grad for k, each in enumerate(kept)]
        return *after, param, grad * scale, sum(after, number) + 1, param + 1

    def decide(total, other, size, *rest):
        *kept, scale = rest
        after = [each + total + k for k, each in enumerate(kept)]
        return total + scale, other - size, *after

    def rule(param, grad, *rest):
        *kept, factor, other, scale = rest
        return param - scale * grad + factor - 2 * other, *(each + (k + 1) * other for k, each in enumerate(kept))

    rng = np.random.default_rng(states)
    sizes = [math.prod(shape) for shape in SHAPES]
    arrays = [rng.integers(-3, 4, sum(sizes)).astype(float) for _ in range(2 + states)]
    kept = [rng.integers(-3, 4, len(SHAPES)).astype(float) for _ in range(numbers)]
    expected = [each.copy() for each in (*arrays, *kept)]
    sizes = [sum(sizes)] if together else sizes
    for p, high in enumerate(np.cumsum(sizes)):
        part = slice(high - sizes[p], high)
        of_param, given = [each[part] for each in arrays], [each[p] for each in kept]
        *after, x, y, z, w = measure(*of_param, given[0] if given else 0.0, 2.0)
        factor, other, *decided = decide(np.sum(x * y), np.sum(z * w), sizes[p], *given, 2.0)
        param, *after = rule(*of_param[:2], *after, factor, other, 2.0)
        for target, value in zip((expected[0], *expected[2 : 2 + states]), (param, *after), strict=True):
            target[part] = value
        for target, value in zip(expected[2 + states :], decided, strict=True):
            target[slice(None) if together else p] = value
    return (measure, decide, rule), names, [*arrays, *kept], expected, together


EXACT = [exact(states, numbers, False) for states in range(5) for numbers in range(3)]
EXACT += [exact(1, numbers, True) for numbers in range(3)]


def runs(names, rules, states, arrays, together, on):
    """What the functions of a module's tree make of arrays: on the CPU, over NumPy arrays, or as CUDA's threads."""
    measure, decide, rule = rules
    numbers = len(arrays) - 2 - len(states)
    kernel = MeasuredKernel(
        rule, (*states, *"nm"[:numbers]), measure=measure, decide=decide, numbers=tuple("nm"[:numbers])
    )
    sizes = [math.prod(shape) for shape in SHAPES]
    ends, chunk = np.cumsum(sizes), names["CHUNK"]
    starts = [np.arange(high - size, high, chunk) for size, high in zip(sizes, ends, strict=True)]
    counts = [-(-size // names["CHUNK"]) for size in sizes]
    counts = [sum(counts)] if together else counts
    layout = [
        np.append(np.concatenate(starts), ends[-1]),
        np.repeat(np.arange(len(counts)), counts),
        np.cumsum([0, *counts]),
        np.full((sum(counts), 2), 77.0),
        np.full((len(counts), 2), 77.0),
        np.zeros(len(counts)),
    ]
    given = [*(array.copy() for array in arrays), *layout]

    def having(function, **bound):
        return _jit.bound(names[function], __name__, function, **{**names, **bound})

    first = having(f"measure{len(states)}", rule=measure)
    part = having(f"decide{numbers}", rule=decide)
    last = having(f"apply{len(states)}", rule=rule)
    own, middle, places = given[: 2 + len(states)], given[2 + len(states) : len(arrays)], kernel.places
    starts, owners, firsts, sums, factors, _ = layout
    number = given[places["first_number"]]
    scalars = (2.0,)
    if on == "cpu":
        bound = {key: at for key, at in places.items() if key in names["whole"].__code__.co_names}
        passes = {
            "measured": having("measured_on_cpu", element=first),
            "decided": having("decided_on_cpu", part=part),
            "applied": having("applied_on_cpu", element=last),
        }
        having("whole", **passes, **bound)(*given, *scalars)
    elif on == "numpy":
        names["measured_numpy"](measure, starts, owners, sums, number, own, scalars)
        having("decided_on_cpu", part=part)(0, len(counts), starts, firsts, sums, factors, *middle, *scalars)
        names["_applied_numpy"](rule, starts, owners, factors, own, scalars)
    else:
        for function, bound, threads, arguments in (
            ("measured_on_gpu", {"element": first}, owners.size, (starts, owners, sums, number, tuple(own), scalars)),
            ("decided_on_gpu", {"part": part}, len(counts), (starts, firsts, sums, factors, tuple(middle), scalars)),
            ("applied_on_gpu", {"element": last}, own[0].size, (starts, owners, factors, tuple(own), scalars)),
        ):
            for thread in range(threads + 2):  # a launch is of whole blocks
                having(function, thread_index=lambda thread=thread: thread, **bound)(*arguments)
    total = names["fold"](sums)
    assert total == (np.sum(sums[:, 0]), np.sum(sums[:, 1]))
    return given[: len(arrays)]


def tree_survives(tree):
    names = {**vars(_measured), "compiled": lambda function: function, "dataclass": lambda **_: lambda cls: cls}
    body = [node for node in tree.body if not isinstance(node, (ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign))]
    exec(compile(ast.Module(body, []), "<mutant>", "exec", flags=__future__.annotations.compiler_flag), names)
    names |= {"LANES": 3, "CHUNK": 10, "chunk_sum_numpy": np.sum}
    if names["of_parameter"]((2, 3)) != ():
        return False
    for rules, states, arrays, expected, together in EXACT:
        for on in ("cpu", "numpy", "cuda"):
            found = runs(names, rules, states, arrays, together, on)
            if any(not np.array_equal(one, other) for one, other in zip(found, expected, strict=True)):
                return False
    names["_launch"](SimpleNamespace(launch=lambda *_: 1 / 0), 0, ())  # no launch of nothing
    launched = []
    names["_launch"](SimpleNamespace(launch=lambda *given: launched.append(given)), 3, (1,))
    return launched == [(3, (1,))]


# What changes no result: functions and lines as they became, with the proof.
EQUIVALENT_LOOPS = [
    (r".*", r"y, x, z, w|x, y, w, z|\(y, x\)|\(w, z\)|\(b, a\)|multiply\(b, a,", COMMUTES),
    (r".*", r"^other, total(, whole)? = \(0\.0|^lane_of_other, lane = ", "both are 0"),
    (r".*", r"strict=[02]\):$", "both have the same length"),
    (r".*_on_[cg]pu", r"now, low, high = \(number\[", "a cast; machine code is judged by the tests above"),
    (r".*_on_[cg]pu", r"\+= (x \*|z \*|np\.float64\([xz]\) \* [yw]$)|element\((i|low \+ [^)]*),", "a cast, as above"),
    (r"totals", r"return \(total, other, starts", "a cast, as above"),
    (r"measured_numpy", r"\*states, number\[", "a cast, as above"),
    (r"measured_on_gpu", r"for j in range\(LANES( if whole \S+ \S+ else \S+)?\):", "lanes of no rows add 0"),
    (r"measured_on_cpu", r"if (True|whole (>=|!=) 0|whole > -1):", "lanes of no rows add 0"),
    (r"measured_on_cpu", r"(lanes|others)(, (lanes|others))? = ", "they are filled with 0 before a sum"),
    (r"spread", r"range\((1 - 1|0), number", "the first one is given itself"),
    (r".*_on_gpu", r"arrays\[(1|-1)\]", "all arrays have one size and dtype"),
    (
        r"applied_on_cpu|whole|measured_numpy|_applied_numpy",
        r"range\((first|0) - 1, |applied\(-1, ",
        "the chunk before the first is empty, or the last once more",
    ),
    (
        r"chunk_of",
        r"HALVINGS [+-] 1|0 [+-] 1, HALVINGS|\(-1, starts|starts\.size (\+ 1|- 0)",
        "a wider interval, one halving more or less",
    ),
]


def test_every_change_of_a_loop_is_seen_or_proven_equivalent(searches):
    assert tree_survives(parsed("_measured")), "the loops themselves must pass"
    killed, survivors = Counter(), []
    for mutation in searches.sample("mutants of measured loops", list(function_mutations("_measured", FUNCTIONS)), 16):
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
