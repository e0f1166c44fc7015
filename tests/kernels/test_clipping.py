"""P26: clipping by the global norm. Norm <= max; identity below, bit for bit; direction kept; idempotent; global over
groups; nothing overflows; what is not finite is an error that changes nothing."""

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from optimizer_cases import having

import tinygrad_lr
from tinygrad_lr import backend, optim, tensor
from tinygrad_lr.kernels import _jit, _run
from tinygrad_lr.kernels.updates import norm
from tinygrad_lr.optim import clip_grad_norm_

SEEDS = st.integers(0, 2**32 - 1)


def drawn(sizes, exponent, dtype, seed):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=n) * 2.0**exponent, dtype) for n in sizes]


def leaves(grads):
    found = []
    for grad in grads:
        leaf = tensor(np.zeros_like(grad), requires_grad=True)
        leaf.grad = grad
        found.append(leaf)
    return found


def exact_square(grads):
    return sum(Fraction(float(x)) ** 2 for grad in grads for x in grad.ravel())


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
    st.sampled_from(["float32", "float64"]),
    st.integers(-140, 120),
    st.integers(-20, 20),
    SEEDS,
)
def test_p26_clipped_norm_direction_and_idempotence(sizes, dtype, exponent, distance, seed):
    grads = drawn(sizes, exponent, dtype, seed)
    square = exact_square(grads)
    assume(square > 0)
    max_norm = math.sqrt(square) * 2.0 ** (distance / 4)
    assume(0 < max_norm < math.inf)
    params = leaves(grads)
    found = clip_grad_norm_(params, max_norm)
    assert abs(Fraction(found) ** 2 - square) <= square * 4 * (sum(sizes) + 4) * Fraction(1, 2**53)
    clipped = [param.grad.copy() for param in params]
    unit = float(np.finfo(dtype).eps) / 2
    if found <= max_norm:
        assert [a.tobytes() for a in clipped] == [b.tobytes() for b in grads]
    else:
        assert exact_square(clipped) <= Fraction(max_norm) ** 2
        factor = max_norm / found
        for before, after in zip(grads, clipped, strict=True):
            least = np.finfo(dtype).smallest_subnormal
            error = np.abs(after.astype(float) - before.astype(float) * factor)
            assert (error <= 7 * unit * np.abs(before.astype(float)) * factor + least).all()
    clip_grad_norm_(params, max_norm)
    assert [param.grad.tobytes() for param in params] == [a.tobytes() for a in clipped]


@pytest.mark.parametrize("value", [1e30, 3e38, 1e-42])
def test_float32_squares_neither_overflow_nor_vanish(value):
    (param,) = leaves([np.full(2, value, np.float32)])
    expected = float(np.float32(value)) * math.sqrt(2)
    assert clip_grad_norm_(param, expected / 2) == pytest.approx(expected, rel=1e-15)
    assert param.grad.tolist() == pytest.approx([float(np.float32(value)) / 2] * 2, rel=1e-3)


@pytest.mark.parametrize("value", [1e308, 1e200, 1e-200, 5e-324])
def test_float64_squares_neither_overflow_nor_vanish(value):
    (param,) = leaves([np.array([value, value])])
    found = clip_grad_norm_(param, 1.0)
    assert found == (math.inf if value == 1e308 and math.sqrt(2) * value == math.inf else math.sqrt(2) * value)
    if value > 1:
        assert param.grad.tolist() == pytest.approx([math.sqrt(0.5)] * 2, rel=1e-14)
    else:
        assert param.grad.tolist() == [value, value]


