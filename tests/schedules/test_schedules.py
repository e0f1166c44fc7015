"""Every row of SCHEDULES against P35, P37-P39, P42; the algebra (P40, P43); pickling, text, depth, bad input."""

import pickle

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_cases import arguments_of, factors, finite_schedules
from searches import examples

from tinygrad_lr import schedules
from tinygrad_lr.schedules import (
    SCHEDULES,
    constant,
    cosine,
    cosine_restarts,
    linear,
    multi_step,
    piecewise,
    polynomial,
    tanh,
    warmup,
    warmup_stable_decay,
)
from tinygrad_lr.verify.properties import schedules as verify

rows = pytest.mark.parametrize("row", SCHEDULES.values(), ids=SCHEDULES)


@rows
@given(data=st.data())
@settings(max_examples=examples(25, 8))
def test_closed_form_range_ends_continuity(row, data):
    arguments = data.draw(arguments_of(row))
    schedule, spec = row.build(**arguments), verify.spec_of(row, **arguments)
    chosen = verify.steps_of(spec)
    fractions = data.draw(st.lists(st.floats(0, 300), max_size=5))
    verify.check_closed_form(schedule, spec, chosen[:: max(1, len(chosen) // 40)] + fractions)
    verify.check_range_and_ends(schedule, spec)
    if spec.continuous:
        verify.check_continuous(schedule, spec)
    again = row.build(**arguments)
    assert again == schedule and hash(again) == hash(schedule)
    assert eval(repr(schedule), vars(schedules)) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert schedule.describe().startswith(repr(schedule))


@rows
@given(data=st.data())
@settings(max_examples=examples(20, 8))
def test_degenerate_lengths_and_steps(row, data):
    arguments = data.draw(arguments_of(row))
    grows = row.ends(**arguments)[1] == float("inf")
    for name, kind in row.arguments.items():
        if kind in ("steps", "timescale"):
            arguments[name] = data.draw(st.sampled_from([0, 1, 2**62, -1, 2**70, 1.0, None, True, "3"]))
    steps = [0, 1, 2**53 + 1, 2**62, 2**200, 1e300, -1, -0.5, float("nan"), float("inf"), True, "1", None, 1j]
    refuses = (ValueError, TypeError, *((OverflowError,) if grows else ()))
    verify.check_degenerate(lambda: row.build(**arguments), steps, refuses)


def test_a_tangent_near_its_end_has_its_digits():
    """The argument is off by 3 units of rounding of its terms, the exponential by 4 and twice that; the rest by 2."""
    steps = np.arange(900, 1000)
    with mpmath.workdps(50):
        right = [(1 - mpmath.tanh(-6 + mpmath.mpf(9) * int(step) / 1000)) / 2 for step in steps]
    off = [abs(float(found / exact) - 1) for found, exact in zip(tanh(1000)(steps), right, strict=True)]
    assert max(off) <= (2 * 3 * 9 + 4 + 2) * 2.0**-53
    cancelled = (1 - np.tanh(-6 + 9 * steps / 1000)) / 2
    assert max(abs(float(found / exact) - 1) for found, exact in zip(cancelled, right, strict=True)) > 2 * max(off)


@given(st.integers(1, 300), factors)
def test_cosine_sum(total_steps, end):
    verify.check_cosine_sum(cosine(total_steps, end), total_steps, 1.0, end)


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 5))
def test_restarts_fall_on_integer_sums(first, growth, cycles):
    lengths = [first * growth**index for index in range(cycles)]
    schedule = cosine(lengths[0])
    for length in lengths[1:]:
        schedule = schedule.then(cosine(length))
    verify.check_restarts(schedule, lengths)
    verify.check_restarts(cosine(first).repeat(cycles), [first] * cycles)


def test_restart_where_a_floored_logarithm_fails():
    """torch's CosineAnnealingWarmRestarts(T_0=1, T_mult=3) gives 0 at epoch 121."""
    schedule = cosine(1).then(cosine(3)).then(cosine(9)).then(cosine(27)).then(cosine(81)).then(cosine(243))
    assert schedule(121) == 1.0


@given(st.lists(finite_schedules(), min_size=1, max_size=5), st.integers(0, 3))
def test_parts_count_their_own_steps(parts, nesting):
    left = parts[0]
    for part in parts[1:]:
        left = left.then(part)
    right = parts[-1]
    for part in reversed(parts[:-1]):
        right = part.then(right)
    assert left == right and hash(left) == hash(right) and repr(left) == repr(right)
    verify.check_local_time(left, parts)
    assert left.total_steps == sum(part.total_steps for part in parts)
    for _ in range(nesting):
        left = left.repeat(1).shift(0).clip(min=0.0) * 1.0
    verify.check_local_time(left, parts)


@given(finite_schedules(), factors, factors, st.integers(1, 4), st.integers(-40, 40), st.data())
def test_algebra_means_what_it_says(schedule, low, high, times, shift, data):
    total = schedule.total_steps
    step = data.draw(st.one_of(st.integers(0, total + 5), st.floats(0, total + 5)))
    low, high = sorted((low, high))
    assert (schedule * low)(step) == (low * schedule)(step) == schedule(step) * low
    assert (schedule * schedule)(step) == schedule(step) ** 2
    assert schedule.clip(low, high)(step) == min(max(schedule(step), low), high)
    assert schedule.shift(shift)(step) == schedule(max(step - shift, 0))
    for cycle in range(times if isinstance(step, int) and step < total else 0):
        assert schedule.repeat(times)(cycle * total + step) == schedule(step)
    assert schedule.repeat(times)(times * total) == schedule(total)
    built = (schedule.shift(shift).clip(low, high).repeat(times) * low).then(schedule) * (schedule * high)
    assert eval(repr(built), vars(schedules)) == built
    lowest, highest = built.range
    values = built(np.arange(built.total_steps + 3))
    assert (lowest <= values).all() and (values <= highest).all()
    assert [built(int(i)) for i in range(len(values))] == values.tolist()
    holds_from = int(built.describe().split("is reached at step ")[1].split()[0])
    assert (built(np.arange(holds_from, built.total_steps + 3)) == built(holds_from)).all()


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 8))
def test_a_schedule_in_epochs_is_the_same_in_steps(warm, rest, batches):
    for by_epoch, by_step in [
        (warmup(warm).then(cosine(rest)), warmup(warm * batches).then(cosine(rest * batches))),
        (linear(rest, 0.5, 2.0), linear(rest * batches, 0.5, 2.0)),
    ]:
        verify.check_epochs(by_epoch, by_step, batches, warm + rest)


