"""Every row of the table of ops: P44 to P46 and P49 of the properties, and the table's own promises."""

from __future__ import annotations

import numpy as np
import pytest
from engine_cases import (
    all_cases,
    check_product,
    cotangent,
    differentiable,
    draw,
    for_products,
    forward,
    gamma,
    jacobian,
    product,
    roundings,
    slack,
)
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lr import GradcheckError, Tensor, functional, gradcheck, tensor
from tinygrad_lr.engine.ops import OPS, OUTPUT, Inputs, Op, register, unbroadcast
from tinygrad_lr.engine.tensor import apply

CASES = list(all_cases())
cases = st.sampled_from(CASES)
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(["float32", "float64"])


@pytest.mark.parametrize(("name", "number"), CASES, ids=lambda x: str(x))
def test_p44_every_case_of_every_row(name: str, number: int) -> None:
    op = OPS[name]
    for i in differentiable(op, op.cases[number]):
        for dtype in ("float32", "float64"):
            check_product(op, op.cases[number], i, 7, dtype)


@given(cases, seeds, dtypes)
def test_p44_product_is_the_transposed_jacobian(which: tuple[str, int], seed: int, dtype: str) -> None:
    op = OPS[which[0]]
    case = op.cases[which[1]]
    for i in differentiable(op, case):
        check_product(op, case, i, seed, dtype)


@given(cases, seeds)
def test_p44_by_central_differences_through_the_engine(which: tuple[str, int], seed: int) -> None:
    op = OPS[which[0]]
    case = op.cases[which[1]]
    assert gradcheck(lambda *x: apply(op, x, case.options), *given_to(op, case, seed))


def given_to(op: Op, case: Inputs, seed: int) -> list:
    """Inputs of a case for gradcheck: conditions as Tensors, which it does not check."""
    return [tensor(a) if i < op.conditions else a for i, a in enumerate(draw(op, case, seed))]


@given(cases, seeds)
def test_p45_adjoint_and_linear(which: tuple[str, int], seed: int) -> None:
    """<v, J u> = <J' v, u>, and J'(2 v + w) = 2 J'v + J'w."""
    op = OPS[which[0]]
    case = op.cases[which[1]]
    arrays = draw(op, case, seed)
    shape = forward(op, arrays, case).shape
    v, w = cotangent(shape, seed, "float64"), cotangent(shape, seed + 5, "float64")
    k = gamma(4 * roundings(op, arrays, case), "float64")
    for i in differentiable(op, case):
        array = arrays[i]
        u = cotangent(array.shape, seed + 9, "float64")
        jac = jacobian(op, i, arrays, case)
        back = unbroadcast(product(op, i, v, arrays, case), array)
        magnitude = float(np.sum(slack(op, i, v, arrays, case, jac) * np.abs(u)))
        reference = 0 if op.analytic else 2.0**-36 * (1 + np.sum(np.abs(u)) * np.sum(np.abs(v)))
        assert abs(v.reshape(-1) @ jac @ u.reshape(-1) - np.sum(back * u)) <= 4 * k * magnitude + reference
        both = unbroadcast(product(op, i, 2 * v + w, arrays, case), array)
        apart = 2 * back + unbroadcast(product(op, i, w, arrays, case), array)
        m = 2 * slack(op, i, v, arrays, case, jac) + slack(op, i, w, arrays, case, jac)
        assert (np.abs(both - apart) <= 4 * k * m + (0 if op.analytic else 2.0**-48 * (1 + np.sum(np.abs(v))))).all()


@given(cases, seeds, dtypes)
def test_p46_gradients_have_the_shape_and_dtype_of_their_input(which: tuple[str, int], seed: int, dtype: str) -> None:
    op = OPS[which[0]]
    case = op.cases[which[1]]
    inputs = [tensor(a, requires_grad=i >= op.conditions) for i, a in enumerate(draw(op, case, seed, dtype))]
    out = apply(op, inputs, case.options)
    assert type(out.data) is np.ndarray
    assert out.dtype == (case.options[0] if op.name == "cast" else dtype)
    out.backward(np.ones(out.shape))
    for x in inputs[op.conditions :]:
        assert type(x.grad) is np.ndarray and x.grad.shape == x.shape and x.grad.dtype == x.dtype


