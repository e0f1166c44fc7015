"""Clipping by three norms, by group, by value and adaptively: held to the formulas of verify, and beside torch.

Clipping in the step, and by the Euclidean norm on every backend: tests/kernels/test_clipping.py.
"""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tinygrad_lr
from tinygrad_lr import nn, optim, tensor
from tinygrad_lr.kernels import _run
from tinygrad_lr.verify.formulas import clipping as formulas

SEEDS = st.integers(0, 2**32 - 1)
DTYPES = st.sampled_from(["float32", "float64"])
NORMS = [1, 2, math.inf]
SHAPES = [(), (3,), (2, 3), (3, 2, 2), (0,), (0, 2), (2, 0)]


def leaves(grads, values=None):
    found = []
    for grad, value in zip(grads, values or grads, strict=True):
        leaf = tensor(value, requires_grad=True)
        leaf.grad = grad
        found.append(leaf)
    return found


def drawn(rng, shapes, dtype, exponent=0):
    return [np.asarray(rng.normal(size=shape) * 2.0**exponent, dtype) for shape in shapes]


def exact(array):
    """The same numbers in fifty digits."""
    return np.vectorize(mpmath.mpf, otypes=[object])(array) if array.size else array.astype(object)


def within(found, expected, summands, dtype):
    """|found - expected| within what roundings allow.

    A norm is a sum of n float64 numbers: n + 2 roundings of 2^-53, and a quotient has two norms and four operations.
    The factor is four units u of the gradients' dtype less, is rounded to it, and the product is rounded: 6 u.
    """
    unit, least = float(np.finfo(dtype).eps) / 2, float(np.finfo(dtype).smallest_subnormal)
    share = (6 * unit + (2 * summands + 12) * 2.0**-53) * (1 + 2.0**-10)
    with mpmath.workdps(50):
        for x, y in zip(found.ravel(), expected.ravel(), strict=True):
            assert abs(mpmath.mpf(float(x)) - y) <= share * abs(y) + least, (x, y)


@given(
    st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3), DTYPES, st.integers(-60, 60), st.floats(0.1, 4), SEEDS
)
@pytest.mark.parametrize("p", NORMS)
def test_norms_are_the_formulas_and_clipping_keeps_to_the_limit(p, shapes, dtype, exponent, share, seed):
    grads = drawn(np.random.default_rng(seed), shapes, dtype, exponent)
    with mpmath.workdps(50):
        norm = formulas.total_norm([exact(g) for g in grads], p)
        assume(norm > 0)
        limit = float(norm) * share
        expected = formulas.by_norm([exact(g) for g in grads], mpmath.mpf(limit), p)
    count = sum(g.size for g in grads)
    assert abs(optim.get_total_norm(grads, p) - norm) <= (count + 3) * 2.0**-53 * norm
    params = leaves(grads)
    found = optim.clip_grad_norm_(params, limit, p)
    assert found == optim.get_total_norm(grads, norm_type=p)
    clipped = [param.grad.copy() for param in params]
    for ours, theirs, before in zip(clipped, expected, grads, strict=True):
        if found > limit:
            within(ours, np.asarray(theirs, object), count, dtype)
        else:
            assert ours.tobytes() == before.tobytes()
    sizes = [abs(Fraction(float(x))) for g in clipped for x in g.ravel()]
    after = {1: sum(sizes), 2: sum(x * x for x in sizes), math.inf: max(sizes)}[p]
    assert after <= (Fraction(limit) ** 2 if p == 2 else Fraction(limit)) or found <= limit
    optim.clip_grad_norm_(params, limit, p)
    assert [param.grad.tobytes() for param in params] == [g.tobytes() for g in clipped]


@given(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3), DTYPES, st.integers(-60, 60), SEEDS)
@pytest.mark.parametrize("p", [0.25, 0.5, 1.5, 3, 40])
def test_norms_of_any_order_are_the_formulas(p, shapes, dtype, exponent, seed):
    """Quotients and powers are rounded, p-fold in a power, and sums; 1/p of that is left, and the root's rounding."""
    grads = drawn(np.random.default_rng(seed), shapes, dtype, exponent)
    with mpmath.workdps(50):
        order = mpmath.mpf(p)
        norm = formulas.total_norm([exact(g) for g in grads], order)
        assume(norm > 0)
        expected = formulas.by_norm([exact(g) for g in grads], norm / 2, order)
    count = sum(g.size for g in grads)
    rounded = (count + 6) / p + 4 + math.log(count + 1) / p  # units of float64
    assert abs(optim.get_total_norm(grads, p) - norm) <= rounded * 2.0**-53 * norm
    params = leaves(grads)
    optim.clip_grad_norm_(params, float(norm) / 2, p)
    for param, theirs in zip(params, expected, strict=True):
        within(param.grad, np.asarray(theirs, object), count + math.ceil(rounded), dtype)


