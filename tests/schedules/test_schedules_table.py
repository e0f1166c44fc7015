"""A schedule is two rows, its own and its reference's. A sentence says what one lacks; a toy shows what follows."""

import dataclasses
import inspect

import numpy as np
import pytest
from schedule_cases import EXAMPLES, KINDS, arguments_of, example_of

from tinygrad_lr import cli, schedules, verify
from tinygrad_lr.schedules import SCHEDULES, Row, Schedule, phases, table
from tinygrad_lr.training.tables import rates
from tinygrad_lr.verify.documents.explain import explain
from tinygrad_lr.verify.documents.formulas import document
from tinygrad_lr.verify.formulas.schedules import REFERENCES, Reference, held, reference_of

TABLE, REFERENCE = "tinygrad_lr/schedules/table.py", "tinygrad_lr/verify/formulas/schedules.py"


def what_is_missing(rows=SCHEDULES, references=REFERENCES):
    """A sentence for everything that a row or a reference lacks."""
    for name, reference in references.items():
        if name not in rows and not reference.arguments:
            yield f"the reference {name!r} has no row in {TABLE}, and no kinds of its arguments"
    for name in rows.keys() - references.keys():
        yield f"the row {name!r} has no reference: add one to REFERENCES in {REFERENCE}"
    for name, row in rows.items():
        constructor = row.constructor or row.name
        if constructor not in phases.__all__:
            yield f"the row {name!r} names the constructor {constructor!r}, which __all__ of phases.py does not list"
            continue
        known = inspect.signature(row.build).parameters
        for argument, kind in row.arguments.items():
            if argument not in known:
                yield f"the row {name!r} has the argument {argument!r}, and its constructor has not"
            if not isinstance(kind, tuple) and kind not in table.KINDS:
                yield f"the row {name!r} gives {argument!r} the kind {kind!r}: add it to KINDS in {TABLE}"
        reference = references.get(name)
        for argument in sorted({*reference.symbols, *reference.example} - row.arguments.keys()) if reference else ():
            yield f"the reference {name!r} has the argument {argument!r}, and its row in {TABLE} has not"
        for argument in sorted(row.arguments.keys() - reference.example.keys()) if reference else ():
            yield f"the example of the reference {name!r} lacks the argument {argument!r}"
        if reference and dict(reference.arguments or {}) != row.arguments:
            yield f"the reference {name!r} has arguments of other kinds than its row in {TABLE}"
    built = {row.constructor or row.name for row in rows.values()}
    for name in phases.__all__:
        if callable(getattr(phases, name)) and name not in built:
            yield f"the constructor {name!r} has no row: add one to SCHEDULES in {TABLE}"


def test_no_row_lacks_anything():
    assert not list(what_is_missing())
    drawn = {*KINDS, "milestones", "values"}  # `arguments_of` draws these two together
    assert drawn == set(EXAMPLES) == set(table.KINDS), "tests/cases/schedule_cases.py draws every kind of argument"
    decays = tuple(row.fixed["decay"] for row in SCHEDULES.values() if row.constructor == "warmup_stable_decay")
    assert decays == phases.DECAYS, "warmup_stable_decay has a row for each of its decays"