def test_wsd_is_its_three_phases():
    assert warmup_stable_decay(3, 4, 5) == warmup(3).then(constant(1.0, 4)).then(cosine(5))
    assert [phase[:2] for phase in (warmup_stable_decay(3, 4, 5) * 2).phases()] == [(0, 3), (3, 7), (7, 12)]
    assert "phase 2 of 3" in warmup_stable_decay(3, 4, 5).explain(5)
    assert "held" in warmup_stable_decay(3, 4, 5).explain(50)
    texts = [cosine(4).repeat(2).explain(5), cosine(4).repeat(2).explain(9), cosine(4).shift(2).explain(1)]
    assert "cycle 2 of 2" in texts[0] and "past the last" in texts[1] and "waiting" in texts[2]


@given(st.integers(1, 300), st.integers(1, 3000))
def test_warmup_and_inverse_square_root_are_the_transformers_schedule(warm, step):
    paper = min(step**-0.5, step * warm**-1.5) / warm**-0.5
    schedule = warmup(warm).then(schedules.inverse_square_root(warm))
    assert abs(schedule(step) - paper) < 1e-14 and schedule(warm) == 1.0 == schedule.range[1]
    assert "no end" in schedule.describe() and "no value is held for good" in schedule.describe()


def test_input_kinds_and_shapes():
    schedule = warmup(4)
    assert type(schedule(1)) is float and type(schedule(np.int32(1))) is float and type(schedule(1.5)) is float
    for array in (np.arange(6, dtype=np.uint8), np.arange(6.0), np.arange(6, dtype=np.uint64).reshape(2, 3)):
        result = schedule(array)
        assert result.dtype == np.float64 and result.shape == array.shape
    assert schedule(np.array(2)).shape == () and schedule(np.array([], dtype=int)).shape == (0,)
    assert schedule([0, 2]).tolist() == [0.0, 0.5]


def test_huge_integers_choose_the_right_phase():
    edge = 2**53
    schedule = piecewise([edge + 1], [1.0, 0.5])
    assert (schedule(edge), schedule(edge + 1)) == (1.0, 0.5)
    assert constant(1.0, edge + 1).then(constant(0.5))(np.array([edge, edge + 1])).tolist() == [1.0, 0.5]
    assert cosine(10)(np.uint64(2**64 - 1)) == 0.0 and linear(2**62).shift(-(2**62))(2**62) == 0.0


def test_depth_is_no_limit():
    schedule = linear(1)
    for _ in range(1000):
        schedule = (linear(1).then(schedule) * 1.0).clip(max=1.0).repeat(1).shift(0)
    assert schedule(np.arange(1002)).tolist() == [1.0] * 1001 + [0.0]
    assert pickle.loads(pickle.dumps(schedule)) == schedule and hash(schedule) and repr(schedule)
    assert schedule.range == (0.0, 1.0) and schedule.phases() and schedule.explain(2) and schedule.describe()
    chain = linear(1)
    for _ in range(5000):
        chain = chain.then(linear(1))
    assert chain(5000) == 1.0 and chain(5001) == 0.0 and len(chain.phases()) == 5001