def test_norms_of_any_order_neither_overflow_nor_vanish():
    for p in (0.5, 3, 5000):
        for value in (1e308, 1e-320):
            assert optim.get_total_norm([np.array([value, 0.0])], p) == value
        assert optim.get_total_norm([np.zeros(3), np.zeros(0)], p) == 0.0
    w = leaves([np.ones(9)])
    with pytest.raises(FloatingPointError, match="norm_type=0.001 is beyond float64; take a larger"):
        optim.clip_grad_norm_(w, 1.0, 0.001)
    assert (w[0].grad == 1.0).all()


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(("dtype", "value"), [("float32", 3e38), ("float64", 1.7e308), ("float64", 5e-324)])
def test_sums_neither_overflow_nor_vanish(p, dtype, value):
    (param,) = leaves([np.full(4, value, dtype)])
    limit = 1.0 if value > 1 else 1e-323
    optim.clip_grad_norm_(param, limit, p)
    after = optim.get_total_norm(param.grad, p)
    assert after == pytest.approx(limit, rel=1e-6) if value > 1 else param.grad.any() == (p != 1)


@given(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3), DTYPES, st.floats(0.01, 3), SEEDS)
def test_by_value_is_the_formula_bit_for_bit(shapes, dtype, limit, seed):
    grads = drawn(np.random.default_rng(seed), shapes, dtype)
    params = leaves(grads)
    optim.clip_grad_value_(params, limit)
    bound = np.dtype(dtype).type(limit)
    for param, grad in zip(params, grads, strict=True):
        expected = np.array([formulas.by_value(float(x), float(bound)) for x in grad.ravel()], dtype)
        assert param.grad.tobytes() == expected.reshape(grad.shape).tobytes()


@given(st.sampled_from(SHAPES), DTYPES, st.integers(-30, 30), st.integers(-12, 4), SEEDS)
def test_adaptive_clipping_is_the_formula(shape, dtype, exponent, of_weights, seed):
    rng = np.random.default_rng(seed)
    (grad,), (value,) = drawn(rng, [shape], dtype, exponent), drawn(rng, [shape], dtype, of_weights)
    if value.ndim > 1 and len(value):
        value[0] = 0  # a unit of which eps decides
    (param,) = leaves([grad], [value])
    optim.adaptive_clip_grad_(param, 0.05, 1e-3)
    clipped = param.grad.copy()
    with mpmath.workdps(50):
        expected = formulas.adaptive(exact(value), exact(grad), mpmath.mpf(0.05), mpmath.mpf(1e-3))
        within(clipped, expected, grad.size, dtype)
        for i in range(len(grad)) if grad.ndim > 1 else [...]:
            limit = 0.05 * max(float(formulas.total_norm([exact(value[i])])), 1e-3)
            norm = formulas.total_norm([exact(clipped[i])])
            assert norm <= limit * (1 + 2.0**-40) or dtype == "float64"
    assert (param.data == value).all()
    optim.adaptive_clip_grad_(param, 0.05, 1e-3)
    assert param.grad.tobytes() == clipped.tobytes()


def test_adaptive_clipping_is_by_unit_and_leaves_small_gradients_alone():
    value = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    grad = np.array([[0.03, 0.04], [0.3, 0.4], [0.6, 0.8]])
    (param,) = leaves([grad], [value])
    optim.adaptive_clip_grad_(param)
    assert param.grad[0].tobytes() == grad[0].tobytes()
    np.testing.assert_allclose(param.grad[1:], [[0.003, 0.004], [6e-6, 8e-6]], rtol=1e-14)
    whole = optim.clip_grad_norm_(leaves([grad], [value]), 0.01 * math.sqrt(25.25))  # another rule, which is told apart
    assert whole > 1 and param.grad[0, 0] != 0.03 * 0.01 * math.sqrt(25.25) / whole


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_norms_of_units_neither_overflow_nor_vanish(size):
    (param,) = leaves([np.array([[3.0, 4.0]]) * size], [np.array([[1.0, 0.0]])])
    optim.adaptive_clip_grad_(param, 0.5)
    expected = np.array([[0.3, 0.4]]) if size > 1 else np.array([[3.0, 4.0]]) * size
    np.testing.assert_allclose(param.grad, expected, rtol=1e-14)


