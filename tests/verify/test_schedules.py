"""check_schedule: ours, plain functions, tables, float32; wrong ones are found; wrong arguments are named."""

import dataclasses
import math

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.schedules import cosine, polynomial, warmup
from tinygrad_lr.verify import adapters
from tinygrad_lr.verify.adapters.keras import keras_library
from tinygrad_lr.verify.formulas.schedules import REFERENCES

T = 10
TABLE = [0.5 * (1 + math.cos(math.pi * t / T)) for t in range(T)] + [0.0]


def whole_steps_only(step):
    if not isinstance(step, int):
        raise TypeError("a step is an int")
    return TABLE[min(step, T)]


def test_rows_and_plain_functions():
    assert verify.check_schedule(cosine(100), "cosine", total_steps=100).ok
    assert verify.check_schedule(polynomial(50, power=2.0), "polynomial", total_steps=50, power=2.0).ok
    assert verify.check_schedule(lambda step: 0.1 / (1 + step), total_steps=20).ok


@pytest.mark.parametrize(
    "schedule",
    [
        whole_steps_only,
        lambda step: TABLE[min(step, T)],
        lambda step: TABLE[min(int(step), T)],
        lambda step: np.array(TABLE)[min(step, T)],
    ],
)
def test_whole_steps_are_what_is_promised(schedule):
    report = verify.check_schedule(schedule, "cosine", total_steps=T, end=0.0)
    assert report.ok, str(report)
    assert report["P35"].reason == "not examined: array calls" and report["P39"].outcome == "passed"
    assert report["P38"].reason == "it is read at whole steps alone, and P35 looks at those"


def test_a_wrong_table_is_found():
    wrong = [value * (1 + 1e-9) for value in TABLE]
    report = verify.check_schedule(lambda step: wrong[min(step, T)], "cosine", total_steps=T, end=0.0)
    assert {each.property_id for each in report.failures} == {"P35", "P37", "P39"}


def in_float32(step, total=T):
    step = np.float32(min(step, total))
    half = np.float32(0.5) * (1 + np.cos(np.float32(math.pi) * step / np.float32(total)))
    return np.float32(0.1) + np.float32(0.9) * half


def test_float32_is_held_to_the_roundings_of_float32():
    report = verify.check_schedule(in_float32, "cosine", total_steps=T, end=0.1)
    assert report.ok and report["P38"].outcome == "passed", str(report)
    report = verify.check_schedule(
        lambda step: in_float32(step) * np.float32(1 + 3e-6), "cosine", total_steps=T, end=0.1
    )
    assert {each.property_id for each in report.failures} == {"P35", "P37"}, str(report)
    total = 30_000  # where float32 holds the end value already at T - 1
    assert in_float32(total - 1, total) == np.float32(0.1)
    report = verify.check_schedule(lambda step: in_float32(step, total), "cosine", total_steps=total, end=0.1)
    assert report.ok, str(report)
    assert not verify.check_schedule(lambda step: float(in_float32(step)), "cosine", total_steps=T, end=0.1).ok


@pytest.mark.parametrize("total", [1, 7, 200])
def test_optaxs_schedules(total):
    optax = pytest.importorskip("optax", reason="optax is not installed here (extra `peers`)")
    report = verify.check_schedule(optax.cosine_decay_schedule(1.0, total, 0.1), "cosine", total_steps=total, end=0.1)
    assert report.ok, str(report)
    assert report["P35"].reason == "not examined: array calls"
    linear = optax.linear_schedule(1.0, 0.3, total)
    report = verify.check_schedule(linear, "linear", total_steps=total, start=1.0, end=0.3)
    assert report.ok and report["P37"].reason == "not examined: steps from 2^31 on, which it cannot count", str(report)
    wrong = optax.cosine_decay_schedule(1.0, total + 1)
    assert not verify.check_schedule(wrong, "cosine", total_steps=total, end=0.0).ok


@pytest.mark.parametrize("answer", ["0.1", None, 1j, [0.1, 0.2], np.array([0.1]), np.complex128(1)])
def test_what_is_no_number_is_said_once(answer):
    for settings in ({}, {"spec": "cosine", "end": 0.0}):
        report = verify.check_schedule(lambda step: answer, total_steps=T, **settings)
        assert report["P0"].outcome == "failed" and report["P0"].expected == "a number"
        assert report["P0"].actual == repr(answer) and {each.outcome for each in report.findings[1:]} == {"not run"}


