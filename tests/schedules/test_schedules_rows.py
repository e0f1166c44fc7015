"""Schedules that libraries have, beyond what the table's tests look at: ends, restarts, options, functions."""

import inspect
import pickle
from fractions import Fraction

import numpy as np
import pytest

from tinygrad_lr import schedules, verify
from tinygrad_lr.schedules import (
    SCHEDULES,
    constant,
    cosine,
    cosine_hard_restarts,
    cosine_restarts,
    cyclic,
    exponential_decay,
    from_function,
    linear,
    multi_step,
    noam,
    one_cycle,
    power,
    step,
    trapezoid,
    warmup,
    warmup_stable_decay,
)
from tinygrad_lr.verify.formulas.schedules import REFERENCES

OPTIONS = [
    (name, label)
    for name, row in SCHEDULES.items()
    for label, options in (REFERENCES[name].variants or {}).items()
    if options.keys() <= inspect.signature(row.build).parameters.keys()
]


@pytest.mark.parametrize(("name", "label"), OPTIONS)
def test_an_option_that_a_constructor_has_is_that_of_the_reference(name, label):
    options = REFERENCES[name].variants[label]
    arguments = {**REFERENCES[name].example, **options}
    report = verify.check_schedule(SCHEDULES[name].build(**arguments), name, **arguments)
    assert report.ok, str(report)
    without = SCHEDULES[name].build(**REFERENCES[name].example)
    assert not verify.check_schedule(without, name, **arguments).ok


def test_options_are_looked_at():
    assert {name for name, _ in OPTIONS} == {
        "exponential_decay", "inverse_time_decay", "one_cycle", "cosine_restarts",
    }  # fmt: skip


def test_every_reference_has_a_row_that_the_program_runs():
    assert set(REFERENCES) == set(SCHEDULES)