@given(st.sampled_from([n for n, op in OPS.items() if len(op.vjps) == 2 and op.rules]), seeds)
def test_p46_mixed_dtypes_promote_as_numpy_and_come_back(name: str, seed: int) -> None:
    op = OPS[name]
    a, b = draw(op, op.cases[4], seed)
    x, y = tensor(a.astype(np.float32), requires_grad=True), tensor(b, requires_grad=True)
    out = apply(op, (x, y))
    assert out.dtype == np.float64
    out.sum().backward()
    assert x.grad.dtype == np.float32 and y.grad.dtype == np.float64


@given(st.sampled_from([n for n, op in OPS.items() if len(op.vjps) == 2 and op.rules]), seeds)
def test_p46_broadcasting_is_undone_by_a_sum(name: str, seed: int) -> None:
    """The gradient of a repeated input is the sum of the gradients of its repetitions."""
    op = OPS[name]
    a, b = draw(op, op.cases[4], seed)
    repeated = tensor(np.broadcast_to(b, a.shape), requires_grad=True)
    row = tensor(b, requires_grad=True)
    g = cotangent(a.shape, seed, "float64")
    apply(op, (tensor(a), row)).backward(g)
    apply(op, (tensor(a), repeated)).backward(g)
    m = np.abs(repeated.grad).sum(axis=0)
    assert (np.abs(row.grad - repeated.grad.sum(axis=0)) <= gamma(4, "float64") * m).all()


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.kinks])
def test_p49_declared_values_at_kinks(name: str) -> None:
    op = OPS[name]
    for kink in op.kinks:
        for dtype in ("float32", "float64"):
            inputs = [
                tensor(np.asarray(a, dtype), requires_grad=declared is not None)
                for a, declared in zip(kink.inputs, kink.gradients, strict=True)
            ]
            apply(op, inputs, kink.options).sum().backward()
            for x, declared in zip(inputs, kink.gradients, strict=True):
                if declared is not None:
                    np.testing.assert_array_equal(x.grad, np.asarray(declared, dtype))


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=6), st.lists(st.integers(-2, 2), min_size=1, max_size=6))
def test_p49_a_tie_shares_one_gradient(left: list[int], right: list[int]) -> None:
    n = min(len(left), len(right))
    a, b = (tensor([float(v) for v in values[:n]], requires_grad=True) for values in (left, right))
    a.maximum(b).sum().backward()
    np.testing.assert_array_equal(a.grad + b.grad, np.ones(n))
    np.testing.assert_array_equal(a.grad[a.data == b.data], 0.5)


@pytest.mark.parametrize("name", OPS)
def test_what_a_row_says_it_reads_is_all_it_reads(name: str) -> None:
    """Spoiling every array that `reads` does not name leaves the product as it is."""
    op = OPS[name]
    for case in op.cases:
        arrays = draw(op, case, 3)
        g = cotangent(forward(op, arrays, case).shape, 3, "float64")
        for i in differentiable(op, case):
            expected = product(op, i, g, arrays, case)
            spoilt = [
                a if j in op.reads[i] else ~a if a.dtype.kind in "bi" else np.full_like(a, np.nan)
                for j, a in enumerate(arrays)
            ]
            out = for_products(op, i, arrays, case)
            found = op.vjps[i](g, out, *spoilt, *case.options)
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", OPS)
def test_products_write_to_nothing(name: str) -> None:
    op = OPS[name]
    for case in op.cases:
        arrays = draw(op, case, 3)
        out = forward(op, arrays, case)
        g = cotangent(out.shape, 3, "float64")
        for array in (*arrays, g):
            array.flags.writeable = False
        for i in differentiable(op, case):
            out = for_products(op, i, arrays, case)
            if out is not None:
                out.flags.writeable = False
            op.vjps[i](g, out, *arrays, *case.options)