def test_a_schedule_of_no_steps():
    report = verify.check_schedule(cosine(0), "cosine", total_steps=0)
    assert report.ok and report["P39"].reason == "a cosine of no steps has an end alone"


def test_the_names_that_explain_knows():
    settings = {"warmup_steps": 3, "stable_steps": 0, "decay_steps": 7, "end": 0.0, "start": 0.0}
    report = verify.check_schedule(warmup(3).then(cosine(7)), "wsd", **settings)
    assert report.ok and "warmup_stable_decay, cosine" in report.subject
    with pytest.raises(ValueError, match=r"'warmup_stable_decay, cosine', .*'wsd', .* got 'sine'"):
        verify.check_schedule(abs, "sine")


def test_cycles_are_looked_at_with_a_specification_too():
    assert verify.check_schedule(cosine(5).repeat(2), "cosine", total_steps=T, cycles=[5, 5]).ok
    report = verify.check_schedule(cosine(T), "cosine", cycles=[5, 5])
    assert [each.property_id for each in report.failures] == ["P35", "P40"]
    in_cycles = verify.check_schedule(lambda step: in_float32(step % T), "cosine", cycles=[T, T], end=0.1)
    assert in_cycles.ok and in_cycles["P35"].reason == "not examined: array calls", str(in_cycles)


def in_cycles_of(*lengths, wrong=None):
    """A cosine in each cycle; with `wrong` another rate at one step."""

    def rate(step):
        start = 0
        for length in lengths:
            if step < start + length:
                return 0.123 if step == wrong else table_of(length)[step - start]
            start += length
        return 0.0

    return rate


def table_of(length):
    return [0.5 * (1 + math.cos(math.pi * t / length)) for t in range(length)]


def test_restarts_that_should_not_be_are_found_and_told_as_the_caller_counts():
    report = verify.check_schedule(in_cycles_of(10, 10, 10, 10), total_steps=40, cycles=[10, 20, 10])
    assert report["P40"].where == "step 20 (cycle 2, its step 10)" and report["P40"].example == {"step": 20}
    assert "no cycle begins" in report["P40"].expected
    assert verify.check_schedule(in_cycles_of(10, 20, 10), total_steps=40, cycles=[10, 20, 10]).ok
    long = [10_000, 20_000, 10_000]  # not all of these are read
    report = verify.check_schedule(lambda step: 1 - step % 10_000 / 10_000, total_steps=40_000, cycles=long)
    assert report["P40"].where == "step 20000 (cycle 2, its step 10000)"
    held = lambda step: 1.0 if step % 5 < 3 else 0.5  # noqa: E731 (a rate that stays has not come back)
    assert verify.check_schedule(held, total_steps=10, cycles=[5, 5]).ok


def test_a_wrong_step_of_a_later_cycle_is_told_as_the_caller_counts():
    report = verify.check_schedule(in_cycles_of(10, 20, wrong=11), "cosine", cycles=[10, 20])
    assert report["P35"].where == "step 11 (cycle 2, its step 1)" and report["P35"].example == {"step": 11}
    parts = [warmup(4), cosine(6)]
    joined = lambda step: warmup(4)(step) if step < 4 else cosine(6)(step - 4 + (step == 7))  # noqa: E731
    assert verify.check_schedule(joined, total_steps=10, parts=parts)["P43"].where == "step 7 (part 2, its step 3)"
    broken = verify.check_schedule(build=lambda total_steps: lambda step: 1 / total_steps, total_steps=4)
    assert broken["P42.built"].where == "step 0, built with total_steps=0"
    assert broken["P42.built"].example == {"total_steps": 0, "step": 0}


def by_the_lines(name, **given):
    """The printed lines of a row of REFERENCES as a schedule."""
    row = REFERENCES[name]
    return lambda step: row.worked_steps([step], **{**row.example, **given})[0]["f"]


@pytest.mark.parametrize("name", [name for name, row in REFERENCES.items() if row.options])
def test_the_printed_lines_of_a_row_are_its_schedule(name):
    row = REFERENCES[name]
    report = verify.check_schedule(by_the_lines(name), name, **row.example)
    assert report["P35"].outcome == "passed", str(report)
    late = lambda step: by_the_lines(name)(step + 1)  # noqa: E731
    bit = lambda step: by_the_lines(name)(step) * (1 + 1e-12)  # noqa: E731
    for wrong in (late, bit):
        assert verify.check_schedule(wrong, name, **row.example)["P35"].outcome == "failed"