@pytest.mark.parametrize(("first", "multiple"), [(1, 3), (10, 2), (7, 1), (1, 10), (3, 2.5), (4, 1.5), (5, 1.1)])
def test_restarts_are_exact_sums(first, multiple):
    schedule = cosine_restarts(first, multiple)
    start, length = Fraction(0), Fraction(first)
    for _ in range(60):
        begins = -(-start // 1)
        if begins > 2**53 or length > 2**60:
            break
        assert schedule(begins) == pytest.approx(1.0, abs=2 / float(length) ** 2 * 5)
        if start.denominator == 1:
            assert schedule(begins) == 1.0
        if begins > 1 and length > 1:
            assert schedule(begins - 1) < schedule(begins)
        start, length = start + length, length * Fraction(multiple)
    assert cosine_restarts(1, 3)(121) == 1.0  # torch gives 0: it rounds a logarithm


def test_restarts_that_end():
    three = cosine_restarts(4, 2, end=0.1, cycle_decay=0.5, num_cycles=3)
    assert three.total_steps == 28 and three(28) == three(10**9) == 0.1
    assert [three(at) for at in (0, 4, 12)] == [1.0, 0.1 + 0.9 * 0.5, 0.1 + 0.9 * 0.25]
    assert three.then(constant(0.5))(28) == 0.5
    same = cosine(4).then(cosine(8)).then(cosine(16))
    assert (cosine_restarts(4, 2, num_cycles=3)(np.arange(40)) == same(np.arange(40))).all()
    assert (cosine_restarts(5, num_cycles=4)(np.arange(40)) == cosine(5).repeat(4)(np.arange(40))).all()
    assert cosine_restarts(3, 1.5, num_cycles=2).total_steps == 8  # 3 + 4.5 steps
    with pytest.raises(ValueError, match=r"2\*\*62"):
        cosine_restarts(10, 2, num_cycles=100)
    with pytest.raises(ValueError, match="so near to 1 that there are more than 100,000 cycles"):
        cosine_restarts(1, 1 + 1e-9)


def test_hard_restarts_of_very_many_steps_are_counted_exactly():
    total, cycles = 2**61, 2**10
    schedule = cosine_hard_restarts(total, cycles)
    assert [schedule(total // cycles * n) for n in (0, 1, 7, cycles - 1)] == [1.0] * 4
    assert schedule(total // cycles - 1) < 1e-30 and schedule(total) == 0.0


@pytest.mark.sampled(one_in=6, each=("anneal", "three_phase", "total"))
@pytest.mark.parametrize("anneal", ["cosine", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("total", [1, 2, 3, 4, 10, 11, 100])
@pytest.mark.parametrize("peak_at", [0.0, 0.1, 0.3, 0.5, 0.75, 1.0])
def test_one_cycle_has_no_step_too_many_and_no_rate_below_its_end(anneal, three_phase, total, peak_at):
    schedule = one_cycle(total, peak_at, anneal=anneal, three_phase=three_phase)
    values = schedule(np.arange(total + 5))
    end = 1 / 25.0 / 1e4
    before = [peak_at * total - 1, 2 * peak_at * total - 2][: 1 + three_phase]
    assert (values[total - 1 :] == end).all() == (max(before) < total - 1)  # phases that are too long are cut
    assert (values[total - 1 :] == values[total - 1]).all() and (values >= end).all() and (values <= 1).all()
    arguments = {"total_steps": total, "peak_at": peak_at, "anneal": anneal, "three_phase": three_phase}
    assert verify.check_schedule(schedule, "one_cycle", **arguments)["P35"].outcome == "passed"


def test_a_rate_that_grows_says_where_it_ends():
    growing = exponential_decay(2.0)
    assert growing(10) == 1024.0 and growing.range == (1.0, np.inf)
    for schedule in (growing, step(1, gamma=2.0), multi_step([1] * 2000, gamma=2.0)):
        with pytest.raises(OverflowError, match="use smaller factors"):
            schedule(5000)
    assert (growing * 0.0).range == (0.0, 0.0) == (growing * constant(0.0)).range
    assert growing.clip(max=8.0)(3) == 8.0 and exponential_decay(2.0, total_steps=3)(10**6) == 8.0


def test_what_is_one_thing_under_two_names():
    steps = np.arange(200)
    assert (trapezoid(20, 30, 40)(steps) == warmup_stable_decay(20, 30, 40, "linear")(steps)).all()
    shape = warmup(10, first_step="1/W").then(schedules.inverse_square_root(10).shift(-1))
    assert np.allclose(noam(10, 64)(steps) * (64 * 10) ** 0.5, shape(steps), rtol=1e-14)
    assert (multi_step([3, 3, 9], 0.5)(steps) == schedules.piecewise([3, 9], [1.0, 0.25, 0.125])(steps)).all()
    paper = (warmup(10) * power(50, total_steps=150)).then(linear(40) * power(50)(150))
    assert paper(150) == power(50)(150) and paper(190) == 0.0 and paper(100) == power(50)(100)


def test_the_stable_phase_is_resumed_with_a_decay_where_one_wishes():
    """What WSD is for: the run so far has the rates of every run with another plateau."""
    long, short = warmup_stable_decay(10, 1000, 50), warmup_stable_decay(10, 200, 50)
    assert (long(np.arange(210)) == short(np.arange(210))).all()
    assert short(210) == 1.0 and short(211) < 1.0 and short(260) == 0.0


def halving(step):
    return 0.5**step


def test_a_function_is_a_schedule():
    asked = []

    def one(step):
        asked.append(step)
        return 1 / (1 + step)

    schedule = from_function(one, total_steps=4)
    assert schedule(np.arange(6)).tolist() == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 5]
    assert schedule(2.0) == 1 / 3 and schedule(0.5) == 1 / 1.5
    assert {type(step) for step in asked} == {int, float} and asked[6] == 2 and type(asked[6]) is int
    joined = warmup(2).then(from_function(halving)) * 2
    assert [joined(at) for at in range(5)] == [0.0, 1.0, 2.0, 1.0, 0.5]
    assert (
        "from_function(halving)" in repr(joined)
        and eval(repr(joined), {**vars(schedules), "halving": halving}) == joined
    )
    assert pickle.loads(pickle.dumps(joined)) == joined and hash(joined) == hash(
        warmup(2).then(from_function(halving)) * 2
    )
    assert verify.check_schedule(from_function(halving), "step", gamma=0.5, step_size=1).ok
    assert from_function(halving).describe() and schedule.explain(2)
    with pytest.raises(ValueError, match="the factor that .*lambda.* gives for step 3 must be at least 0"):
        from_function(lambda step: 2 - step)(3)
    with pytest.raises(TypeError, match="gives for step 0 must be a real number"):
        from_function(lambda step: None)(0)
    with pytest.raises(TypeError, match="takes a function of one step, got 0.5"):
        from_function(0.5)
    with pytest.raises(TypeError, match="a schedule needs no from_function"):
        from_function(cosine(3))


def test_arguments_that_do_not_go_together():
    with pytest.raises(ValueError, match="gamma belongs to mode='exp_range'"):
        cyclic(0.1, 2, 2, gamma=0.9)
    with pytest.raises(ValueError, match="mode must be one of 'triangular', 'triangular2', 'exp_range'"):
        cyclic(0.1, 2, 2, mode="sawtooth")
    with pytest.raises(ValueError, match="milestones must be in ascending order"):
        multi_step([3, 2])
    with pytest.raises(ValueError, match="the last milestone, 9, lies past total_steps=5"):
        multi_step([9], total_steps=5)
    with pytest.raises(ValueError, match=r"the cycle up \+ down"):
        cyclic(0.1, 2**62, 2**62)


def test_a_factor_of_zero_ends_a_schedule_of_powers():
    """torch takes gamma=0, and both its forms agree there; optax and keras take a decay rate of 0."""
    steps = np.arange(6)
    assert step(2, gamma=0)(steps).tolist() == [1, 1, 0, 0, 0, 0]
    assert step(2, gamma=-0.0)(3).hex() == "0x0.0p+0"
    assert multi_step([2, 2, 4], gamma=0.0)(steps).tolist() == [1, 1, 0, 0, 0, 0]
    assert multi_step([0], gamma=0)(steps).tolist() == [0] * 6
    assert exponential_decay(0)(steps).tolist() == [1, 0, 0, 0, 0, 0]
    assert exponential_decay(0.0, decay_steps=3)(np.array([0, 0.5, 1])).tolist() == [1, 0, 0]
    assert exponential_decay(0.0, decay_steps=3, staircase=True)(steps).tolist() == [1, 1, 1, 0, 0, 0]
    assert cyclic(0.5, 2, 2, "exp_range", gamma=0)(steps).tolist() == [0.5] * 6
    assert step(2, gamma=0).total_steps is None and step(2, gamma=0).range == (0.0, 1.0)
    for build in (lambda: step(2, gamma=-0.5), lambda: multi_step([1], -1.0), lambda: exponential_decay(-0.1)):
        with pytest.raises(ValueError, match="must be at least 0"):
            build()


def test_phases_of_one_cycle_that_are_longer_than_the_run_are_cut_as_torchs():
    rising = one_cycle(11, peak_at=1.0, div_factor=5, anneal="linear")
    assert rising(np.array([0, 5, 10, 99])).tolist() == [0.2, 0.6, 1.0, 1.0]
    cut = one_cycle(10, peak_at=0.7, div_factor=4, anneal="linear", three_phase=True)  # up to 6, down to 12
    assert cut(np.array([0, 6, 9, 10, 99])).tolist() == [0.25, 1.0, 0.625, 0.625, 0.625]
    for peak_at, three_phase in ((1.0, False), (1.0, True), (0.7, True), (0.55, True)):
        for anneal in ("cosine", "linear"):
            for total in (1, 2, 10, 11):
                given = {"total_steps": total, "peak_at": peak_at, "div_factor": 4.0, "final_div_factor": 50.0}
                given |= {"three_phase": three_phase, "anneal": anneal}
                report = verify.check_schedule(one_cycle(**given), "one_cycle", **given)
                assert report.ok, str(report)