@pytest.mark.parametrize("name", OPS)
def test_float32_is_computed_as_float32_rounds_float64(name: str) -> None:
    """The forward in float32 against the forward in float64 of the same inputs."""
    op = OPS[name]
    for case in op.cases:
        arrays = draw(op, case, 11, "float32")
        exact = forward(op, [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays], case)
        found = forward(op, arrays, case)
        if op.name != "cast":
            assert found.dtype == np.float32
        # |out| for elementwise rows; sums and products of at most 24 terms of magnitude at most 4 (8 for squares, 16)
        m = np.maximum(np.abs(exact), 0 if not any(a.size > 1 for a in arrays) else 16.0 * max(a.size for a in arrays))
        assert (np.abs(found - exact) <= gamma(roundings(op, arrays, case), "float32") * m).all()


# --- the checkers must fail -------------------------------------------------------------------------------------------


def wrong_row(name: str, **changes) -> Op:
    """A copy of a row with something wrong in it."""
    row = OPS[name]
    fields = {
        "forward": row.forward,
        "vjps": row.vjps,
        "reads": row.reads,
        "cases": row.cases,
        "domain": row.domain,
        "analytic": row.analytic,
        "distance": row.distance,
        "keeps": row.keeps,
    }
    return Op(f"wrong {name}", **{**fields, **changes})


MUTANTS = {
    "37 broadcast gradient twice": wrong_row("add", vjps=(lambda g, o, a, b: g, lambda g, o, a, b: 2 * g)),
    "37 sum over one axis of a tuple only": wrong_row(
        "sum", vjps=(lambda g, o, a, axis, keepdims: np.ones(a.shape) * np.sum(g) / max(g.size, 1),)
    ),
    "38 x**2 with a logarithm": wrong_row(
        "pow", vjps=(lambda g, o, a, b: g * o * np.log(a), OPS["pow"].vjps[1]), reads=((0, 1, OUTPUT), (0, 1, OUTPUT))
    ),
    "39 maximum drops a gradient": wrong_row("maximum", vjps=(lambda g, o, a, b: 0 * g * a, OPS["maximum"].vjps[1])),
    "sign of sub": wrong_row("sub", vjps=(lambda g, o, a, b: g, lambda g, o, a, b: g)),
    "mean without its count": wrong_row("mean", vjps=OPS["sum"].vjps),
    "index takes the last of repeated elements": wrong_row(
        "index", vjps=(lambda g, o, a, where: _last_of_repeated(g, a, where),)
    ),
    "mse_loss without its 2": wrong_row(
        "mse_loss", vjps=tuple((lambda g, o, p, t, r, f=f: f(g, o, p, t, r) / 2) for f in OPS["mse_loss"].vjps)
    ),
    "linear forgets the batch": wrong_row(
        "linear",
        vjps=(*OPS["linear"].vjps[:2], lambda g, o, x, w, b=None: g.reshape(-1, *b.shape)[:1] if g.size else g),
    ),
    "a small constant": wrong_row("exp", vjps=(lambda g, o, a: g * o * (1 + 1e-9),)),
}


def _last_of_repeated(g, a, where):
    gradient = np.zeros(a.shape)
    gradient[where] = g
    return gradient


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_row_is_caught_by_the_table_test(name: str) -> None:
    op = MUTANTS[name]
    with pytest.raises(AssertionError):
        for case in op.cases:
            for i in differentiable(op, case):
                check_product(op, case, i, 7, "float64")


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_row_is_named_by_gradcheck(name: str) -> None:
    op = MUTANTS[name]
    with pytest.raises(GradcheckError, match=rf"op '{op.name}', input \d of shape .* backward gives .*central"):
        for case in op.cases:
            gradcheck(lambda *x, case=case: (apply(op, x, case.options) * 1.5).tanh(), *draw(op, case, 7))


def test_38_every_tie_gets_one_is_caught() -> None:
    op = wrong_row("maximum", vjps=(lambda g, o, a, b: g * (a >= b), lambda g, o, a, b: g * (b >= a)))
    a, b = tensor([1.0], requires_grad=True), tensor([1.0], requires_grad=True)
    apply(op, (a, b)).sum().backward()
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(a.grad + b.grad, [1.0])


def test_a_row_that_reads_more_than_it_says_is_caught() -> None:
    op = wrong_row("mul", reads=((), ()))
    arrays = [np.ones(3), np.ones(3)]
    spoilt = [np.full(3, np.nan)] * 2
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(op.vjps[0](np.ones(3), None, *spoilt), op.vjps[0](np.ones(3), None, *arrays))


