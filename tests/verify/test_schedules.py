"""check_schedule: ours, plain functions, tables, float32; wrong ones are found; wrong arguments are named."""

import math

import numpy as np
import pytest

from tinygrad_lr import verify
from tinygrad_lr.schedules import cosine, polynomial, warmup

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