def test_rows_of_every_length_are_clipped_block_by_block(monkeypatch):
    rng = np.random.default_rng(0)
    grad, value = rng.normal(size=(7, 5)), rng.normal(size=(7, 5))
    found = []
    for block in (1, 9, 10, 65_536):
        monkeypatch.setattr("tinygrad_lr.optim.clipping.BLOCK", block)
        (param,) = leaves([grad], [value])
        optim.adaptive_clip_grad_(param)
        found.append(param.grad.tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize("p", NORMS)
def test_the_number_of_threads_changes_no_bit(p, monkeypatch):
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 4096)
    rng = np.random.default_rng(3)
    grads, before, found = drawn(rng, [(30_000,), (70, 1000)], "float32"), tinygrad_lr.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            tinygrad_lr.set_num_threads(threads)
            params = leaves(grads)
            norm = optim.clip_grad_norm_(params, 1.0, p)
            optim.adaptive_clip_grad_(params, 1e-9)
            found.append([norm, *(param.grad.tobytes() for param in params)])
    finally:
        tinygrad_lr.set_num_threads(before)
    assert found[0] == found[1] == found[2]


# By group.


def in_groups(**more):
    v, w = leaves([np.array([3.0, 4.0]), np.array([6.0, 8.0])])
    return v, w, optim.SGD([{"params": v}, {"params": [w], **more}], lr=0.1)


def test_groups_have_norms_and_limits_of_their_own():
    v, w, optimizer = in_groups(max_norm=20)
    assert optim.clip_grad_norm_per_group_(optimizer, 1.0) == [5.0, 10.0]
    np.testing.assert_allclose(v.grad, [0.6, 0.8], rtol=1e-14)
    assert w.grad.tolist() == [6.0, 8.0]
    v, w, optimizer = in_groups(max_norm=1.0)
    assert optim.clip_grad_norm_per_group_(optimizer, norm_type="inf") == [4.0, 8.0]
    assert v.grad.tolist() == [3.0, 4.0]
    np.testing.assert_allclose(w.grad, [0.75, 1.0], rtol=1e-14)


def test_a_group_that_cannot_be_clipped_leaves_all_groups_alone():
    v, w, optimizer = in_groups()
    w.grad = [6.0, math.inf]
    with pytest.raises(FloatingPointError, match="element 1 of the gradient of"):
        optim.clip_grad_norm_per_group_(optimizer, 1.0)
    assert v.grad.tolist() == [3.0, 4.0]
    with pytest.raises(ValueError, match="give max_norm, or a group the key 'max_norm'"):
        optim.clip_grad_norm_per_group_(optimizer)


def test_an_infinite_limit_asks_for_the_norm_alone():
    (param,) = leaves([np.array([3.0, 4.0])])
    assert optim.clip_grad_norm_(param, np.float32(math.inf)) == 5.0
    assert optim.clip_grad_norm_(param, math.inf) == 5.0 and param.grad.tolist() == [3.0, 4.0]
    optim.clip_grads_with_norm_(param, math.inf, 5.0)
    assert optim.clip_grad_norm_per_group_(optim.SGD([param]), math.inf) == [5.0]
    assert param.grad.tolist() == [3.0, 4.0]
    for wrong in (-math.inf, math.nan):
        with pytest.raises(ValueError, match="max_norm"):
            optim.clip_grad_norm_(param, wrong)


# Beside torch.


@pytest.mark.parametrize("p", [*NORMS, 0.5, 3])
@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_torch_clips_alike(p, limit):
    """torch adds 1e-6 to the norm and computes in float32: n + 10 roundings of a factor, and the share 1e-6 / norm."""
    torch = pytest.importorskip("torch", reason="torch is not installed here (extra `peers`)")
    utils = torch.nn.utils
    grads = drawn(np.random.default_rng(1), [(4, 3), (5,), ()], "float32")
    count = sum(g.size for g in grads)

    def of_torch():
        params = [torch.nn.Parameter(torch.tensor(g)) for g in grads]
        for param, grad in zip(params, grads, strict=True):
            param.grad = torch.tensor(grad)
        return params

    def compare(ours, theirs):
        norm = optim.get_total_norm(grads, p)
        share = 2 * (count + 10) * 2.0**-24 + 1e-6 / norm
        for one, other in zip(ours, theirs, strict=True):
            assert (np.abs(one.grad - other.grad.numpy()) <= share * np.abs(one.grad)).all()

    ours, theirs = leaves(grads), of_torch()
    norm = optim.clip_grad_norm_(ours, limit, norm_type=p)
    his = utils.clip_grad_norm_(theirs, limit, norm_type=p).item()
    assert abs(norm - his) <= (count + 2) * 2.0**-24 * norm
    compare(ours, theirs)
    ours, theirs = leaves(grads), of_torch()
    total = optim.get_total_norm([w.grad for w in ours], p)
    optim.clip_grads_with_norm_(ours, limit, 2 * total)
    utils.clip_grads_with_norm_(theirs, limit, 2 * utils.get_total_norm([w.grad for w in theirs], p))
    compare(ours, theirs)
    ours, theirs = leaves(grads), of_torch()
    optim.clip_grad_value_(ours, 0.1)
    utils.clip_grad_value_(theirs, 0.1)
    assert all(one.grad.tobytes() == other.grad.numpy().tobytes() for one, other in zip(ours, theirs, strict=True))