def test_a_name_stands_once_in_the_table() -> None:
    with pytest.raises(ValueError, match="'add' is in the table already"):
        register(OPS["add"])


def test_registering_a_row_makes_it_usable() -> None:
    row = register(Op("cube for a test", lambda a: a * a * a, (lambda g, o, a: g * 3 * a * a,), ((0,),), ()))
    try:
        assert gradcheck(lambda x: apply(row, (x,)), [1.0, -2.0])
    finally:
        del OPS[row.name]


def test_sigmoid_and_tanh_do_not_overflow() -> None:
    x = Tensor([-1e4, -90.0, 0.0, 90.0, 1e4], requires_grad=True)
    y = x.sigmoid()
    np.testing.assert_allclose(y.data, [0.0, np.exp(-90.0), 0.5, 1.0, 1.0], rtol=1e-6)
    y.sum().backward()
    assert np.isfinite(x.grad).all() and x.grad[2] == 0.25


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow) encountered:RuntimeWarning")
@pytest.mark.parametrize(
    ("formula", "at", "expected"),
    [
        (lambda x: x.relu().sqrt(), [-1.0, 0.0, 4.0], [0.0, 0.0, 0.25]),
        (lambda x: x.relu().log(), [-1.0, 4.0], [0.0, 0.25]),
        (lambda x: 1 / x.relu(), [-1.0, 2.0], [0.0, -0.25]),
        (lambda x: x.relu() ** 0.5, [-1.0, 4.0], [0.0, 0.25]),
        (lambda x: functional.maximum(x, 0.0).sqrt(), [-1.0, 4.0], [0.0, 0.25]),
        (lambda x: functional.maximum(0.0, x).log(), [-1.0, 4.0], [0.0, 0.25]),
        (lambda x: x.abs().sqrt(), [0.0, -4.0], [0.0, -0.25]),
        (lambda x: (x ** Tensor([0.0, 2.0]) - 1).sqrt(), [3.0, 2.0], [0.0, 2 / 3**0.5]),
        (lambda x: (Tensor([0.0, 1.0]) ** x).sqrt(), [2.0, 2.0], [0.0, 0.0]),
    ],
)
def test_where_a_gradient_is_0_an_infinite_one_does_not_make_it_nan(formula, at, expected) -> None:
    x = Tensor(at, requires_grad=True)
    formula(x).sum().backward()
    np.testing.assert_allclose(x.grad, expected, rtol=1e-6)
    assert x.grad.dtype == np.float32


SPECIAL = np.array([0, -0.0, 1, -1, 2, -3, 1e30, -1e30, 1e-40, -1e-40, np.inf, -np.inf, np.nan], np.float32)


@pytest.mark.filterwarnings("ignore:.* encountered in .*:RuntimeWarning")
@pytest.mark.parametrize("name", ["relu", "maximum", "pow"])
def test_gradients_of_special_values_are_those_of_torch(name) -> None:
    """Zeros, subnormals, infinities and NaN, as inputs and as the gradient that comes in."""
    torch = pytest.importorskip("torch")
    count = 2 if name == "relu" else 3
    *inputs, g = (each.ravel().copy() for each in np.meshgrid(*[SPECIAL] * count))
    ours = [Tensor(each, requires_grad=True) for each in inputs]
    theirs = [torch.tensor(each, requires_grad=True) for each in inputs]
    apply(OPS[name], tuple(ours)).backward(g)
    getattr(torch, name)(*theirs).backward(torch.tensor(g))
    declared = (inputs[0] == 0) & (inputs[1] >= 0) if name == "pow" else np.zeros(g.shape, bool)  # torch: g * 0
    for i, (mine, his) in enumerate(zip(ours, theirs, strict=True)):
        where = ~declared if i else slice(None)
        np.testing.assert_allclose(mine.grad[where], his.grad.numpy()[where], rtol=1e-5, err_msg=f"input {i}")
    assert not ours[-1].grad[declared].any()


def test_nan_goes_through_relu() -> None:
    x = Tensor([np.nan, 1.0, -1.0], requires_grad=True)
    x.relu().backward(np.array([1.0, np.nan, np.nan], np.float32))
    np.testing.assert_array_equal(x.grad, [1.0, np.nan, 0.0])