def float32_steps(total_steps, start=1.0, end=0.0):
    """A straight line that counts in float32 and answers in float64: from 2^24 on it loses steps."""
    return lambda step: max(1 - float(np.float32(min(step, total_steps))) / total_steps, 0.0) * (1 - end) + end


def int32_steps(total_steps, start=1.0, end=0.0):
    return lambda step: max(1 - int(np.int64(step).astype(np.int32)) / total_steps, 0.0) * (1 - end) + end


def a_drifting_sum(total_steps, start=1.0, end=0.0):
    return lambda step: 1 - float(np.cumsum(np.full(min(step, 10**5) + 1, 1 / total_steps))[-1] - 1 / total_steps)


def one_odd_step(total_steps, start=1.0, end=0.0):
    return lambda step: (
        max(1 - step / total_steps, 0.0) * (1 - end) + end + (step == 4711 and total_steps > 4711) * 1e-9
    )


@pytest.mark.parametrize("build", [float32_steps, int32_steps, a_drifting_sum, one_odd_step])
def test_long_schedules_and_every_boundary_are_looked_at(build):
    wrong = verify.check_schedule(build(10_000), "linear", total_steps=10_000)
    if build is not float32_steps:
        assert "P35" in {each.property_id for each in wrong.failures}, str(wrong)
    built = verify.check_schedule(build=build, spec="linear", total_steps=10)
    if build in (float32_steps, int32_steps):
        assert built["P35.built"].outcome == "failed" and "built with" in built["P35.built"].where, str(built)


def test_a_right_factory_is_built_with_lengths_up_to_2_to_the_31():
    report = verify.check_schedule(build=cosine, spec="cosine", total_steps=10, end=0.0)
    assert report.ok and report["P35.built"].outcome == "passed", str(report)


def test_rates_are_factors_of_a_base_rate():
    rate = lambda step: 0.3 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(step, T) / T)))  # noqa: E731
    assert verify.check_schedule(rate, "cosine", total_steps=T, end=0.1, base=0.3).ok
    assert "base rate 0.3" in verify.check_schedule(rate, "cosine", total_steps=T, end=0.1, base=0.3).subject
    assert not verify.check_schedule(rate, "cosine", total_steps=T, end=0.1).ok
    with pytest.raises(ValueError, match="base must be above 0"):
        verify.check_schedule(rate, "cosine", total_steps=T, base=0)


def test_the_option_with_which_it_is_right_is_named():
    keeps = lambda step: [1.0, 0.1][step > 5]  # noqa: E731
    report = verify.check_schedule(keeps, "piecewise", milestones=[5], values=[1.0, 0.1])
    assert report["P35"].nearest_bug == "is right with switches='after'"
    assert verify.check_schedule(keeps, "piecewise", milestones=[5], values=[1.0, 0.1], dialect="keras").ok
    with pytest.raises(ValueError, match="switches must be one of 'at', 'after'; got 'late'"):
        verify.check_schedule(keeps, "piecewise", milestones=[5], values=[1.0, 0.1], switches="late")


def test_a_schedule_that_ends_may_refuse_steps_beyond():
    table = [0.1**n for n in range(3) for _ in range(4)]
    report = verify.check_schedule(table.__getitem__, "step", gamma=0.1, step_size=4, total_steps=12)
    assert report.ok and "from 12 on, which it refuses" in report["P35"].reason, str(report)


TORCHS = {
    "ConstantLR": ("piecewise", {"milestones": [5], "values": [0.3, 1.0]}),
    "LinearLR": ("linear", {"total_steps": 20, "start": 0.3, "end": 1.0}),
    "ExponentialLR": ("exponential_decay", {"decay_rate": 0.9}),
    "StepLR": ("step", {"gamma": 0.1, "step_size": 30}),
    "MultiStepLR": ("multi_step", {"milestones": [30, 80], "gamma": 0.1}),
    "PolynomialLR": ("polynomial", {"total_steps": 50, "power": 0.9}),
    "CosineAnnealingLR": ("cosine", {"total_steps": 50, "end": 0.01}),
    "CosineAnnealingWarmRestarts": ("cosine_restarts", {"first_steps": 10, "cycle_mul": 2}),
    "CyclicLR": ("cyclic, triangular2", {"low": 0.1, "up": 20, "down": 30}),
}


