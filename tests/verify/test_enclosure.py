"""Enclosures are rigorous (they hold the exact value and every rounded one) and tight (near misses fall outside)."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searches import examples

from tinygrad_lr.verify.bounds.enclosure import Enclosure, enclosed
from tinygrad_lr.verify.formulas import FAMILIES, FORMULAS, sqrt
from tinygrad_lr.verify.specification import Specification

DTYPES = [np.float32, np.float64]
u32 = 2.0**-24


def numbers(dtype):
    width = np.finfo(dtype).bits
    ordinary = st.floats(-100, 100, width=width)
    return st.one_of(ordinary, st.floats(width=width, allow_nan=False, allow_infinity=False)).map(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_every_operation_encloses_the_exact_and_the_rounded_result(dtype, data):
    a, b = data.draw(numbers(dtype)), data.draw(numbers(dtype))
    x, y = Enclosure.exact(a, dtype), Enclosure.exact(b, dtype)
    exact = {
        "+": Fraction(float(a)) + Fraction(float(b)),
        "-": Fraction(float(a)) - Fraction(float(b)),
        "*": Fraction(float(a)) * Fraction(float(b)),
    }
    with np.errstate(all="ignore"):
        results = {"+": (a + b, x + y), "-": (a - b, x - y), "*": (a * b, x * y)}
        if b != 0:
            results["/"] = (a / b, x / y)
            exact["/"] = Fraction(float(a)) / Fraction(float(b))
    for symbol, (rounded, enclosure) in results.items():
        assert enclosure.contains(rounded), (symbol, a, b, enclosure)
        low, high = float(enclosure.low), float(enclosure.high)
        assert low == -np.inf or Fraction(low) <= exact[symbol]
        assert high == np.inf or exact[symbol] <= Fraction(high)
    root = Enclosure.exact(abs(a), dtype).sqrt()
    assert root.contains(np.sqrt(abs(a)))
    assert x.maximum(y).contains(max(a, b)) and (-x).contains(-a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_operation_widens_by_one_unit_roundoff_and_no_more(dtype):
    u = float(np.finfo(dtype).eps) / 2
    own = 2.0**-53
    x, y = Enclosure.exact(dtype(1.5), dtype), Enclosure.exact(dtype(1.25), dtype)
    for result in (x + y, x * y, x / y, x.sqrt()):
        width = float((result.high - result.low) / result.middle)
        assert u <= width <= 2.001 * (u + own) + 4 * own
    assert (x + 0.0).low == (x + 0.0).high == 1.5  # exact things stay exact
    assert (x * 0.0).low == (x * 0.0).high == 0.0


def test_a_fused_multiply_add_lies_inside():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 1000)).astype(np.float32)
    enclosure = Enclosure.exact(a, np.float32) * Enclosure.exact(b, np.float32) + Enclosure.exact(c, np.float32)
    fused = (a.astype(float) * b + c).astype(np.float32)
    assert enclosure.contains(fused).all() and enclosure.contains(a * b + c).all()
    assert (fused != a * b + c).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_moving_average_holds_both_ways_to_write_it(dtype, beta):
    """Each of the formulas' ways, on exact arrays and on intervals: products, lerp, and lerp with its signs turned."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=4000).astype(dtype) * dtype(2) ** rng.integers(-4, 5, 4000).astype(dtype) for _ in range(2))
    b, w = dtype(beta), dtype(1 - beta)
    rounded = [b * x + w * y, x + w * (y - x), x - w * (x - y), w * y + b * x]
    context = mpmath.workdps(40)
    for margin in (0.0, 1e-3):
        mean, new = (Enclosure(v - margin, v + margin, dtype) for v in (x, y))
        kept = Enclosure.of_host(beta)
        written = [
            kept * mean + (1 - kept) * new,
            (1 - kept) * new + kept * mean,
            mean + (1 - kept) * (new - mean),
            mean - (1 - kept) * (mean - new),
        ]
        with context:
            exact = [
                mpmath.mpf(beta) * m + (1 - mpmath.mpf(beta)) * g
                for m, g in zip(map(float, x), map(float, y), strict=True)
            ]
        for each in written:
            assert all(each.contains(value).all() for value in rounded)
            assert all(low <= v <= high for low, v, high in zip(each.low, exact, each.high, strict=True))
    assert not written[0].contains(rounded[0] + 4e-3).any()


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.9, 0.9999])
def test_a_moving_average_of_intervals_holds_that_of_each_pair_within(beta):
    rng = np.random.default_rng(1)
    ends = np.sort(rng.normal(size=(2, 2, 20_000)) * 10.0 ** rng.integers(-4, 5, (2, 1, 20_000)), axis=1).astype(
        np.float32
    )
    (x_low, x_high), (y_low, y_high) = ends
    kept = Enclosure.of_host(beta)
    mean, new = Enclosure(x_low, x_high, np.float32), Enclosure(y_low, y_high, np.float32)
    found = kept * mean + (1 - kept) * new
    b, w = np.float32(beta), np.float32(1 - beta)
    for parts in ((0, 0), (1, 1), (0, 1), (1, 0), rng.random((2, 20_000))):
        x = np.clip((x_low + (x_high - x_low) * np.asarray(parts[0])).astype(np.float32), x_low, x_high)
        y = np.clip((y_low + (y_high - y_low) * np.asarray(parts[1])).astype(np.float32), y_low, y_high)
        for value in (b * x + w * y, x + w * (y - x)):
            assert value.dtype == np.float32 and found.contains(value).all()