def test_immutable():
    schedule = cosine(3)
    for name in ("total_steps", "_arguments", "new"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(schedule, name, 1)
    with pytest.raises(AttributeError):
        del schedule._parts
    assert schedule != "cosine(3)" and schedule != cosine(4) and schedule != linear(3)
    assert len({cosine(3), cosine(3), cosine(3, end=0.0)}) == 1


NAN = float("nan")
BAD = [
    (lambda: warmup(-1), ValueError, "steps must be a whole number of at least 0, got -1"),
    (lambda: warmup(2.0), TypeError, "steps must be a whole number"),
    (lambda: warmup(True), TypeError, "steps must be a whole number"),
    (lambda: warmup("5"), TypeError, "steps must be a whole number"),
    (lambda: warmup(5, start=-0.1), ValueError, "start must be at least 0"),
    (lambda: warmup(5, first_step="one"), ValueError, "'zero', '1/W'"),
    (lambda: warmup(2**63), ValueError, "2\\*\\*62"),
    (lambda: cosine(2**62).then(cosine(2**62)), ValueError, "2\\*\\*62"),
    (lambda: cosine(10, end=NAN), ValueError, "end must be a finite number"),
    (lambda: cosine(10, end="0"), TypeError, "end must be a real number"),
    (lambda: cosine(10, end=10**400), ValueError, "finite"),
    (lambda: polynomial(10, power=0), ValueError, "power must be above 0"),
    (lambda: polynomial(10, power=float("inf")), ValueError, "power must be a finite number"),
    (lambda: schedules.exponential(10, end=0.0), ValueError, "never reaches 0"),
    (lambda: warmup_stable_decay(1, 2, 3, decay="sqrt"), ValueError, "decay must be one of"),
    (lambda: warmup_stable_decay(1, -2, 3), ValueError, "stable_steps"),
    (lambda: warmup_stable_decay(1, 2, 3, decay="exponential"), ValueError, "never reaches 0"),
    (lambda: piecewise([3, 3], [1, 2, 3]), ValueError, "increase strictly"),
    (lambda: piecewise([3], [1]), ValueError, "1 milestones need 2 values"),
    (lambda: piecewise([-1], [1, 2]), ValueError, "milestone"),
    (lambda: piecewise([9], [1, 2], total_steps=5), ValueError, "past total_steps"),
    (lambda: constant().then(cosine(3)), ValueError, "endless"),
    (lambda: constant().repeat(3), ValueError, "endless"),
    (lambda: cosine(3).repeat(0), ValueError, "times must be a whole number of at least 1, got 0"),
    (lambda: cosine(3).shift(0.5), TypeError, "steps must be a whole number"),
    (lambda: cosine(3).clip(), ValueError, "min, max or both"),
    (lambda: cosine(3).clip(1.0, 0.5), ValueError, "min must not be above max"),
    (lambda: cosine(3) * -1, ValueError, "at least 0"),
    (lambda: cosine(3) * "2", TypeError, "real number"),
    (lambda: cosine(3).then(0.5), TypeError, "takes a schedule"),
    (lambda: cosine(3)(-1), ValueError, "at least 0"),
    (lambda: cosine(3)(np.array([1, -1])), ValueError, "at least 0"),
    (lambda: cosine(3)(NAN), ValueError, "finite"),
    (lambda: cosine(3)(np.array([np.inf])), ValueError, "finite"),
    (lambda: cosine(3)(True), TypeError, "a step must be"),
    (lambda: cosine(3)("1"), TypeError, "a step must be"),
    (lambda: cosine(3)(np.array([True])), TypeError, "array of bool"),
    (lambda: cosine(3)(np.array([1 + 1j])), TypeError, "array of complex"),
    (lambda: (constant(1e300) * 1e300)(0), OverflowError, "float64"),
    (lambda: multi_step(np.array(3)), TypeError, "milestones must be a list of numbers, got array"),
    (lambda: warmup(3, first_step=np.array([1, 2])), ValueError, "first_step must be one of 'zero', '1/W'; got array"),
    (lambda: cosine_restarts(3, cycle_decay=1.5), ValueError, "cycle_decay must be at most 1, got 1.5"),
    (lambda: cosine_restarts(3, cycle_mul=1e308), ValueError, r"cycle_mul must be at most 2\*\*62"),
]


@pytest.mark.parametrize("call, error, message", BAD)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