@pytest.mark.parametrize("size", [1, 511, 512, 4095, 4096, 4097, 20000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_sum_has_the_same_bits_on_every_backend_and_number_of_threads(size, dtype, monkeypatch):
    monkeypatch.setattr(_run, "SMALLEST_CHUNK", 4096)
    (array,) = drawn([size], 3, dtype, size)
    before = tinygrad_lr.get_num_threads()
    sums = np.empty(-(-size // norm.CHUNK))
    norm.chunk_sums_numpy(array, 0.3, sums)
    again = np.empty_like(sums)
    getattr(norm.chunk_sums, "py_func", norm.chunk_sums)(array, np.float64(0.3), again)
    assert again.tobytes() == sums.tobytes()
    try:
        for threads in (1, 2, 3):
            tinygrad_lr.set_num_threads(threads)
            assert _run.sum_of_squares(array, 0.3) == np.cumsum([0.0, *sums])[-1]
    finally:
        tinygrad_lr.set_num_threads(before)


@pytest.mark.skipif(_jit.COMPILER_IS_OFF, reason="Numba's compiler is off: there is one way to sum")
def test_a_sum_that_runs_in_another_order_is_found_out():
    (array,) = drawn([9000], 0, "float64", 1)
    assert any(
        _run.sum_of_squares(a, 1.0) != _run.sum_of_squares(array, 1.0) for a in (array[::-1].copy(), np.sort(array))
    )


def two_groups(grads, name, **settings):
    params = leaves(grads)
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.3}]
    return params, optim.OPTIMIZERS[name](groups, lr=0.1, **settings)


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
@pytest.mark.parametrize("which", ["numba", "numpy"])
@settings(max_examples=5)
@given(seed=SEEDS, maximize=st.booleans())
def test_a_clipped_step_is_clipping_then_a_step(name, which, seed, maximize):
    if which == "numba" and _jit.WITHOUT_NUMBA:
        pytest.skip("Numba is switched off for this process")
    grads = drawn([3, 5, 2], 2, "float32", seed)
    length = math.sqrt(exact_square(grads))
    with backend.using(which):
        for max_norm in (length / 3, length * 3):
            chosen = having(name, maximize=maximize)
            ours, fused = two_groups(grads, name, **chosen)
            theirs, apart = two_groups(grads, name, **chosen)
            for _ in range(2):
                fused.step(max_norm=max_norm)
                clip_grad_norm_(theirs, max_norm)
                apart.step()
            for a, b, grad in zip(ours, theirs, grads, strict=True):
                # the norm is summed over other pieces: its last bit may differ, and the factor's with it
                np.testing.assert_allclose(a.data, b.data, rtol=3e-6, atol=1e-9)
                assert a.grad.tobytes() == grad.tobytes()


def test_clipping_step_and_zero_grad_at_once():
    """The same as one after the other, and a closure's gradients are forgotten too, however the step was reached."""
    grads = drawn([3, 5], 2, "float32", 0)
    (ours, fused), (theirs, apart) = (two_groups(grads, "adam") for _ in range(2))
    fused.step(max_norm=0.5, zero_grad=True)
    apart.step(max_norm=0.5)
    apart.zero_grad()
    for a, b in zip(ours, theirs, strict=True):
        assert a.data.tobytes() == b.data.tobytes() and a.grad is None and b.grad is None
    before = [p.data.copy() for p in ours]
    fused.step(max_norm=0.5, zero_grad=True)  # no gradient, no step
    assert all((p.data == old).all() for p, old in zip(ours, before, strict=True))
    ours[0].grad = np.full(3, math.nan)
    with pytest.raises(FloatingPointError):
        fused.step(max_norm=0.5, zero_grad=True)
    assert np.isnan(ours[0].grad).all()  # to be looked at


def test_filling_gradients_with_zeros_takes_no_memory():
    (param,) = leaves([np.ones(100_000, np.float32)])
    optimizer = optim.SGD([param], lr=0.1)
    optimizer.zero_grad(set_to_none=False)
    param.grad[...] = 1
    tracemalloc.start()
    optimizer.zero_grad(set_to_none=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not param.grad.any() and peak < 10_000


def test_the_norm_is_global_over_groups():
    grads = [np.array([3.0]), np.array([4.0])]
    params, optimizer = two_groups(grads, "sgd")
    optimizer.step(max_norm=1.0)
    assert [float(p.data[0]) for p in params] == pytest.approx([-0.1 * 0.6, -0.3 * 0.8], rel=1e-14)


def test_parameters_without_gradients_are_passed_over():
    params = leaves([np.array([3.0]), np.array([4.0])])
    params[1].grad = None
    assert clip_grad_norm_(params, 1.0) == 3.0 and params[1].grad is None
    params[0].grad = None
    assert clip_grad_norm_(params, 1.0) == 0.0


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_named_and_changes_nothing(wrong):
    grads = [np.array([1.0, 2.0]), np.array([0.0, wrong])]
    params, optimizer = two_groups(grads, "adam")
    before = [p.data.copy() for p in params]
    message = r"element 1 of the gradient of .*, of shape \(2,\), is -?(nan|inf); nothing was changed"
    with pytest.raises(FloatingPointError, match=message):
        clip_grad_norm_(params, 1.0)
    with pytest.raises(FloatingPointError, match=message):
        optimizer.step(max_norm=1.0)
    assert [p.grad.tolist() for p in params][0] == [1.0, 2.0]
    assert all((p.data == old).all() for p, old in zip(params, before, strict=True)) and not optimizer.state


@pytest.mark.parametrize(
    ("max_norm", "kind", "message"),
    [
        (0.0, ValueError, "above 0"),
        (-1.0, ValueError, "above 0"),
        (math.nan, ValueError, "finite"),
        ("1", TypeError, "real number"),
        (True, TypeError, "real number"),
    ],
)
def test_the_limit_is_checked(max_norm, kind, message):
    params, optimizer = two_groups([np.ones(1), np.ones(1)], "sgd")
    for act in (lambda: clip_grad_norm_(params, max_norm), lambda: optimizer.step(max_norm=max_norm)):
        with pytest.raises(kind, match=message):
            act()