def test_a_moving_average_is_no_wider_than_its_two_ways():
    """A unit of each product and of the sum, or two of the difference's share and one of the sum; and a unit of 1 - b,
    which is rounded on the host."""
    x, y, u = np.float32(1.0), np.float32(-3.0), u32
    for beta, terms in ((0.875, 0.875 + 2 * 0.125 * 3), (0.25, 3 * 0.75 * 4)):
        kept = Enclosure.of_host(beta)
        found = kept * Enclosure.exact(x, np.float32) + (1 - kept) * Enclosure.exact(y, np.float32)
        width = float(found.high - found.low) / 2
        assert u * terms <= width - u * abs(float(found.middle)) <= 1.0001 * u * terms + 2e-15


def test_a_moving_average_that_starts_at_zero_is_as_narrow_as_its_product():
    kept, zero = Enclosure.of_host(0.9), Enclosure.exact(np.float32(0.0), np.float32)
    for g in (0.0, 1e-44, 1e-3, -3.0):
        new = Enclosure.exact(np.float32(g), np.float32)
        found, product = kept * zero + (1 - kept) * new, (1 - kept) * new
        width = float(found.high - found.low)
        assert width <= 1.001 * float(product.high - product.low) + 3e-45 * (g != 0) and (found.high > 0) == (g > 0)


def test_a_moving_average_of_what_is_not_negative_is_not_negative_however_wide_it_is():
    kept, mean = Enclosure.of_host(0.9), Enclosure(np.array([0.0, 1e-9]), np.array([1e-9, 1e-9]), np.float32)
    found = kept * mean + (1 - kept) * Enclosure(np.zeros(2), np.full(2, 1e30), np.float32)
    assert (found.low >= 0).all() and not found.sqrt().no_claim.any()


def test_a_moving_average_of_what_is_infinite_or_unknown_claims_what_its_own_way_does():
    kept = Enclosure.of_host(0.5)
    infinite, one = Enclosure.exact(np.float32(np.inf), np.float32), Enclosure.exact(np.float32(1.0), np.float32)
    for found in (kept * infinite + (1 - kept) * one, kept * infinite + (1 - kept) * infinite):
        assert found.low >= 3.4e38 and found.high == np.inf  # where it rounds, infinity may be the largest number


def test_no_claim_is_made_where_a_divisor_may_vanish_or_a_root_be_imaginary():
    zero = Enclosure(-1e-30, 1e-30, np.float32)
    assert (1.0 / zero).no_claim and zero.sqrt().no_claim
    assert (1.0 / zero).contains(np.nan)
    assert not Enclosure(0.0, 1.0, np.float32).contains(np.nan)
    infinite = Enclosure.exact(np.float32(3e38), np.float32) * 2.0
    assert infinite.contains(np.inf) and (infinite - infinite).contains(np.nan)


