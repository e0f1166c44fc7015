"""The checkers tested: each wrong schedule and scheduler of the catalogue is killed by the property that it names."""

import pytest
from schedule_cases import example_of

from tinygrad_lr import verify
from tinygrad_lr.schedules import SCHEDULES, cosine
from tinygrad_lr.verify.mutants import DRIVER_MUTANTS, SCHEDULE_MUTANTS
from tinygrad_lr.verify.mutants.drivers import Driver, Groups
from tinygrad_lr.verify.properties import schedules as schedule_properties
from tinygrad_lr.verify.properties.registry import property_table
from tinygrad_lr.verify.search.diagnose import nearest_wrong_schedule


def asked(mutant, build):
    """The report on what a function of the mutant's arguments builds."""
    settings = {**mutant.arguments, **mutant.options}
    if mutant.killed_by in ("P35.built", "P42.built", "P43.epochs"):
        settings["build"] = build
    return verify.check_schedule(build(**mutant.arguments), mutant.spec or None, **settings)


@pytest.mark.parametrize("name", SCHEDULE_MUTANTS)
def test_a_wrong_schedule_is_killed_by_the_property_named(name):
    mutant = SCHEDULE_MUTANTS[name]
    finding = asked(mutant, mutant.build)[mutant.killed_by]
    assert finding.outcome == "failed" and finding.expected and finding.actual and "step" in finding.example
    if mutant.spec:
        right = asked(mutant, SCHEDULES[mutant.spec].build)
        assert right.ok and right[mutant.killed_by].outcome == "passed", str(right)


RIGHT = {  # what the mutants without a row of their own are wrong in
    "restarts_by_a_floored_logarithm": lambda: _restarting([1, 3, 9, 27, 81, 243]),
    "restarts_one_step_late": lambda: cosine(10).repeat(3),
    "restarts_that_should_not_be": lambda: _restarting([10, 20, 10]),
    "one_cycle_of_two_phases": lambda: _joined("one_cycle_of_two_phases"),
    "parts_count_global_steps": lambda: _joined("parts_count_global_steps"),
    "epochs_read_as_steps": lambda total_steps=10: cosine(total_steps),
    "step_warmup_and_total_are_one": lambda total_steps=10: cosine(total_steps),
}


def _restarting(cycles):
    whole = cosine(cycles[0])
    for length in cycles[1:]:
        whole = whole.then(cosine(length))
    return whole


def _joined(name):
    first, *others = SCHEDULE_MUTANTS[name].options["parts"]
    for part in others:
        first = first.then(part)
    return first


def test_what_is_right_where_those_without_a_row_are_wrong_is_not_accused():
    assert set(RIGHT) == {name for name, mutant in SCHEDULE_MUTANTS.items() if not mutant.spec}
    for name, build in RIGHT.items():
        report = asked(SCHEDULE_MUTANTS[name], build)
        assert report.ok and report[SCHEDULE_MUTANTS[name].killed_by].outcome == "passed", str(report)


# Their rates are those of the right schedule at every step that is compared: how they are read is what is wrong.
UNNAMED = {
    "reading_changes_it": "it is right until it has been read thirty times",
    "array_in_float32": "it is right for single steps",
    "not_a_number_far_beyond_its_end": "it is right to its end and a little beyond",
    "refuses_without_words": "it is right to its end and a little beyond",
    "milestone_zero_has_no_rate": "it is right where no milestone is 0",
    "counts_in_float32": "it is right to step 2^24",
    "counts_in_int32": "it is right to step 2^31 - 1",
    "one_step_is_odd": "it is right at all other steps",
}


def test_known_bugs_of_schedules_are_named_and_right_schedules_are_not():
    for name, mutant in SCHEDULE_MUTANTS.items():
        if not mutant.spec:
            continue
        found = nearest_wrong_schedule(mutant.build(**mutant.arguments), mutant.spec, mutant.arguments)
        assert found == (None if name in UNNAMED else f"matches: {mutant.named}"), name
        row = SCHEDULES[mutant.spec]
        for other in (mutant.spec, *mutant.also):
            arguments = {**mutant.arguments, "start": 1.0, "power": 1.0, "factor": 1.0, "end": 0.1}
            known = {key: value for key, value in arguments.items() if key in SCHEDULES[other].arguments}
            if set(known) == set(SCHEDULES[other].arguments):
                assert nearest_wrong_schedule(SCHEDULES[other].build(**known), other, known) is None
        assert row.name == mutant.spec
    report = verify.check_schedule(cosine(19), "cosine", total_steps=20, end=0.0)
    assert report["P37"].nearest_bug == "matches: ends at t minus 1, spd #642" and "spd #642" in str(report)


@pytest.mark.parametrize("name", DRIVER_MUTANTS)
def test_a_wrong_scheduler_is_killed_by_the_property_named(name):
    mutant = DRIVER_MUTANTS[name]
    report = verify.check_scheduler(Groups, mutant.kind, total_steps=8, micro_step=mutant.micro_step)
    assert report[mutant.killed_by].outcome == "failed", str(report)


def test_a_right_scheduler_is_not_accused():
    def step_every_second(optimizer, driver, index):
        if index % 2:
            driver.step()

    report = verify.check_scheduler(Groups, Driver, total_steps=8, micro_step=step_every_second)
    assert report.ok and [each.outcome for each in report.findings] == ["passed"] * 3, str(report)


def test_every_property_of_schedules_has_a_mutant_that_it_kills():
    killed = {mutant.killed_by for mutant in (*SCHEDULE_MUTANTS.values(), *DRIVER_MUTANTS.values())}
    assert killed == set(schedule_properties.PROPERTIES)
    assert set(schedule_properties.PROPERTIES) <= set(property_table())


def test_a_check_that_does_not_apply_says_so():
    row = SCHEDULES["piecewise"]
    promises = schedule_properties.spec_of(row, milestones=[5, 10], values=[1.0, 0.1, 0.01])
    with pytest.raises(ValueError, match="does not apply"):
        schedule_properties.check_continuous(row.build([5, 10], [1.0, 0.1, 0.01]), promises)


def test_a_constant_rate_does_not_restart():
    """With a specification or without: every cycle begins with the first rate, and no other step has it."""
    constant = verify.check_schedule(lambda step: 0.1, total_steps=30, cycles=[10, 10, 10])
    assert constant["P40"].outcome == "failed"
    once = verify.check_schedule(cosine(10), "cosine", cycles=[10, 20])
    assert once["P35"].outcome == once["P40"].outcome == "failed"
    assert verify.check_schedule(cosine(10).then(cosine(20)), "cosine", cycles=[10, 20]).ok
    with pytest.raises(ValueError, match="cycles= wants a schedule of total_steps alone"):
        verify.check_schedule(cosine(10), "warmup", steps=10, start=0.0, first_step="zero", cycles=[10, 20])


def test_what_a_factory_raises_is_a_finding(searches):
    def build(total_steps):
        return (lambda step: step / (total_steps - 1)) if total_steps != 10 else 1 / 0

    report = verify.check_schedule(build=build, total_steps=10)
    assert report["P0"].outcome == "error" and "ZeroDivisionError" in report["P0"].reason
    for name in searches.sample("schedules that are built for any length", SCHEDULES, 4):
        row = SCHEDULES[name]
        report = verify.check_schedule(build=row.build, spec=name, **example_of(row))
        assert report.ok and report["P42.built"].outcome == "passed", str(report)