@pytest.mark.parametrize("name", TORCHS)
def test_torchs_schedulers(name):
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    spec, arguments = TORCHS[name]
    scheduler = getattr(torch.optim.lr_scheduler, name)
    adapted = adapters.schedule(scheduler, spec, dialect="torch", **arguments)
    if name != "LinearLR":  # one is built with other arguments, too
        adapted = dataclasses.replace(adapted, build=None)
    report = verify.check_schedule(adapted, spec, dialect="torch", **arguments)
    assert report.ok and report.subject.startswith(f"torch.optim.lr_scheduler.{name} against {spec}"), str(report)
    wrong = verify.check_schedule(lambda step: adapted(step + 1), spec, dialect="torch", **arguments)
    assert "P35" in {each.property_id for each in wrong.failures}


def test_a_recursion_drifts_and_a_wrong_one_is_wrong():
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    exponential = torch.optim.lr_scheduler.ExponentialLR
    adapted = adapters.schedule(exponential, "exponential_decay", decay_rate=0.9999)
    report = verify.check_schedule(adapted, "exponential_decay", decay_rate=0.9999)
    assert report.ok and "drifts: up to" in report["P35"].reason, str(report)
    wrong = adapters.torch_scheduler(lambda optimizer: exponential(optimizer, 0.9999 + 1e-13))
    assert verify.check_schedule(wrong, "exponential_decay", decay_rate=0.9999)["P35"].outcome == "failed"


def test_arguments_of_a_library():
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    step, one_cycle = torch.optim.lr_scheduler.StepLR, torch.optim.lr_scheduler.OneCycleLR
    assert verify.check_schedule(step, total_steps=20, step_size=5).ok  # without a formula: its own
    report = verify.check_schedule(one_cycle, "one_cycle", total_steps=40, cycle_momentum=False)
    assert report["P35"].where == "step 40"  # one step too many
    with pytest.raises(ValueError, match="StepLR has no warmup_steps; say names="):
        verify.check_schedule(step, "step", gamma=0.1, step_size=5, warmup_steps=3)
    with pytest.raises(ValueError, match="PolynomialLR has no end but 0.0; it is asked for end=0.1"):
        verify.check_schedule(torch.optim.lr_scheduler.PolynomialLR, "polynomial", total_steps=5, end=0.1)
    with pytest.raises(TypeError, match="no scheduler of torch, timm"):
        verify.check_schedule(dict, "step", gamma=0.1, step_size=5)


def test_kerass_schedules():
    try:
        kinds = keras_library().optimizers.schedules
    except ImportError:
        pytest.skip("keras is not installed here (extra `peers`)")
    arguments = {"warmup_steps": 5, "stable_steps": 0, "decay_steps": 20, "end": 0.1}
    adapted = dataclasses.replace(adapters.schedule(kinds.CosineDecay, "wsd", base=0.1, **arguments), build=None)
    report = verify.check_schedule(adapted, "wsd", base=0.1, **arguments)
    assert report.ok, str(report)
    # the whole part of a logarithm in float32: its fifteenth restart is a step late
    restarts = adapters.schedule(kinds.CosineDecayRestarts, "cosine_restarts", first_steps=10, cycle_mul=2.0)
    assert 327670 == 10 * (2**15 - 1) and restarts(327670) < 1e-6 < 0.99 < restarts(327671)


def test_what_is_built_may_be_anything():
    report = verify.check_schedule(build=lambda total_steps: 1 / 0, total_steps=T)
    assert report["P0"].outcome == "error" and "ZeroDivisionError" in report["P0"].reason
    report = verify.check_schedule(
        build=lambda total_steps: lambda step: None if total_steps == 1 else 0.1, total_steps=T
    )
    assert [each.property_id for each in report.failures] == ["P42.built"]
    float32 = lambda total_steps, end: lambda step: in_float32(step, total_steps)  # noqa: E731
    report = verify.check_schedule(build=float32, spec="cosine", total_steps=T, end=0.1, batches=3)
    assert report["P43.epochs"].outcome == "passed", str(report)