# Mistakes.

CALLS = {
    "norm": lambda w: optim.clip_grad_norm_(w, 1.0, 1),
    "largest": lambda w: optim.clip_grad_norm_(w, 1.0, math.inf),
    "another order": lambda w: optim.clip_grad_norm_(w, 1.0, 0.5),
    "total": lambda w: optim.get_total_norm([each.grad for each in w]),
    "value": lambda w: optim.clip_grad_value_(w, 1.0),
    "adaptive": optim.adaptive_clip_grad_,
}


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_finite_is_named_and_changes_nothing(name, wrong):
    params = leaves([np.array([[5.0, 2.0]]), np.array([0.0, wrong])], [np.ones((1, 2)), np.ones(2)])
    with pytest.raises(FloatingPointError, match=r"element 1 of .*, of shape \(2,\), is -?(nan|inf); nothing was"):
        CALLS[name](params)
    assert params[0].grad.tolist() == [[5.0, 2.0]]


def test_a_weight_that_is_not_finite_is_named():
    (param,) = leaves([np.ones(2)], [np.array([1.0, math.nan])])
    with pytest.raises(FloatingPointError, match="element 1 of parameter 0, of shape"):
        optim.adaptive_clip_grad_([param])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda w: optim.clip_grad_norm_(w, 1.0, 0), ValueError, "norm_type must be above 0, or inf, got 0"),
        (lambda w: optim.clip_grad_norm_(w, 1.0, "2"), TypeError, "norm_type"),
        (lambda w: optim.clip_grad_norm_(w, 1.0, error_if_nonfinite=False), ValueError, "error_if_nonfinite"),
        (lambda w: optim.clip_grad_norm_(w, 1.0, foreach=True), ValueError, "foreach"),
        (lambda w: optim.get_total_norm(w.grad, error_if_nonfinite=False), ValueError, "has no norm"),
        (lambda w: optim.get_total_norm([w.grad, None]), TypeError, "got NoneType at place 1; leave out"),
        (lambda w: optim.get_total_norm(np.arange(3)), TypeError, "arrays of floats, got int64"),
        (lambda w: optim.clip_grad_norm_([w, w.grad], 1.0), TypeError, "takes Tensors, got ndarray at place 1"),
        (lambda w: optim.clip_grad_value_(None, 1.0), TypeError, "such as model.parameters.., got NoneType"),
        (lambda w: optim.adaptive_clip_grad_(nn.Linear(2, 1)), TypeError, "such as model.parameters.., got Linear"),
        (lambda w: optim.clip_grads_with_norm_("w", 1.0, 1.0), TypeError, "such as model.parameters.., got str"),
        (lambda w: optim.clip_grad_norm_per_group_([w], 1.0), TypeError, "takes an optimizer, got list"),
        (lambda w: optim.clip_grads_with_norm_(w, 1.0, math.inf), ValueError, "total_norm"),
        (lambda w: optim.clip_grads_with_norm_(w, 0.0, 1.0), ValueError, "max_norm must be above 0"),
        (lambda w: optim.clip_grad_value_(w, 0.0), ValueError, "clip_value must be above 0, got 0.0"),
        (lambda w: optim.clip_grad_value_(w, "1"), TypeError, "clip_value must be a real number"),
        (lambda w: optim.adaptive_clip_grad_(w, -1.0), ValueError, "clip_factor must be above 0"),
        (lambda w: optim.adaptive_clip_grad_(w, eps=0.0), ValueError, "eps must be above 0"),
    ],
)
def test_mistakes_are_named(call, kind, message):
    (param,) = leaves([np.ones(2)])
    with pytest.raises(kind, match=message):
        call(param)
    assert param.grad.tolist() == [1.0, 1.0]


def test_without_gradients_nothing_happens():
    w = tensor([1.0], requires_grad=True)
    assert optim.clip_grad_norm_(w, 1.0, 1) == optim.get_total_norm([]) == 0.0
    optim.clip_grad_value_([w], 1.0)
    optim.adaptive_clip_grad_([w])
    optim.clip_grads_with_norm_([w], 1.0, 5.0)
    assert w.grad is None


def test_the_bound_refuses_a_clipping_of_the_whole_array():
    (param,) = leaves([grad := np.array([[1.0, 0.0], [0.0, 3.0]])], [np.eye(2)])
    optim.clip_grad_norm_(param, 0.05 * math.sqrt(2))
    with mpmath.workdps(50):
        expected = formulas.adaptive(exact(np.eye(2)), exact(grad), mpmath.mpf(0.05), mpmath.mpf(1e-3))
    with pytest.raises(AssertionError):
        within(param.grad, expected, 4, "float64")