def test_the_ratio_is_zero_in_the_middle_one_at_the_edge_and_infinite_for_a_wrong_exact_value():
    enclosure = Enclosure([0.0, 0.0, 2.0, 0.0], [2.0, 2.0, 2.0, np.inf])
    assert enclosure.ratio([1.0, 2.0, 2.0, 5.0]).tolist() == [0, 1, 0, 0]
    assert enclosure.ratio([4.0, np.nan, 3.0, -1.0]).tolist() == [3, np.inf, np.inf, np.inf]
    assert enclosure.contains([3.0, 1.0, 2.0, np.nan]).tolist() == [False, True, True, False]


def test_misuse_is_refused_by_name():
    with pytest.raises(ValueError, match="to decide on"):
        bool(Enclosure(0.0, 1.0))
    with pytest.raises(ValueError, match="only positive"):
        Enclosure.exact(-0.5) ** 1.5
    with pytest.raises(TypeError, match="expected an array of float32, got float64"):
        enclosed(Specification("sgd", {"lr": 0.1}), np.float32).lift(np.zeros(2))
    assert "float64" in repr(Enclosure.exact(1.0))


ADAM = Specification("adam", {"lr": 1e-3, "eps": 1e-8, "eps_placement": "outside"})


def adam32(theta, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    """The order the kernels use, in float32, every scalar prepared on the host and cast."""
    f = np.float32
    m = f(b1) * m + f(1 - b1) * g
    v = f(b2) * v + f(1 - b2) * (g * g)
    return theta - f(lr) * (m / f(1 - b1**t)) / (np.sqrt(v / f(1 - b2**t)) + f(eps)), m, v


def example(seed=0, size=2000):
    rng = np.random.default_rng(seed)
    g, m = (rng.normal(size=(2, size)) * 10 ** rng.uniform(-4, 4, size=(2, size))).astype(np.float32)
    v = (rng.uniform(size=size) * 10 ** rng.uniform(-6, 6, size=size)).astype(np.float32)
    return np.zeros(size, np.float32), g, m, v


def share_outside(theta, state, computed):
    names = [theta, state["exp_avg"], state["exp_avg_sq"]]
    return max(float((~e.contains(c)).mean()) for e, c in zip(names, computed, strict=True))


def enclosed_adam(theta, g, m, v, t, **changes):
    spec = enclosed(ADAM.having(**changes), np.float32)
    return spec.step(theta, g, {"exp_avg": m, "exp_avg_sq": v}, t)


@pytest.mark.parametrize("t", [1, 2, 7, 1000])
def test_float32_in_the_kernels_order_and_in_equivalent_orders_lies_inside(t):
    f = np.float32
    theta, g, m, v = example()
    theta_, state_ = enclosed_adam(theta, g, m, v, t)
    assert share_outside(theta_, state_, adam32(theta, g, m, v, t)) == 0

    m2 = f(1 - 0.9) * g + m * f(0.9)
    v2 = g * g * f(1 - 0.999) + v * f(0.999)
    step_size = f(1e-3 / (1 - 0.9**t))  # torch's order: the rate corrected on the host
    theta2 = theta - step_size * (m2 / (np.sqrt(v2) / f((1 - 0.999**t) ** 0.5) + f(1e-8)))
    assert share_outside(theta_, state_, (theta2, m2, v2)) == 0

    fused = f(0.9) * m.astype(float) + f(1 - 0.9) * g.astype(float)  # the sum rounded once
    assert state_["exp_avg"].contains(fused.astype(f)).all()


def test_scalars_rounded_wrongly_fall_outside():
    theta, g, m, v = example()
    f = np.float32
    theta_, state_ = enclosed_adam(theta, g, m, v, 3)
    wrong = f(0.999) * v + (f(1) - f(0.999)) * (g * g)  # 1 - beta2 taken after rounding beta2: 1.3e-5 off
    assert (~state_["exp_avg_sq"].contains(wrong)).mean() > 0.2
    correction2 = f(1) - f(0.999) ** f(3)  # beta^t in float32
    new_m, new_v = adam32(theta, g, m, v, 3)[1:]
    wrong_theta = theta - f(1e-3) * (new_m / f(1 - 0.9**3)) / (np.sqrt(new_v / correction2) + f(1e-8))
    assert (~theta_.contains(wrong_theta)).mean() > 0.9


def test_a_misplaced_epsilon_falls_outside_where_it_is_near_the_gradient():
    theta, g, m, v = example()
    g, m, v = np.full_like(g, 1e-3), np.zeros_like(m), np.zeros_like(v)
    theta_, _ = enclosed_adam(theta, g, m, v, 1, eps=1e-3)
    f = np.float32
    hat_m, hat_v = f(1 - 0.9) * g / f(1 - 0.9), f(1 - 0.999) * (g * g) / f(1 - 0.999)
    inside = theta - f(1e-3) * hat_m / np.sqrt(hat_v + f(1e-3))
    hat = theta - f(1e-3) * hat_m / (np.sqrt(hat_v) + f(1e-3 / (1 - 0.999) ** 0.5))
    assert not theta_.contains(inside).any() and not theta_.contains(hat).any()
    twelve = theta_.middle * (1 + 12 * u32)  # a relative error of 12 u is found
    assert not theta_.contains(twelve).any()


NUMBERS = [name for name in FORMULAS if not FAMILIES[name].dimensions]  # rules that a single number can follow
SETTINGS = {
    "sgd": [{"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}, {"lr": 0.1}],
    "adagrad": [{"lr": 0.1, "lr_decay": 0.1}, {"lr": 0.1, "eps_placement": "outside"}],
    "rmsprop": [{"lr": 0.1, "momentum": 0.5, "eps": 1e-3}, {"lr": 0.1, "centered": True, "eps": 1e-3}],
    "adam": [{"lr": 0.1}, {"lr": 0.1, "eps_placement": "hat", "eps": 0.1}, {"lr": 0.1, "amsgrad": True}],
    "adamw": [{"lr": 0.1, "weight_decay": 0.2}],
    "adadelta": [{"lr": 1.0, "weight_decay": 0.1}],
    "adamax": [{"lr": 0.1}, {"lr": 0.1, "eps_placement": "inside", "eps": 0.1}],
    "nadam": [{"lr": 0.1}, {"lr": 0.1, "mu_form": "torch", "momentum_decay": 0.3}, {"lr": 0.1, "mu_form": "constant"}],
    "radam": [{"lr": 0.1}, {"lr": 0.1, "betas": (0.9, 0.95), "eps_placement": "hat"}],
    "adan": [{"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.1, "bias_correction": True, "eps_root": 1e-3}],
    "lion": [{"lr": 0.1, "weight_decay": 0.1}],
    "signsgd": [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}],
    "yogi": [{"lr": 0.1}, {"lr": 0.1, "bias_correction": True}],
    "adabelief": [{"lr": 0.1, "eps_root": 1e-3}],
    "rprop": [{"lr": 0.1}, {"lr": 0.1, "backtracking": False, "step_sizes": (0.05, 0.15)}],
    "lamb": [{"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.1, "weight_decay": 0.1, "decay_placement": "outside"}],
    "lars": [{"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.1, "trust_form": "optax"}],
    "asgd": [{"lr": 0.1, "lambd": 0.1}],
    "adafactor": [{"lr": 0.1}, {"lr": 0.1, "floor_form": "clamped", "epsilons": (1e-7, 1e-3), "weight_decay": 0.1}],
    "sm3": [{"lr": 0.1}, {"lr": 0.1, "eps": 1e-3}],
    "ftrl": [
        {"lr": 0.1, "l2": 0.1, "l2_form": "doubled"},
        {"lr": 0.1, "l1": 0.1, "l2": 0.1, "initial_accumulator_value": 0.1, "sigma_form": "roots"},
    ],
    "novograd": [{"lr": 0.1, "weight_decay": 0.1, "eps_root": 1e-3}],
    "fromage": [{"lr": 0.1}, {"lr": 0.1, "min_norm": 1e-6}],
    "optimistic_gd": [{"lr": 0.1, "alpha": 0.7, "beta": 0.4}],
    "optimistic_adam": [{"lr": 0.1}, {"lr": 0.1, "first_form": "same"}],
    "prodigy": [
        {"lr": 1.0},
        {"lr": 1.0, "bias_correction": True, "weight_decay": 0.1},
        {"lr": 1.0, "eps_distance": "after"},
    ],
    "schedule_free_sgd": [{"lr": 0.1, "weight_decay": 0.1}],
    "schedule_free_adamw": [
        {"lr": 0.1, "weight_decay": 0.1},
        {"lr": 0.1, "correction_form": "moment", "weight_form": "largest"},
    ],
    "ademamix": [{"lr": 0.1, "weight_decay": 0.1}],
    "simplified_ademamix": [{"lr": 0.1, "weight_decay": 0.1, "alpha": 0.5, "eps_root": 1e-3}],
    "adopt": [{"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.1, "betas": (0.5, 0.6), "eps": 0.1}],
    "dog": [{"lr": 1.0}, {"lr": 0.5, "weight_decay": 0.1, "initial_distance": 1e-2}],
    "dowg": [{"lr": 1.0, "weight_decay": 0.1}],
    "madgrad": [{"lr": 0.1, "weight_decay": 0.1}, {"lr": 0.1, "eps_in_rate": True, "eps": 1e-3}],
    "cocob": [{"lr": 1.0}, {"lr": 0.5, "alpha": 10.0, "weight_decay": 0.1}],
}


@pytest.mark.parametrize("name", ["ademamix", "simplified_ademamix"])
def test_a_decay_beside_the_step_may_be_folded_into_the_parameter(name):
    settings = {"lr": 0.1, "weight_decay": 0.2, "alpha": 5.0}
    theta, g = (np.float32(x) for x in np.random.default_rng(0).normal(size=(2, 2000)))
    g[::2] = 0  # the step is small beside the decay
    bounds = enclosed(Specification(name, settings), np.float32)
    held, _ = bounds.step(theta, g, bounds.initial_state(theta), 1)
    still, _ = enclosed(Specification(name, {**settings, "weight_decay": 0.0}), np.float32).step(
        np.zeros_like(theta), g, bounds.initial_state(theta), 1
    )
    moved = np.float32(still.middle)
    for folded in (np.float32(1 - 0.1 * 0.2) * theta + moved, theta - np.float32(0.1 * 0.2) * theta + moved):
        assert held.contains(folded).all()
    assert not held.contains(np.float32(1 - 0.1 * 0.2) * (theta + moved)).all()


def settings_of(name):
    """Those above; of others each dialect with a rate of 0.1 and some decay."""
    decay = {"weight_decay": 0.1} if "weight_decay" in FAMILIES[name].defaults else {}
    dialects = FAMILIES[name].dialects.values()
    return SETTINGS.get(name) or [{**dialect, "lr": 0.1, **decay} for dialect in dialects]


@pytest.mark.sampled(one_in=6)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "changes"), [(n, c) for n in NUMBERS for c in settings_of(n)])
@settings(max_examples=examples(10, 4))
@given(seed=st.integers(0, 1000))
def test_the_formula_in_fifty_digits_and_in_the_dtype_lies_inside_along_a_whole_run(name, changes, dtype, seed):
    rng = np.random.default_rng(seed)
    theta = dtype(rng.choice([0.0, 1.0, 0.01]))
    gradients = [dtype(g) for g in rng.normal(size=5) * 10 ** rng.uniform(-3, 2)]
    spec = Specification(name, changes)
    enclosure, states = enclosed(spec, dtype).free_run(theta, gradients)
    with mpmath.workdps(50):
        precise = Specification(name, {key: to_mpmath(spec[key]) for key in spec.all_names})
        start = mpmath.mpf(float(theta))
        exact, state = start, precise.initial_state(start if spec.family.initial else mpmath.mpf(0))
        for t, g in enumerate(gradients, start=1):
            exact, state = precise.step(exact, mpmath.mpf(float(g)), state, t)
        assert enclosure.contains(float(exact)), (enclosure, exact)
        assert all(states[key].contains(float(value)) for key, value in state.items())
    values = np.array(theta)
    state = spec.initial_state(values if spec.family.initial else values * dtype(0))
    for t, g in enumerate(gradients, start=1):
        values, state = spec.step(values, g, state, t)
    assert values.dtype == dtype and enclosure.contains(values)
    assert not enclosure.no_claim


def to_mpmath(value):
    if isinstance(value, (bool, str)):
        return value
    return tuple(map(mpmath.mpf, value)) if isinstance(value, tuple) else mpmath.mpf(value)


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=st.integers(0, 1000), size=st.integers(1, 40))
def test_sums_and_norms_hold_every_order_and_the_exact_value(dtype, seed, size):
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=size) * 10 ** rng.uniform(-4, 4, size=size)).astype(dtype)
    lifted = Enclosure.exact(values, dtype)
    exact = sum(Fraction(float(value)) for value in values)
    total = lifted.total()
    assert Fraction(float(total.low)) <= exact <= Fraction(float(total.high))
    one_by_one, backwards = dtype(0), dtype(0)
    for a, b in zip(values, values[::-1], strict=True):
        one_by_one, backwards = dtype(one_by_one + a), dtype(backwards + b)
    for found in (one_by_one, backwards, values.sum()):
        assert total.contains(found)
    assert lifted.norm().contains(np.sqrt(np.sum(values * values)))
    with mpmath.workdps(50):
        norm = mpmath.sqrt(sum(mpmath.mpf(float(value)) ** 2 for value in values))
        assert float(lifted.norm().low) <= norm <= float(lifted.norm().high)
    width = float(lifted.norm().high - lifted.norm().low)
    assert width <= (size + 4) * 2 * float(np.finfo(dtype).eps) * float(norm)
    assert not lifted.norm().contains(float(norm) * (1 + (size + 4) * 2 * float(np.finfo(dtype).eps)))


def test_a_sum_that_overflows_is_held_whether_it_is_scaled_or_not():
    huge = np.full(3, 1.2e19, np.float32)
    norm = Enclosure.exact(huge, np.float32).norm()
    with np.errstate(over="ignore"):
        assert norm.contains(np.sqrt(np.sum(huge * huge))) and norm.contains(np.inf) and not norm.contains(1e18)
    assert norm.contains(np.float32(1.2e19 * 3**0.5))
    mixed = Enclosure.exact(np.array([3e38, 3e38, -3e38], np.float32), np.float32).total()
    assert mixed.contains(np.inf) and mixed.contains(3e38) and mixed.contains(-np.inf)


def test_a_sum_of_too_many_numbers_is_refused():
    with pytest.raises(ValueError, match="no useful bound"):
        Enclosure.exact(np.zeros(2**23 + 2, np.float32), np.float32).total()


@given(base=st.floats(1e-3, 1e3), exponent=st.floats(-3, 3))
def test_real_powers_of_the_host_hold_the_exact_one(base, exponent):
    with mpmath.workdps(50):
        exact = mpmath.mpf(base) ** mpmath.mpf(exponent)
        for found in (Enclosure.exact(base).to_the(exponent), Enclosure.exact(exponent).power_of(base)):
            assert float(found.low) <= exact <= float(found.high) and found.contains(base**exponent)
            assert float(found.high - found.low) <= 2.0**-48 * float(exact)
    with pytest.raises(ValueError, match="only positive"):
        Enclosure.exact(0.0).to_the(0.5)


def test_where_rounding_may_decide_a_sign_every_branch_is_held():
    signs = Enclosure([1.0, -2.0, 0.0, -1e-9, 0.0, -1.0, np.nan], [2.0, -1.0, 0.0, 1e-9, 1.0, 0.0, np.nan])
    chosen = Enclosure.by_sign(signs, 10.0, 20.0, 30.0)
    assert chosen.low.tolist()[:6] == [30, 10, 20, 10, 20, 10]
    assert chosen.high.tolist()[:6] == [30, 10, 20, 30, 30, 20]
    assert chosen.no_claim.tolist() == [False] * 6 + [True]
    sizes = abs(Enclosure([-2.0, 1.0, -3.0], [1.0, 2.0, -1.0]))
    assert sizes.low.tolist() == [0, 1, 1] and sizes.high.tolist() == [2, 2, 3]


def test_roots_of_all_number_types():
    assert sqrt(4.0) == 2 and sqrt(np.array([9.0]))[0] == 3 and sqrt(mpmath.mpf(16)) == 4
    assert sqrt(Enclosure.exact(4.0)).contains(2.0)


def test_a_rounded_number_that_is_not_zero_decides_a_switch():
    """A host that computes in float32 has weight_decay = 0.2 rounded, and the formula asks whether it is 0."""
    assert Enclosure.of_host(0.2, np.float32) and not Enclosure.of_host(0.0, np.float32)
    with pytest.raises(ValueError, match="to decide on"):
        bool(Enclosure(-1.0, 1.0))