def test_of_very_many_steps_some_are_looked_at_and_the_others_said():
    report = verify.check_schedule(lambda step: 0.1, total_steps=10**9)
    assert report.ok and report["P37"].reason == "not examined: all but 20051 of 1000000000 steps"


@pytest.mark.parametrize(
    ("schedule", "spec", "property_id"),
    [
        (lambda s: 1 - s / 9 if s < 10 else 0.0, "polynomial", "P35"),
        (lambda s: max(1 - s / 9, 0.0), "polynomial", "P37"),
        (lambda s: 1 - s / 8, None, "P37"),
        (iter(range(1000)).__next__, None, "P35"),
    ],
)
def test_a_wrong_schedule_is_found(schedule, spec, property_id):
    asked = schedule if spec or property_id == "P37" else lambda step: float(schedule())
    report = verify.check_schedule(asked, spec, total_steps=10)
    assert report[property_id].outcome == "failed" and report[property_id].example is not None, str(report)


@pytest.mark.parametrize(
    ("arguments", "settings", "kind", "message"),
    [
        ((3,), {}, TypeError, "called with a step"),
        ((abs,), {}, ValueError, "total_steps must say"),
        ((abs, "sine"), {}, ValueError, "expected one of"),
        ((abs, "cosine"), {"power": 1}, ValueError, "missing or unknown: power"),
        ((abs,), {"total_steps": 3, "power": 1}, TypeError, "without a specification"),
        (
            (abs,),
            {"total_steps": 3, "expected_failures": {"P39": "?"}},
            ValueError,
            r"P39 is .*; here there are P0, P35",
        ),
        ((abs,), {"total_steps": "10"}, TypeError, "total_steps must be a whole number of at least 1, got '10'"),
        ((abs, "cosine"), {"total_steps": "10"}, TypeError, "total_steps"),
        ((abs, "polynomial"), {"total_steps": 3, "power": "a"}, TypeError, "power"),
        ((abs,), {"total_steps": 3, "cycles": ["a"]}, TypeError, "the length of a cycle"),
        ((abs,), {"total_steps": 3, "cycles": 3}, TypeError, "cycles must be a list"),
        ((abs, "cosine"), {"total_steps": 9, "cycles": [5, 5]}, ValueError, "lasts 10 steps, and total_steps says 9"),
        ((abs,), {"total_steps": 3, "parts": [abs]}, TypeError, "parts must be a list of schedules"),
        ((abs,), {"total_steps": 3, "batches": 2}, TypeError, "batches= needs build="),
        ((abs,), {"total_steps": 3, "batches": 0, "build": cosine}, ValueError, "batches must be a whole number"),
        ((), {"build": 3}, TypeError, "build must be callable"),
        ((abs,), {"total_steps": 3, "timeout": -1}, ValueError, "timeout must be above 0"),
    ],
)
def test_bad_usage(arguments, settings, kind, message):
    with pytest.raises(kind, match=message):
        verify.check_schedule(*arguments, **settings)


def test_a_right_schedule_that_is_rounded_otherwise_is_not_accused():
    """Where an end is computed, and no number among the arguments, it may be rounded in another way."""
    noam = lambda step: 512**-0.5 * min((step + 1) ** -0.5, (step + 1) * 400**-1.5)  # noqa: E731
    assert verify.check_schedule(noam, "noam", warmup_steps=400, dimension=512).ok
    third = lambda step: 1 / 3 if step < 5 else (1 / 3) * (1 / 3) if step < 9 else (1 / 3) * (1 / 3) * (1 / 3)  # noqa: E731
    assert verify.check_schedule(third, "multi_step", milestones=[0, 5, 9], gamma=1 / 3).ok
    off = lambda step: noam(step) * (1 + 1e-9)  # noqa: E731
    assert not verify.check_schedule(off, "noam", warmup_steps=400, dimension=512).ok


def test_a_schedule_that_refuses_steps_beyond_its_end_is_looked_at_up_to_there():
    def ends(step):
        if step > T:
            raise ValueError(f"there is no step {step}")
        return float(cosine(T)(step))

    report = verify.check_schedule(ends, "cosine", total_steps=T)
    assert report.ok and f"from {T + 1} on, which it refuses" in report["P37"].reason, str(report)
    assert not verify.check_schedule(lambda step: ends(step) + 1e-9, "cosine", total_steps=T).ok