def test_what_a_row_lacks_is_said_in_a_sentence():
    without = {name: row for name, row in SCHEDULES.items() if name != "linear"}
    assert list(what_is_missing(without)) == [f"the constructor 'linear' has no row: add one to SCHEDULES in {TABLE}"]
    unknown = {**REFERENCES, "rosy": dataclasses.replace(REFERENCES["linear"], arguments=None)}
    assert list(what_is_missing(references=unknown)) == [
        f"the reference 'rosy' has no row in {TABLE}, and no kinds of its arguments"
    ]
    references = {name: row for name, row in REFERENCES.items() if name != "linear"}
    missing = f"the row 'linear' has no reference: add one to REFERENCES in {REFERENCE}"
    assert list(what_is_missing(references=references)) == [missing]
    wrong = SCHEDULES["linear"]._replace(arguments={"total_steps": "steps", "slope": "angle"})
    assert list(what_is_missing({**SCHEDULES, "linear": wrong})) == [
        "the row 'linear' has the argument 'slope', and its constructor has not",
        f"the row 'linear' gives 'slope' the kind 'angle': add it to KINDS in {TABLE}",
        f"the reference 'linear' has the argument 'end', and its row in {TABLE} has not",
        f"the reference 'linear' has the argument 'start', and its row in {TABLE} has not",
        "the example of the reference 'linear' lacks the argument 'slope'",
        f"the reference 'linear' has arguments of other kinds than its row in {TABLE}",
    ]
    nowhere = SCHEDULES["linear"]._replace(constructor="straight")
    assert next(what_is_missing({**SCHEDULES, "linear": nowhere})) == (
        "the row 'linear' names the constructor 'straight', which __all__ of phases.py does not list"
    )
    with pytest.raises(LookupError, match="the schedule 'rosy' has no reference .* add its row to REFERENCES"):
        reference_of("rosy")


class Halving(phases.Shape):
    """f(t) = 2^-floor(t/T)."""

    name, fields = "halving", (("every", phases.REQUIRED),)

    def _length(self):
        return None

    def _ends(self):
        return 1.0, 0.0

    def _holds_from(self, parts):
        return None

    def _formula(self, steps):
        return 0.5 ** np.minimum(steps // self._arguments[0], 1000)


def halving(every: int) -> Schedule:
    return Halving((every,))


@pytest.fixture
def toy(monkeypatch):
    """A schedule in two rows and a constructor."""
    row = Row(
        "halving",
        {"every": "timescale"},
        ends=lambda every: (1.0, 0.0),
        directions=lambda every: (-1,),
        continuous=False,
        for_run=lambda run: {"every": max(run.decay // 4, 1)},
    )
    reference = Reference(
        "Halving",
        "this test",
        ("f = (1 if s < H else 0.5)",),
        {"every": "H"},
        {"every": 4},
        lambda step, every: held(0.5 ** min(int(step // every), 1000)),
        arguments={"every": "timescale"},
        edges=lambda every: [0, every, 2 * every],
        endless=True,
    )
    monkeypatch.setattr(phases, "halving", halving, raising=False)
    monkeypatch.setattr(phases, "__all__", [*phases.__all__, "halving"])
    monkeypatch.setitem(SCHEDULES, "halving", row)
    monkeypatch.setitem(REFERENCES, "halving", reference)
    return row


def test_everything_else_follows_from_two_rows(toy, capsys):
    assert not list(what_is_missing())
    report = verify.check_schedule(halving(8), "halving", every=8)
    assert report.ok and report["P37"].outcome == "passed", str(report)
    assert not verify.check_schedule(halving(9), "halving", every=8).ok
    assert "this test" in explain("halving") and "### Halving" in document()
    assert arguments_of(toy).wrapped_strategy is not None and example_of(toy) == {"every": 6}
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert ",halving" in capsys.readouterr().out
    assert repr(rates.build_schedule("halving", 70, 14)) == "warmup(14).then(halving(14))"


def test_a_phase_that_may_be_endless_holds_its_last_value_once_it_has_an_end():
    found = []
    for row in SCHEDULES.values():
        parameters = inspect.signature(row.build).parameters
        if "total_steps" not in parameters or parameters["total_steps"].default is not None:
            continue
        found.append(row.name)
        arguments = {key: value for key, value in example_of(row).items() if key != "total_steps"}
        endless, ended = row.build(**arguments), row.build(**arguments, total_steps=9)
        steps = np.arange(40)
        assert endless.total_steps is None and ended.total_steps == 9
        assert (ended(steps) == endless(np.minimum(steps, 9))).all()
        assert ended.then(schedules.constant(0.25))(9) == 0.25
        assert ended.range[0] <= ended(steps).min() and ended.range[1] >= ended(steps).max()
        assert eval(repr(ended), vars(schedules)) == ended and ended.describe() and endless.describe()
        promises = verify.properties.schedules.spec_of(row, **{**example_of(row), **arguments})
        assert promises.first == endless(0)
    assert {"constant", "piecewise"} <= set(found)
